//! Test keys: they hold "Send requests" alone, for a day and a number of requests, so that somebody can try the
//! gateway without giving away more.

use crate::{
    clock::DAY,
    domain::{
        base::{
            conflict::Conflict, db::Db, event::Recorded, invalid::Invalid, principal::Actor,
            refused::Refused, role::Role, sql::Sql, values::Name,
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::api_keys::create::create_once,
        records::keys::{CreatedKey, NewApiKey},
    },
    policy::{Permission, perm},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// How many requests a test key may send.
pub const TEST_REQUESTS: i64 = 60;

/// The most test keys of one person in an account that have not ended.
const MAX_TEST_KEYS: i64 = 10;

const TOO_MANY: Conflict = Conflict::new(
    "test-keys",
    "You already have 10 test keys that work. Use one of them, or revoke those that you don't need.",
)
.link("/api-keys", "View API keys");

const NO_ROLE: &str = "A test key gets its permission from a role with “Send requests” that you may assign. There is none beside Owner. Ask an Owner to give the permission to a role on the Security page.";

/// The role that a test key gets: of those with the permission that the actor may assign, the one with the least
/// besides. The key is limited to that one permission. When the role loses it, so does the key.
pub fn test_role(actor: &Actor) -> Option<&Role> {
    let may_assign = |role: &&Role| {
        !role.is_owner
            && role.holdings.has(Permission::SendDestinations)
            && actor.holdings.may_assign(&role.holdings).is_ok()
    };
    actor.all_roles.iter().filter(may_assign).min_by_key(|role| role.holdings.scopes().len())
}

#[derive(FromQueryResult)]
struct Count {
    keys: i64,
}

/// Creates a test key in this workspace, from a form that was opened when the actor had created `known` keys.
///
/// # Errors
/// [`Refused::NotAllowed`] if no role that the actor may assign has the permission; as
/// [`create_once`].
pub async fn create_test_key(
    s: &mut WriteScope<perm::ManageApiKeys>,
    known: i64,
) -> Result<Recorded<CreatedKey>, Refused> {
    let role = test_role(s.actor()).ok_or(Refused::NotAllowed(NO_ROLE))?.slug.clone();
    let sql = "SELECT COUNT(*) AS keys FROM api_keys WHERE made_by = $1 AND account_id = $2
        AND only_scope IS NOT NULL AND expires_at > $3 AND revoked_at IS NULL";
    let (user, account) = (s.actor().principal.accountable_user(), s.actor().workspace.account_id);
    let values = vec![user.into(), account.into(), s.now().into()];
    let live: Option<Count> = s.connection().first(sql, values).await?;
    if live.is_some_and(|live| live.keys >= MAX_TEST_KEYS) {
        return Err(TOO_MANY.into());
    }
    let requested = NewApiKey {
        name: Name::parse("Test key").map_err(|complaint| Invalid::field("name", complaint))?,
        roles: vec![role],
        expires_at: Some(s.now() + DAY),
        is_admin: false,
        home: None,
        only_scope: Some(Permission::SendDestinations.scope().to_owned()),
        requests: Some(TEST_REQUESTS),
    };
    create_once(s, &requested, known).await
}

/// Counts a request of a test key, before it is sent. False if it may send no more: of several at once, no more than
/// are left are counted.
///
/// # Errors
/// The database's own.
pub async fn spend_request(db: &Db, key: Uuid) -> Result<bool, Refused> {
    let sql = "UPDATE api_keys SET requests_left = requests_left - 1 WHERE id = $1 AND requests_left > 0";
    let tx = db.begin().await?;
    let spent = tx.run(sql, vec![key.into()]).await?;
    tx.commit().await?;
    Ok(spent == 1)
}
