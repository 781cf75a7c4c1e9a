//! The home of a key: who may manage the key there decides in which other workspaces it becomes a member.
//!
//! A consent is the answer of the home to another workspace: "you may add this key". It gives nothing by itself, is
//! used up when the key is added, and holds only as long as the person who gave it may manage the key at home.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            ends::{held_roles, lasts},
            event::{Recorded, Target},
            invalid::Invalid,
            refused::Refused,
            role::{self, Roles},
            values::Slug,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            api_keys::{
                elsewhere::{not_locked, write_with_key},
                events::{
                    API_KEY, ApiKeyConsentGiven, ApiKeyConsentWithdrawn, ApiKeyHomeChanged, ApiKeyRemoved,
                },
                list::WorkspaceKey,
                take_over::{LockedKey, OtherMembership, elsewhere, load_locked},
            },
            members::{self, MemberRecord},
        },
    },
    entity::{api_key_consent, member},
    policy::{Access, Permission, perm},
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

/// How long a consent can be used, in milliseconds.
const LIFETIME: i64 = 7 * DAY;

const NOT_HOME: &str = "This workspace isn't the key's home. Only its home workspace decides that.";

const PEOPLE_ONLY: &str = "Only people can decide where an API key is a member or at home.";

/// A workspace that may add a key, by the consent of its home.
#[derive(Clone, Debug)]
pub struct Consent {
    pub id: Uuid,
    /// The address of the workspace.
    pub workspace: String,
    /// The name and the address of the person who gave it.
    pub given_by: String,
    pub email: String,
    pub expires_at: Timestamp,
    /// Whether this person can still manage the key here, without which it is worth nothing.
    pub is_valid: bool,
}

#[derive(FromQueryResult)]
struct ConsentRow {
    id: Uuid,
    workspace: String,
    given_by: String,
    email: String,
    expires_at: Timestamp,
    /// The roles of the person who gave it; `None` where they are no active member.
    giver_roles: Option<String>,
}

