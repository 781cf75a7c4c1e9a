//! The effective access of one member: what they may do and why, what they may not do, and who could change
//! that.

use crate::{
    domain::{
        base::{
            refused::Refused,
            role::{self, Role},
        },
        enforce::{
            read::ReadScope,
            workspace::granters::{self, Granters},
        },
        nouns::members::{self, Detail},
    },
    policy::{Holdings, Permission, Scope, Why, perm, why::why},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A role, as it is named in an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleName {
    pub slug: String,
    pub name: String,
    pub is_owner: bool,
}

impl From<&Role> for RoleName {
    fn from(role: &Role) -> Self {
        Self { slug: role.slug.clone(), name: role.name.clone(), is_owner: role.is_owner }
    }
}

/// A role that the member holds, and where it comes from.
#[derive(Clone, Debug)]
pub struct Source {
    pub role: RoleName,
    /// It is assigned to the member, whether or not a team has it too.
    pub is_own: bool,
    /// Names of the teams that it comes from.
    pub teams: Vec<String>,
}

/// A role that the member does not hold, and who could assign it to them.
#[derive(Clone, Debug)]
pub struct AssignableRole {
    pub role: RoleName,
    /// Names of some who could, sorted.
    pub by: Vec<String>,
    /// How many more could.
    pub more: i64,
}

/// The explanation of one requested scope.
#[derive(Clone, Debug)]
pub struct ScopeAnswer {
    pub scope: String,
    /// Each role with the grant that covers the scope.
    pub why: Why<(RoleName, String)>,
}

/// What one member may do.
pub struct EffectiveAccess {
    pub detail: Detail,
    pub sources: Vec<Source>,
    /// Each permission of the catalogue, in its order.
    pub permissions: Vec<(Permission, Why<RoleName>)>,
    /// Each scope that a role of theirs was granted, with these roles.
    pub grants: Vec<(String, Vec<RoleName>)>,
    pub assignable: Vec<AssignableRole>,
    pub answer: Option<ScopeAnswer>,
}

/// Loads what a member may do. Three SQL statements and one for the names, however many
/// permissions, roles and people there are.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub async fn get(
    scope: &ReadScope<perm::ReadMembers>,
    id: Uuid,
    requested: Option<&Scope>,
) -> Result<EffectiveAccess, Refused> {
    let all = &scope.actor().all_roles;
    let detail = members::detail(scope, id).await?;
    let is_held = |role: &Role| detail.member.roles.iter().any(|held| held.id == role.id);
    let roles = || all.iter().map(|role| (RoleName::from(role), &role.holdings, is_held(role)));
    let permissions = Permission::ALL.iter();
    let effective = detail.member.effective(all);
    let effective = effective.as_ref();
    let permission = |p: &Permission| (*p, within(effective, roles(), |holdings| holdings.has(*p)));
    let permissions = permissions.map(permission).collect();
    let mut grants: BTreeMap<&str, Vec<RoleName>> = BTreeMap::new();
    for role in &detail.member.roles {
        for scope in role.application_scopes.iter() {
            grants.entry(scope).or_default().push(role.into());
        }
    }
    let is_effective = |scope: &str| {
        effective.is_none_or(|effective| Scope::parse(scope).is_ok_and(|scope| effective.allows(&scope)))
    };
    let grants = grants
        .into_iter()
        .filter(|(scope, _)| is_effective(scope))
        .map(|(scope, roles)| (scope.to_owned(), roles))
        .collect();
    let held = role::holdings(&detail.member.roles.iter().collect::<Vec<_>>());
    let answer = requested.map(|requested| {
        let covers = |role: &Role| role.holdings.basis(requested).unwrap_or_default();
        let roles = all.iter().map(|role| ((role.into(), covers(role)), &role.holdings, is_held(role)));
        ScopeAnswer {
            scope: requested.to_string(),
            why: within(effective, roles, |holdings| holdings.allows(requested)),
        }
    });
    let source = |role: &Role| Source {
        role: role.into(),
        is_own: detail.own.contains(&role.slug),
        teams: detail
            .teams
            .iter()
            .filter(|place| place.roles.iter().any(|carried| carried.id == role.id))
            .map(|place| place.name.clone())
            .collect(),
    };
    let others = all.iter().filter(|role| !is_held(role)).collect::<Vec<_>>();
    Ok(EffectiveAccess {
        sources: detail.member.roles.iter().map(source).collect(),
        assignable: assignable(scope, &held, &others).await?,
        permissions,
        grants,
        answer,
        detail,
    })
}

/// [`why`] a member may do something. What limits a key outweighs its roles, and no other role would change that.
fn within<'a, R>(
    effective: Option<&Holdings>,
    roles: impl IntoIterator<Item = (R, &'a Holdings, bool)>,
    allows: impl Fn(&Holdings) -> bool,
) -> Why<R> {
    let is_limited = effective.is_some_and(|effective| !allows(effective));
    match why(roles, allows) {
        Why::By(_) if is_limited => Why::Not(Vec::new()),
        answer => answer,
    }
}

/// Who could assign each of the roles to a member with these holdings.
async fn assignable(
    scope: &ReadScope<perm::ReadMembers>,
    present: &Holdings,
    others: &[&Role],
) -> Result<Vec<AssignableRole>, Refused> {
    let granters = granters::of_each(scope, &scope.actor().all_roles, present, others).await?;
    let assignable = |(role, granters): (&&Role, Granters)| AssignableRole {
        role: (*role).into(),
        by: granters.names(),
        more: granters.more,
    };
    Ok(others.iter().zip(granters).map(assignable).collect())
}
