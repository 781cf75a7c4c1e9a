//! Creating a role, renaming it, and changing what it holds.

use crate::{
    domain::{
        base::{
            conflict::{CHANGED, Conflict},
            event::{Recorded, Target},
            invalid::Invalid,
            principal::Actor,
            refused::Refused,
            role::{ROLE, Role, Roles},
            values::{Description, Name, Slug, folded, looks},
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::roles::{
            events::{RoleCreated, RoleUpdated},
            grants::{self, Cell, OWNER_IS_FIXED},
            scope_set::ScopeSet,
        },
    },
    entity::{grant, role},
    policy::{BuiltIn, Permission, perm},
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use std::collections::BTreeSet;

/// Roles of its own that a workspace may have.
pub const MAX_ROLES: usize = 64;

/// Why a built-in role keeps its name.
pub const BUILT_IN: &str = "A built-in role can't be renamed or deleted. You can change its permissions. To use another name, duplicate it.";

const BUILT_IN_ROLE: Conflict = Conflict::new(
    "built-in-role",
    "This is a built-in role. Its name and description can't be changed. To change its permissions, use the Security page or PUT its scopes. Send only scopes of your own applications.",
);

const ROLE_EXISTS: Conflict = Conflict::new(
    "role-exists",
    "A different role already uses this slug. To change that role, use PATCH or PUT its scopes. Or choose another slug.",
);

/// The name and description of a role to create or rename.
pub struct RoleDetails {
    pub name: Name,
    pub description: Description,
}

/// The result of creating or renaming a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRole {
    pub name: String,
    pub slug: String,
}

/// Creates a role. Its slug never changes, even if the role is renamed.
///
/// # Errors
/// [`Refused::Ceiling`] for scopes that the actor does not hold; [`Refused::Invalid`] on `name`, or on `form`
/// if the workspace has the most roles it may have.
pub async fn create(
    s: &mut WriteScope<perm::ManageRoles>,
    named: &RoleDetails,
    scopes: &ScopeSet,
) -> Result<Recorded<SavedRole>, Refused> {
    insert(s, named, None, scopes).await
}

async fn insert(
    s: &mut WriteScope<perm::ManageRoles>,
    named: &RoleDetails,
    slug: Option<&Slug>,
    scopes: &ScopeSet,
) -> Result<Recorded<SavedRole>, Refused> {
    let all = s.actor().all_roles.clone();
    s.actor().holdings.may_assign(&scopes.holdings())?;
    if all.iter().filter(|role| !role.built_in).count() >= MAX_ROLES {
        let sentence = format!("A workspace can have at most {MAX_ROLES} custom roles. Delete one first.");
        return Err(Invalid::field("form", sentence).into());
    }
    let name = free_name(&all, &named.name)?;
    let slug = slug.map_or_else(|| free_slug(&all, &name), Slug::to_string);
    let id = random::id(s.now());
    let row = role::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        slug: Set(slug.clone()),
        name: Set(name.clone()),
        description: Set(named.description.to_string()),
        built_in: Set(false),
        is_owner: Set(false),
        // After the built-in roles, sorted by name.
        position: Set(i64::try_from(BuiltIn::ALL.len()).unwrap_or(i64::MAX)),
        created_at: Set(s.now()),
    };
    s.open().insert(row).await?;
    let rows: Vec<_> = scopes
        .iter()
        .map(|scope| grant::ActiveModel {
            workspace_id: Set(s.workspace_id()),
            role_id: Set(id),
            scope: Set(scope.to_owned()),
        })
        .collect();
    if !rows.is_empty() {
        grant::Entity::insert_many(rows).exec_without_returning(&s.open().tx).await?;
    }
    let event = RoleCreated { scopes: scopes.iter().map(str::to_owned).collect() };
    let target = Target::new(ROLE, id, name.clone());
    Ok(Recorded::new(SavedRole { name, slug }, event, target))
}

/// The result of [`define`].
#[derive(Clone, Debug)]
pub struct Defined {
    pub slug: String,
    pub is_new: bool,
}

