//! Creating keys, and adding them to a workspace.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Conflict,
            event::{Recorded, Target},
            invalid::Invalid,
            principal::{ApiKey, Principal},
            refused::Refused,
            role,
            sql::Sql,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            api_keys::{
                events::{API_KEY, ApiKeyAdded, ApiKeyCreated},
                take_over::{ACCOUNT_ADMIN, manages_at},
            },
            members,
        },
        records::keys::{CreatedKey, Creator, KeyRow, NewApiKey, insert, load_creator},
    },
    entity::member,
    policy::perm,
};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

/// Why nobody with an unconfirmed address can create keys.
pub const UNCONFIRMED: &str = "Confirm your e-mail address first. Open the link in the message we sent you.";

const OUTGOING: &str =
    "This secret was rotated, so it can't create keys or rotate secrets. Use the new secret.";

const KEY_IS_MEMBER: Conflict =
    Conflict::new("key-is-member", "This key is already a member of the workspace.");

pub(in crate::domain) const KEY_ALREADY_CREATED: Conflict = Conflict::new(
    "key-made",
    "You've created a key since you opened this form, maybe with this form. Its secret is shown only once. If you didn't save it, rotate the secret. To create another key, open the form again.",
)
.link("/api-keys", "View API keys");

const MANAGED_ELSEWHERE: &str = "Only someone who can manage this key in its home workspace, and holds there what it holds, can add it elsewhere. Ask them, or create a key here.";

const WITHOUT_HOME: &str =
    "This key has no home workspace yet. Only an account admin can add it to its first one.";

/// # Errors
/// The database's own.
pub async fn creator(scope: &ReadScope<perm::ManageApiKeys>) -> Result<Creator, Refused> {
    load_creator(scope, scope.actor()).await
}

/// [`create`], from a form that was opened when the actor had created `known` keys.
///
/// # Errors
/// [`KEY_ALREADY_CREATED`] if the form was already sent; as [`create`].
pub async fn create_once(
    s: &mut WriteScope<perm::ManageApiKeys>,
    requested: &NewApiKey,
    known: i64,
) -> Result<Recorded<CreatedKey>, Refused> {
    may_issue_secrets(&s.actor().principal)?;
    if load_creator(s, s.actor()).await?.keys_created != known {
        return Err(KEY_ALREADY_CREATED.into());
    }
    create(s, requested).await
}

/// # Errors
/// [`Refused::NotAllowed`] for someone who has not confirmed their address.
pub fn may_make_secrets(is_verified: bool) -> Result<(), Refused> {
    if is_verified { Ok(()) } else { Err(Refused::NotAllowed(UNCONFIRMED)) }
}

/// # Errors
/// As [`may_make_secrets`]; [`Refused::NotAllowed`] for a request with a secret that is being replaced:
/// whoever stole it could otherwise keep access.
pub(in crate::domain) fn may_issue_secrets(principal: &Principal) -> Result<(), Refused> {
    may_make_secrets(principal.is_verified())?;
    match principal {
        Principal::ApiKey(key) if key.is_outgoing => Err(Refused::NotAllowed(OUTGOING)),
        _ => Ok(()),
    }
}

/// The expiry of a new key. One that is created by a key does not outlive it.
fn expiry_of(creator: &Principal, requested: Option<Timestamp>) -> Result<Option<Timestamp>, Invalid> {
    match (creator, requested) {
        (Principal::ApiKey(ApiKey { expires_at: Some(end), .. }), Some(at)) if at > *end => {
            let sentence = "A key can't create a key that expires later than itself. Choose an earlier time.";
            Err(Invalid::field("expires_at", sentence))
        }
        (Principal::ApiKey(ApiKey { expires_at, .. }), None) => Ok(*expires_at),
        (_, requested) => Ok(requested),
    }
}

/// Creates a key in this workspace's account and adds it to this workspace, which becomes its home: the
/// workspace of requests that name none.
///
/// # Errors
/// [`Refused::NotAllowed`] for someone who has not confirmed their address, [`Refused::Invalid`] on `role`,
/// `expires_at` or `name`, [`Refused::Ceiling`] for a role that holds more than the actor.
pub async fn create(
    s: &mut WriteScope<perm::ManageApiKeys>,
    requested: &NewApiKey,
) -> Result<Recorded<CreatedKey>, Refused> {
    may_issue_secrets(&s.actor().principal)?;
    let all = s.actor().all_roles.clone();
    let roles = all.chosen(&requested.roles)?;
    roles.iter().try_for_each(|role| s.actor().holdings.may_assign(&role.holdings))?;
    if requested.is_admin && !load_creator(s, s.actor()).await?.administers {
        return Err(Refused::NotAllowed(ACCOUNT_ADMIN));
    }
    let requested =
        NewApiKey { expires_at: expiry_of(&s.actor().principal, requested.expires_at)?, ..requested.clone() };
    let (account, made_by) = (s.actor().workspace.account_id, s.actor().principal.accountable_user());
    let created = insert(s.connection(), account, made_by, &requested, s.now()).await?;
    let ids: Vec<Uuid> = roles.iter().map(|role| role.id).collect();
    members::join_key(s.open(), created.id, &created.name, made_by, s.actor().voucher, &ids).await?;
    let event =
        ApiKeyCreated { roles: role::names(&roles), expires_at: requested.expires_at.unwrap_or_default() };
    let target = Target::new(API_KEY, created.id, created.name.clone());
    Ok(Recorded::new(created, event, target))
}

/// Adds a key of the account to this workspace.
///
/// # Errors
/// [`Refused::Invalid`] on `key` where the account has no such live key, or on `role`;
/// [`KEY_IS_MEMBER`], [`Refused::Ceiling`]; [`Refused::NotAllowed`] for a key whose home is elsewhere and which the
/// actor may not manage there, and for one without a home unless the actor is an account admin.
pub async fn add(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    to: &[String],
) -> Result<Recorded<String>, Refused> {
    let all = s.actor().all_roles.clone();
    let roles = all.chosen(to)?;
    roles.iter().try_for_each(|role| s.actor().holdings.may_assign(&role.holdings))?;
    let sql = "SELECT name, is_admin, revoked_at, home_id FROM api_keys WHERE id = $1 AND account_id = $2";
    let values = vec![id.into(), s.actor().workspace.account_id.into()];
    let key: Option<KeyRow> = s.connection().first(sql, values).await?;
    let Some(key) = key.filter(|key| key.revoked_at.is_none()) else {
        return Err(Invalid::field("key", "Choose one of the account's keys.").into());
    };
    let present = s.find::<member::Entity>().filter(member::Column::ApiKeyId.eq(id));
    if present.one(s.connection()).await?.is_some() {
        return Err(KEY_IS_MEMBER.into());
    }
    match key.home_id {
        Some(home) if home == s.workspace_id() => {}
        Some(home) if manages_at(s, &s.open().db, s.actor(), home, id).await? => {}
        Some(_) => return Err(Refused::NotAllowed(MANAGED_ELSEWHERE)),
        None if load_creator(s, s.actor()).await?.administers => {}
        None => return Err(Refused::NotAllowed(WITHOUT_HOME)),
    }
    let ids: Vec<Uuid> = roles.iter().map(|role| role.id).collect();
    let (added_by, voucher) = (s.actor().principal.accountable_user(), s.actor().voucher);
    members::join_key(s.open(), id, &key.name, added_by, voucher, &ids).await?;
    let event = ApiKeyAdded { roles: role::names(&roles) };
    Ok(Recorded::new(key.name.clone(), event, Target::new(API_KEY, id, key.name)))
}