const CONSENTS: &str = concat!(
    "SELECT c.id, w.slug AS workspace, u.name AS given_by, u.email, c.expires_at,
        (SELECT ",
    held_roles!("g", "$3"),
    " FROM members g WHERE g.workspace_id = c.workspace_id AND g.user_id = c.given_by
            AND g.status = 'active' AND u.suspended_at IS NULL AND ",
    lasts!("g", "$3"),
    ") AS giver_roles
    FROM api_key_consents c JOIN workspaces w ON w.id = c.to_workspace_id JOIN users u ON u.id = c.given_by
    WHERE c.workspace_id = $1 AND c.api_key_id = $2 AND c.expires_at > $3"
);

/// What a key's page in its home offers to whoever may decide about it.
#[derive(Clone, Debug, Default)]
pub struct HomeOptions {
    pub consents: Vec<Consent>,
    /// Other workspaces that could become its home: id and name.
    pub homes: Vec<(Uuid, String)>,
}

/// Loads what the viewer could decide about a key that is at home here; `None` if nothing, or if the account has no
/// other workspace.
///
/// # Errors
/// The database's own.
pub async fn home_options<P: Access>(
    scope: &ReadScope<P>,
    key: &WorkspaceKey,
) -> Result<Option<HomeOptions>, Refused> {
    let actor = scope.actor();
    let may_decide = key.is_home
        && !key.key.is_revoked
        && actor.principal.person().is_some()
        && actor.holdings.has(Permission::ManageApiKeys)
        && key.refused.is_none();
    if !may_decide {
        return Ok(None);
    }
    let sql = "SELECT w.id FROM workspaces w WHERE w.account_id = $2 AND w.id <> $1
        AND w.deleted_at IS NULL LIMIT 1";
    let other: Option<OtherWorkspace> = scope.first(sql, vec![actor.workspace.account_id.into()]).await?;
    if other.is_none() {
        return Ok(None);
    }
    let sql = format!("{CONSENTS} ORDER BY w.slug, c.id");
    let given: Vec<ConsentRow> = scope.all(&sql, vec![key.key.id.into(), scope.now().into()]).await?;
    let consents = given.into_iter().map(|row| row.of(key, &actor.all_roles)).collect();
    let mut homes = Vec::new();
    if key.other_workspaces > 0 {
        for other in elsewhere(scope, actor, scope.now(), key.key.id).await? {
            if other.reaches(scope, scope.db(), actor).await? {
                homes.push((other.workspace_id, other.name));
            }
        }
    }
    Ok(Some(HomeOptions { consents, homes }))
}

impl ConsentRow {
    fn of(self, key: &WorkspaceKey, all: &Roles) -> Consent {
        let giver = role::holdings(&all.parse_slugs(self.giver_roles.as_deref().unwrap_or_default()));
        Consent {
            id: self.id,
            workspace: self.workspace,
            given_by: self.given_by,
            email: self.email,
            expires_at: self.expires_at,
            is_valid: giver.has(Permission::ManageApiKeys) && giver.contains(&key.holdings()),
        }
    }
}

/// A key that is at home here, if the actor may manage it here.
async fn at_home(s: &WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<LockedKey, Refused> {
    let key = load_locked(s, id).await?;
    s.actor().holdings.may_assign(&key.member.holdings())?;
    if s.actor().principal.person().is_none() {
        return Err(Refused::NotAllowed(PEOPLE_ONLY));
    }
    match key.home_id == Some(s.workspace_id()) {
        true => Ok(key),
        false => Err(Refused::NotAllowed(NOT_HOME)),
    }
}

#[derive(FromQueryResult)]
struct OtherWorkspace {
    id: Uuid,
}

/// Allows another workspace of the account to add a key that is at home here. Its name, which the actor may not know,
/// is neither returned nor recorded.
///
/// # Errors
/// [`Refused::NotFound`], [`KEY_REVOKED`](crate::domain::records::keys::KEY_REVOKED), [`Refused::Ceiling`] for a key
/// that holds more than the actor, [`Refused::NotAllowed`] for a key that is at home elsewhere or an actor that is a
/// key, [`Refused::Invalid`] on `workspace`.
pub async fn give_consent(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    to: &Slug,
) -> Result<Recorded<()>, Refused> {
    let key = at_home(s, id).await?;
    let sql = "SELECT w.id FROM workspaces w WHERE w.slug = $2 AND w.account_id = $3 AND w.id <> $1
        AND w.deleted_at IS NULL";
    let values = vec![to.as_str().into(), s.actor().workspace.account_id.into()];
    let other: Option<OtherWorkspace> = s.first(sql, values).await?;
    let unknown = "No other workspace of this account has this address.";
    let other = other.ok_or_else(|| Invalid::field("workspace", unknown))?;
    let sql =
        "DELETE FROM api_key_consents WHERE workspace_id = $1 AND api_key_id = $2 AND to_workspace_id = $3";
    s.run(sql, vec![id.into(), other.id.into()]).await?;
    let expires_at = s.now() + LIFETIME;
    let row = api_key_consent::ActiveModel {
        id: Set(random::id(s.now())),
        workspace_id: Set(s.workspace_id()),
        api_key_id: Set(id),
        to_workspace_id: Set(other.id),
        given_by: Set(s.actor().principal.id()),
        created_at: Set(s.now()),
        expires_at: Set(expires_at),
    };
    s.open().insert(row).await?;
    let event = ApiKeyConsentGiven { workspace: to.as_str().to_owned(), expires_at };
    Ok(Recorded::new((), event, Target::new(API_KEY, id, key.member.name)))
}

/// Withdraws a consent. Returns the address of the workspace that had it.
///
/// # Errors
/// [`Refused::NotFound`] if it was used, has expired or was withdrawn; as [`give_consent`].
pub async fn withdraw_consent(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    consent: Uuid,
) -> Result<Recorded<String>, Refused> {
    let key = at_home(s, id).await?;
    let sql = format!("{CONSENTS} AND c.id = $4");
    let given: Option<ConsentRow> = s.first(&sql, vec![id.into(), s.now().into(), consent.into()]).await?;
    let given = given.ok_or(Refused::NotFound)?;
    let row = s.delete::<api_key_consent::Entity>().filter(api_key_consent::Column::Id.eq(consent));
    s.apply_to_one(row).await?;
    let event = ApiKeyConsentWithdrawn { workspace: given.workspace.clone() };
    Ok(Recorded::new(given.workspace, event, Target::new(API_KEY, id, key.member.name)))
}

/// Uses up the consent that the home of a key gave to this workspace, under the lock. Returns the name of the person
/// who gave it; `None` if there is none that still holds.
pub(super) async fn use_consent(
    s: &WriteScope<perm::ManageApiKeys>,
    key: Uuid,
    home: Uuid,
) -> Result<Option<String>, Refused> {
    // The name is that of the person.
    let sql = concat!(
        "SELECT w.id AS workspace_id, u.name, TRUE AS is_home, w.roles_version, m.id AS member_id, m.role_set, ",
        held_roles!("o", "$4"),
        " AS own, CAST(NULL AS TEXT) AS voucher_roles, CAST(NULL AS TEXT) AS reader_roles,
            CAST(NULL AS TEXT) AS only_scope
        FROM api_key_consents c
        JOIN users u ON u.id = c.given_by AND u.suspended_at IS NULL
        JOIN workspaces w ON w.id = c.workspace_id AND w.deleted_at IS NULL AND w.suspended_at IS NULL
        JOIN members o ON o.workspace_id = c.workspace_id AND o.user_id = c.given_by AND o.status = 'active'
            AND ",
        lasts!("o", "$4"),
        " LEFT JOIN members m ON m.workspace_id = c.workspace_id AND m.api_key_id = c.api_key_id
        WHERE c.to_workspace_id = $1 AND c.api_key_id = $2 AND c.workspace_id = $3 AND c.expires_at > $4"
    );
    let giver: Option<OtherMembership> = s.first(sql, vec![key.into(), home.into(), s.now().into()]).await?;
    let Some(giver) = giver else { return Ok(None) };
    if !giver.is_within(s, &s.open().db, true).await? {
        return Ok(None);
    }
    let sql =
        "DELETE FROM api_key_consents WHERE to_workspace_id = $1 AND api_key_id = $2 AND workspace_id = $3";
    Ok((s.run(sql, vec![key.into(), home.into()]).await? == 1).then_some(giver.name))
}

/// Makes another workspace that a key is a member of its home. Both record that. Returns the name of that workspace.
///
/// # Errors
/// As [`give_consent`], with [`Refused::Invalid`] on `home` for a workspace that the key is not a member of, or where
/// the actor may not manage keys or does not hold what it holds.
pub async fn change_home(
    scope: ReadScope<perm::ManageApiKeys>,
    id: Uuid,
    to: Uuid,
) -> Result<String, Refused> {
    write_with_key(scope, id, async |s| move_home(s, id, to).await).await
}

async fn move_home(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    to: Uuid,
) -> Result<Recorded<String>, Refused> {
    let key = at_home(s, id).await?;
    let others = elsewhere(s, s.actor(), s.now(), id).await?;
    let choose = || {
        Invalid::field("home", "Choose a workspace that the key is a member of, and where you can manage it.")
    };
    let other = others.into_iter().find(|other| other.workspace_id == to).ok_or_else(choose)?;
    if !other.reaches(s, &s.open().db, s.actor()).await? {
        return Err(choose().into());
    }
    if !s.has_locked(to) {
        return Err(not_locked());
    }
    // Which other workspaces may add it is for the new home to decide.
    let sql = "DELETE FROM api_key_consents WHERE workspace_id = $1 AND api_key_id = $2";
    s.run(sql, vec![id.into()]).await?;
    s.run("UPDATE api_keys SET home_id = $3 WHERE id = $2 AND home_id = $1", vec![id.into(), to.into()])
        .await?;
    let before = s.actor().workspace.name.clone();
    let changed = || {
        let event = ApiKeyHomeChanged { before: before.clone(), after: other.name.clone() };
        Recorded::new(other.name.clone(), event, Target::new(API_KEY, id, key.member.name.clone()))
    };
    s.record_in(to, changed().in_workspace_alone());
    Ok(changed())
}

/// Removes a key from this workspace, whatever it can do in others. Returns its name.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Ceiling`] for a key whose roles here hold more than the actor.
pub async fn remove(s: &mut WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<Recorded<String>, Refused> {
    let present = s.find::<member::Entity>().filter(member::Column::ApiKeyId.eq(id));
    let row = present.one(s.connection()).await?.ok_or(Refused::NotFound)?;
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, row.id).await?;
    s.actor().holdings.may_assign(&member.holdings())?;
    members::delete(s, &member, s.now(), None).await?;
    let event = ApiKeyRemoved { roles: member.role_names(), by_rotation: false };
    Ok(Recorded::new(member.name.clone(), event, Target::new(API_KEY, id, member.name)))
}