/// Creates the role with this slug, or checks that an existing role is identical. Of a built-in role it sets
/// only the scopes of the customer's own applications: this is how a workspace, which always has `developer`,
/// learns what a developer may do in them.
///
/// # Errors
/// As [`create`]; [`ROLE_EXISTS`] for a custom role that is different,
/// [`BUILT_IN_ROLE`] if the request contains more than these scopes for a built-in role,
/// [`Refused::Forbidden`] for someone who may create roles but not change what they hold,
/// [`Refused::NotAllowed`] for Owner.
pub async fn define(
    s: &mut WriteScope<perm::ManageRoles>,
    name: &Name,
    slug: Option<&Slug>,
    description: Option<&Description>,
    scopes: &ScopeSet,
) -> Result<Recorded<Defined>, Refused> {
    if slug.is_some_and(|slug| RESERVED.contains(&slug.as_str())) {
        return Err(Invalid::field("slug", "This slug is reserved. Choose another.").into());
    }
    let known = slug.and_then(|slug| s.actor().all_roles.by_slug(slug.as_str())).cloned();
    let Some(role) = known else {
        let named = RoleDetails { name: name.clone(), description: description.cloned().unwrap_or_default() };
        let saved = insert(s, &named, slug, scopes).await?;
        return Ok(saved.map(|saved| Defined { slug: saved.slug, is_new: true }));
    };
    let defined = Defined { slug: role.slug.clone(), is_new: false };
    if role.is_owner {
        return Err(Refused::NotAllowed(OWNER_IS_FIXED));
    }
    s.actor().holdings.may_assign(&role.holdings)?;
    let is_called = description.is_none_or(|description| description.as_str() == role.description);
    if !role.built_in {
        let is_same = is_called && role.name == name.as_str() && scopes.iter().eq(role.scopes());
        return if is_same { Ok(Recorded::unchanged(defined)) } else { Err(ROLE_EXISTS.into()) };
    }
    let is_plain = scopes.of_applications().count() == scopes.iter().count();
    if !(is_called && is_plain && folded(&role.name) == folded(name.as_str())) {
        return Err(BUILT_IN_ROLE.into());
    }
    s.require(Permission::UpdatePermissions).await?;
    let held = &role.application_scopes;
    let added = scopes.iter().filter(|scope| !held.iter().any(|held| held == scope));
    let taken = held.iter().map(String::as_str).filter(|scope| !scopes.contains(scope));
    let cell = |granted: bool| {
        let role = &role;
        move |scope| Cell { role, scope, granted }
    };
    let cells: Vec<Cell<'_>> = added.map(cell(true)).chain(taken.map(cell(false))).collect();
    if cells.is_empty() {
        return Ok(Recorded::unchanged(defined));
    }
    let change = grants::change(s, &cells, false).await?;
    Ok(Recorded::many(defined, change.events))
}

/// Two roles with one name could not be distinguished where they are assigned, nor one that looks like a built-in
/// role, whose name everybody knows.
fn free_name(all: &Roles, name: &Name) -> Result<String, Invalid> {
    let imitated = BuiltIn::ALL.iter().find(|role| looks(role.name()) == looks(name.as_str()));
    if let Some(role) = imitated {
        let sentence = format!(
            "This looks like the built-in role {}, which already exists. Choose another name.",
            role.name()
        );
        return Err(Invalid::field("name", sentence));
    }
    let taken = |role: &Role| folded(&role.name) == folded(name.as_str());
    match all.iter().any(taken) {
        true => Err(Invalid::field("name", "A role with this name already exists.")),
        false => Ok(name.to_string()),
    }
}

/// Slugs that are addresses of pages beside the roles.
const RESERVED: [&str; 2] = ["new", "comparison"];

/// A slug made from the name, with a number if the slug is taken.
fn free_slug(all: &Roles, name: &str) -> String {
    let suggested = Slug::suggest(name).map_or_else(|| "role".to_owned(), |slug| slug.to_string());
    let is_free = |slug: &str| all.by_slug(slug).is_none() && !RESERVED.contains(&slug);
    let numbered = |n: usize| {
        let start: String = suggested.chars().take(Slug::MAX - 5).collect();
        format!("{}-{n}", start.trim_end_matches('-'))
    };
    // One more than there are roles, so that one of them is free.
    let mut numbered = (2..all.iter().count() + RESERVED.len() + 3).map(numbered);
    if is_free(&suggested) { suggested } else { numbered.find(|slug| is_free(slug)).unwrap_or(suggested) }
}

/// Loads a role that may be renamed or deleted.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::NotAllowed`] for a built-in one, [`Refused::Ceiling`].
pub(in crate::domain) fn custom_role<P>(s: &WriteScope<P>, slug: &str) -> Result<Role, Refused> {
    let role = s.actor().all_roles.by_slug(slug).ok_or(Refused::NotFound)?;
    if role.built_in {
        return Err(Refused::NotAllowed(if role.is_owner { OWNER_IS_FIXED } else { BUILT_IN }));
    }
    s.actor().holdings.may_assign(&role.holdings)?;
    Ok(role.clone())
}

