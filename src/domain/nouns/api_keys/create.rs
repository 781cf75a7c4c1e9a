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
            words::inert,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            api_keys::{
                elsewhere::{not_locked, write_with_key},
                events::{API_KEY, ApiKeyAdded, ApiKeyCreated, ApiKeyShared},
                home::use_consent,
                mail::{Created, notify_created},
                take_over::{ACCOUNT_ADMIN, manages_at, reaches_everywhere},
                version::version_under_lock,
            },
            members,
        },
        records::{
            given_roles::source_of,
            keys::{CreatedKey, Creator, KEY_REVOKED, LiveKey, NewApiKey, insert, load_creator, lock},
        },
    },
    entity::member,
    policy::perm,
};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter};
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
.link("/api-keys", "View API keys")
.of_reload();

const MANAGED_ELSEWHERE: &str = "Only someone who can manage this key in its home workspace, and holds there what it holds, can add it to another workspace, or allow this workspace to add it on the key's page there. Ask them, or create a key here.";

const REMOVED_HERE: &str = "This key was removed from this workspace, its home, and is a member of a workspace where your roles don't allow you to manage it. Only an Owner can add it here again.";

const WITHOUT_HOME: &str = "This key has no home workspace. Only an account admin who can manage it wherever it is a member can add it to a workspace, which becomes its home.";

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
    let expires_at = expiry_of(&s.actor().principal, requested.expires_at)?;
    let requested = NewApiKey { expires_at, home: Some(s.workspace_id()), ..requested.clone() };
    let (account, made_by) = (s.actor().workspace.account_id, s.actor().principal.accountable_user());
    let created = insert(s.connection(), account, made_by, &requested, s.now()).await?;
    let ids: Vec<Uuid> = roles.iter().map(|role| role.id).collect();
    let given = (source_of(&s.actor().principal), ids.as_slice());
    members::join_key(s.open(), created.id, &created.name, made_by, s.actor().voucher, given).await?;
    let names = role::names(&roles);
    // One for a few requests of the person who clicks is no news to them.
    if requested.requests.is_none() {
        let workspace = &s.actor().workspace;
        let about = Created {
            key: &created,
            place: format!("workspace \"{}\"", inert(&workspace.name)),
            roles: &names,
            expires_at: requested.expires_at,
            path: format!("/w/{}/api-keys/{}", workspace.slug, created.id),
        };
        let open = s.open();
        notify_created(&open.db, &open.tx, open.origin(), made_by, &about).await?;
    }
    let event = ApiKeyCreated {
        roles: names,
        expires_at: requested.expires_at.unwrap_or_default(),
        requests: requested.requests,
    };
    let target = Target::new(API_KEY, created.id, created.name.clone());
    Ok(Recorded::new(created, event, target))
}

/// A key that was added to a workspace.
#[derive(Clone, Debug)]
pub struct AddedKey {
    pub name: String,
    /// The version of its name and roles in the workspace.
    pub version: String,
}

/// Adds a key of the account to this workspace. Its home, if that is another one, records that too.
///
/// # Errors
/// [`Refused::Invalid`] on `key` where the account has no such live key, or on `role`;
/// [`KEY_IS_MEMBER`], [`Refused::Ceiling`]; [`Refused::NotAllowed`] for a key whose home is elsewhere, if the actor may
/// not manage it there and nobody there has allowed it, for one without a home unless the actor is an account
/// admin and may manage it wherever it is a member, and for one that is at home here and a member of workspaces where
/// the actor, who is not an Owner, does not manage it.
pub async fn add(
    scope: ReadScope<perm::ManageApiKeys>,
    id: Uuid,
    to: &[String],
) -> Result<AddedKey, Refused> {
    write_with_key(scope, id, async |s| add_locked(s, id, to).await).await
}

async fn add_locked(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    to: &[String],
) -> Result<Recorded<AddedKey>, Refused> {
    let all = s.actor().all_roles.clone();
    let roles = all.chosen(to)?;
    roles.iter().try_for_each(|role| s.actor().holdings.may_assign(&role.holdings))?;
    let key = lock_of_account(s, id).await?;
    let present = s.find::<member::Entity>().filter(member::Column::ApiKeyId.eq(id));
    if present.one(s.connection()).await?.is_some() {
        return Err(KEY_IS_MEMBER.into());
    }
    let consent = consent_needed(s, id, key.home_id).await?;
    let ids: Vec<Uuid> = roles.iter().map(|role| role.id).collect();
    let (added_by, voucher) = (s.actor().principal.accountable_user(), s.actor().voucher);
    let given = (source_of(&s.actor().principal), ids.as_slice());
    members::join_key(s.open(), id, &key.name, added_by, voucher, given).await?;
    let target = Target::new(API_KEY, id, key.name.clone());
    if let Some(home) = key.home_id {
        let workspace = match consent.is_empty() {
            true => String::new(),
            false => s.actor().workspace.slug.clone(),
        };
        // Nothing where it is at home here.
        s.record_in(home, Recorded::new((), ApiKeyShared { workspace }, target.clone()));
    }
    let event = ApiKeyAdded { roles: role::names(&roles), consent };
    let added = AddedKey { version: version_under_lock(s, id).await?, name: key.name };
    Ok(Recorded::new(added, event, target))
}

/// Locks a live key of this account: its home stays the same from here on.
async fn lock_of_account(s: &WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<LiveKey, Refused> {
    #[derive(FromQueryResult)]
    struct Known {
        #[expect(dead_code, reason = "a row is all that is needed")]
        id: Uuid,
    }
    let unknown = || Invalid::field("key", "Choose one of the account's keys.");
    let sql = "SELECT id FROM api_keys WHERE id = $1 AND account_id = $2";
    let values = vec![id.into(), s.actor().workspace.account_id.into()];
    let known: Option<Known> = s.connection().first(sql, values).await?;
    known.ok_or_else(unknown)?;
    match lock(s.connection(), id).await {
        Err(Refused::Conflict(KEY_REVOKED)) => Err(unknown().into()),
        locked => locked,
    }
}

/// Checks that the actor may add the key here by themselves, or uses up the consent of its home. Returns the name of
/// the person who gave that; empty if none was needed. The home is locked: whoever decides there waits.
async fn consent_needed(
    s: &WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    home: Option<Uuid>,
) -> Result<String, Refused> {
    let db = &s.open().db;
    match home {
        Some(home) if home == s.workspace_id() => {
            match s.actor().holdings.is_owner() || reaches_everywhere(s, db, s.actor(), id).await? {
                true => Ok(String::new()),
                false => Err(Refused::NotAllowed(REMOVED_HERE)),
            }
        }
        Some(home) if !s.has_locked(home) => Err(not_locked()),
        Some(home) if manages_at(s, db, s.actor(), home, id).await? => Ok(String::new()),
        Some(home) => use_consent(s, id, home).await?.ok_or(Refused::NotAllowed(MANAGED_ELSEWHERE)),
        None if load_creator(s, s.actor()).await?.administers
            && reaches_everywhere(s, db, s.actor(), id).await? =>
        {
            Ok(String::new())
        }
        None => Err(Refused::NotAllowed(WITHOUT_HOME)),
    }
}
