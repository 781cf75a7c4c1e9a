//! API keys: principals without a person.
//!
//! A key belongs to an account and becomes a member of its workspaces. What it may do there is what
//! its roles hold, as for anybody; its secret is shown once and kept as a hash.

pub mod addable;
pub mod change;
pub mod create;
mod elsewhere;
pub mod events;
pub mod home;
pub mod list;
pub mod mail;
pub mod search;
pub mod take_over;
mod test_keys;
mod version;

pub(in crate::domain) use crate::domain::records::keys::{
    LiveKey, creator_in, end, ensure_newest, insert, lock, new_secret, replace_hash,
};
pub use crate::domain::records::{
    key_rows::KeyRecord,
    keys::{CreatedKey, Creator, KEY_REVOKED, MAX_OVERLAP, NewApiKey},
};
use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            ends::{held_roles, lasts},
            key_limits::{KeyLimits, key_admin, key_limits},
            principal::{ApiKey, Credential, Principal},
            refused::Refused,
            sql::Sql,
            tokens::Token,
        },
        enforce::{presence, rows::Unadmitted, workspace::admission::WorkspaceSelector},
    },
    policy::Holdings,
};
pub use addable::{AddableKey, addable};
pub(in crate::domain) use change::{
    issue_new_secret, remove_from_workspace, revoke_dependent, set_name, take_over_vouching,
    take_over_vouching_at,
};
pub use change::{rename, revoke, revoke_all_of, revoke_if, rotate, rotate_if_newest, vouch};
pub use create::{AddedKey, add, create, create_once, creator, may_make_secrets};
pub(in crate::domain) use elsewhere::workspaces_of_dependent;
pub use home::{Consent, HomeOptions, change_home, give_consent, home_options, remove, withdraw_consent};
pub use list::{KeyConcerns, Listing, WorkspaceKey, concerns, dependent_on, get, list};
use sea_orm::FromQueryResult;
pub use search::{FoundBy, FoundKeys, find_by_secret};
pub use take_over::{TakeOver, take_over};
pub use test_keys::{TEST_REQUESTS, create_test_key, spend_request, test_role};
use uuid::Uuid;
pub use version::{version, version_under_lock};

#[derive(FromQueryResult)]
struct KeyRow {
    id: Uuid,
    name: String,
    account_id: Uuid,
    is_admin: bool,
    shown_to: Uuid,
    is_verified: bool,
    last_used_at: Option<Timestamp>,
    home_id: Option<Uuid>,
    expires_at: Option<Timestamp>,
    is_outgoing: bool,
    requests_left: Option<i64>,
}

/// Authenticates a key by its secret, for no workspace. One SQL statement.
///
/// # Errors
/// [`Refused::Unauthenticated`] if it is not the secret of a key, or the secret or key was revoked, replaced
/// or has expired.
pub async fn authenticate(db: &Db, credential: &Credential) -> Result<ApiKey, Refused> {
    authenticate_with_home(db, credential).await.map(|(key, _)| key)
}

/// [`authenticate`], together with the id of the key's home workspace.
///
/// # Errors
/// As [`authenticate`].
pub async fn authenticate_with_home(
    db: &Db,
    credential: &Credential,
) -> Result<(ApiKey, Option<Uuid>), Refused> {
    let sql = concat!(
        "SELECT k.id, k.name, k.account_id, ",
        key_admin!("s.shown_to"),
        " AS is_admin, s.shown_to, k.last_used_at, k.home_id,
            k.expires_at, s.expires_at IS NOT NULL AS is_outgoing, k.requests_left,
            u.email_verified_at IS NOT NULL AS is_verified
        FROM api_key_secrets s JOIN api_keys k ON k.id = s.api_key_id JOIN users u ON u.id = s.shown_to
        JOIN accounts a ON a.id = k.account_id AND a.suspended_at IS NULL
        WHERE s.token_hash = $1 AND (s.expires_at IS NULL OR s.expires_at > $2)
            AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)"
    );
    let row: Option<KeyRow> =
        db.read().first(sql, vec![credential.token_hash().into(), db.now().into()]).await?;
    let row = row.ok_or(Refused::Unauthenticated)?;
    let key = ApiKey {
        id: row.id,
        name: row.name,
        account_id: row.account_id,
        is_admin: row.is_admin,
        shown_to: row.shown_to,
        is_verified: row.is_verified,
        expires_at: row.expires_at,
        is_outgoing: row.is_outgoing,
        requests_left: row.requests_left,
    };
    presence::record(db, &Principal::ApiKey(key.clone()), None, row.last_used_at.unwrap_or_default());
    Ok((key, row.home_id))
}

/// A key, and what it holds in its home workspace.
#[derive(Clone, Debug)]
pub struct Verified {
    pub key: ApiKey,
    /// The id of its home workspace, the slugs of its roles there, and what it holds in effect.
    pub workspace_id: Uuid,
    pub roles: Vec<String>,
    pub holdings: Holdings,
    /// When the key was created.
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct HomeRow {
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    workspace_id: Uuid,
    role_set: String,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
    only_scope: Option<String>,
    roles_version: Option<Uuid>,
}

/// Loads a key for a service that received its secret.
///
/// # Errors
/// As [`authenticate`]; also for a key that has no home workspace, or is suspended there, and if the
/// workspace is suspended.
pub async fn verify(db: &Db, secret: &Token) -> Result<Verified, Refused> {
    let key = authenticate(db, &Credential::of_api_key(secret)).await?;
    let sql = concat!(
        "SELECT k.created_at, k.expires_at, w.id AS workspace_id, ",
        held_roles!("m", "$3"),
        " AS role_set, w.roles_version, ",
        key_limits!("m", "$2", "$3"),
        " FROM api_keys k
        JOIN members m ON m.workspace_id = k.home_id AND m.api_key_id = k.id AND m.status = 'active'
            AND ",
        lasts!("m", "$3"),
        " JOIN workspaces w ON w.id = m.workspace_id AND w.suspended_at IS NULL AND w.deleted_at IS NULL
        WHERE k.id = $1"
    );
    let values = vec![key.id.into(), key.shown_to.into(), db.now().into()];
    let row: Option<HomeRow> = db.read().first(sql, values).await?;
    let row = row.ok_or(Refused::Unauthenticated)?;
    let all = db.roles().at(&Unadmitted(db.read(), row.workspace_id), row.roles_version).await?;
    let held = all.parse_slugs(&row.role_set);
    let HomeRow { voucher_roles, reader_roles, only_scope, .. } = row;
    let limits = KeyLimits { voucher_roles, reader_roles, only_scope };
    Ok(Verified {
        key,
        workspace_id: row.workspace_id,
        roles: held.iter().map(|role| role.slug.clone()).collect(),
        holdings: limits.holdings(&held, &all),
        created_at: row.created_at,
        expires_at: row.expires_at,
    })
}

/// The workspace that a request of a key applies to.
pub fn workspace_selector(slug: Option<&str>) -> WorkspaceSelector<'_> {
    slug.map_or(WorkspaceSelector::Home, WorkspaceSelector::BySlug)
}