/// Changes the name or description of a role. Its slug, and so its identity, stays.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::NotAllowed`] for a built-in role, [`Refused::Ceiling`],
/// [`CHANGED`] after a concurrent change, [`Refused::Invalid`] on `name`.
pub async fn describe(
    s: &mut WriteScope<perm::ManageRoles>,
    slug: &str,
    named: &RoleDetails,
    version: &str,
) -> Result<Recorded<SavedRole>, Refused> {
    let all = s.actor().all_roles.clone();
    let role = custom_role(s, slug)?;
    if version != role.details_version() {
        return Err(CHANGED.into());
    }
    let is_renamed = role.name != named.name.as_str();
    if is_renamed {
        // In other capitals it is still the same name.
        let others = all.iter().filter(|other| other.id != role.id).cloned().collect();
        let others = Roles::new(all.version, others);
        free_name(&others, &named.name)?;
    }
    let saved = SavedRole { name: named.name.to_string(), slug: role.slug.clone() };
    if !is_renamed && role.description == named.description.as_str() {
        return Ok(Recorded::unchanged(saved));
    }
    use role::Column;
    let row = s.open().update::<role::Entity>().filter(Column::Id.eq(role.id));
    let row = row.col_expr(Column::Name, Expr::value(named.name.as_str()));
    let row = row.col_expr(Column::Description, Expr::value(named.description.as_str()));
    s.open().apply_to_one(row).await?;
    let event = RoleUpdated {
        name_before: role.name.clone(),
        name_after: saved.name.clone(),
        description_before: role.description.clone(),
        description_after: named.description.to_string(),
    };
    Ok(Recorded::new(saved, event, role.target()))
}

/// A change of a role's scopes: the full set.
pub struct ScopesChange {
    pub scopes: ScopeSet,
    /// The version that the editor saw.
    pub version: String,
    /// The editor confirmed that the change takes “Update permissions” from themselves.
    pub confirmed: bool,
}

/// The result of [`set_scopes`].
#[derive(Clone, Debug)]
pub struct SavedScopes {
    pub name: String,
    pub added: usize,
    pub removed: usize,
    /// Active members who have the role.
    pub people: i64,
}

/// Sets what a role holds.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::NotAllowed`] for Owner, [`CHANGED`] after a concurrent change,
/// [`Refused::Ceiling`], [`LOCKS_YOU_OUT`](grants::LOCKS_YOU_OUT) if that is not confirmed.
pub async fn set_scopes(
    s: &mut WriteScope<perm::UpdatePermissions>,
    slug: &str,
    requested: &ScopesChange,
) -> Result<Recorded<SavedScopes>, Refused> {
    let role = s.actor().all_roles.by_slug(slug).cloned().ok_or(Refused::NotFound)?;
    if role.is_owner {
        return Err(Refused::NotAllowed(OWNER_IS_FIXED));
    }
    if requested.version != role.scopes_version() {
        return Err(CHANGED.into());
    }
    may_edit(s.actor(), &role)?;
    let held = role.scopes();
    let cells = cells(&role, &held, &requested.scopes);
    let mut saved = SavedScopes { name: role.name.clone(), added: 0, removed: 0, people: 0 };
    if cells.is_empty() {
        return Ok(Recorded::unchanged(saved));
    }
    let change = grants::change(s, &cells, requested.confirmed).await?;
    saved.added = cells.iter().filter(|cell| cell.granted).count();
    saved.removed = cells.len() - saved.added;
    saved.people = change.headcounts.count(|slug| slug == role.slug);
    Ok(Recorded::many(saved, change.events))
}

/// Checks that the actor may change what this role holds. The verdict is the same if nothing would change.
///
/// # Errors
/// [`Refused::NotAllowed`] for Owner, [`Refused::Ceiling`].
pub(in crate::domain) fn may_edit(actor: &Actor, role: &Role) -> Result<(), Refused> {
    if role.is_owner {
        return Err(Refused::NotAllowed(OWNER_IS_FIXED));
    }
    Ok(actor.holdings.may_assign(&role.holdings)?)
}

/// The cells to change so that a role with the scopes `held` gets the scopes `requested`.
pub(in crate::domain) fn cells<'a>(
    role: &'a Role,
    held: &'a BTreeSet<String>,
    requested: &'a ScopeSet,
) -> Vec<Cell<'a>> {
    let added = requested.iter().filter(|scope| !held.contains(*scope));
    let taken = held.iter().map(String::as_str).filter(|scope| !requested.contains(scope));
    let cell = |granted: bool| move |scope| Cell { role, scope, granted };
    added.map(cell(true)).chain(taken.map(cell(false))).collect()
}
