//! Who answers for an offer to join, and what they could invite with now.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            ends::{held_roles, lasts},
            key_limits::{KeyLimits, key_limits},
            principal::Actor,
            refused::Refused,
            role::{self, Roles},
        },
        enforce::rows::Scoped,
    },
    policy::Holdings,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// Who answers for an offer: a person, or a key together with the user who is accountable for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) struct InviterId {
    pub user: Uuid,
    pub key: Option<Uuid>,
}

impl InviterId {
    /// The actor of a request.
    pub(in crate::domain) fn of(actor: &Actor) -> Self {
        Self { user: actor.principal.accountable_user(), key: actor.principal.key_id() }
    }
}

#[derive(FromQueryResult)]
struct Row {
    name: String,
    email: String,
    is_active: Option<bool>,
    roles: Option<String>,
    is_by_key: bool,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
    only_scope: Option<String>,
}

/// `$2` is the user, `$3` the key, `$4` the time.
const INVITER: &str = concat!(
    "SELECT COALESCE(k.name, u.name) AS name, u.email,
        CASE WHEN k.id IS NULL THEN p.status = 'active' AND u.suspended_at IS NULL AND ",
    lasts!("p", "$4"),
    " ELSE km.status = 'active' AND ",
    lasts!("km", "$4"),
    " AND k.revoked_at IS NULL AND COALESCE(k.expires_at > $4, TRUE)
            END AS is_active,
        CASE WHEN k.id IS NULL THEN ",
    held_roles!("p", "$4"),
    " ELSE ",
    held_roles!("km", "$4"),
    " END AS roles, k.id IS NOT NULL AS is_by_key, ",
    key_limits!("km", "$2", "$4"),
    " FROM users u
    LEFT JOIN members p ON p.workspace_id = $1 AND p.user_id = u.id
    LEFT JOIN api_keys k ON k.id = $3
    LEFT JOIN members km ON km.workspace_id = $1 AND km.api_key_id = k.id
    WHERE u.id = $2"
);

/// Who answers for an offer, as they are now.
pub(in crate::domain) struct Inviter {
    pub name: String,
    /// For a key, that of the user who is accountable for it.
    pub email: String,
    /// What they hold; `None` for one who is no active member any more.
    pub holdings: Option<Holdings>,
}

/// Loads who answers for an offer.
///
/// # Errors
/// [`Refused::NotFound`] for a user who does not exist.
pub(in crate::domain) async fn load(
    scope: &impl Scoped,
    id: InviterId,
    all: &Roles,
    now: Timestamp,
) -> Result<Inviter, Refused> {
    let row: Option<Row> = scope.first(INVITER, vec![id.user.into(), id.key.into(), now.into()]).await?;
    let row = row.ok_or(Refused::NotFound)?;
    let Row { name, email, is_active, roles, is_by_key, voucher_roles, reader_roles, only_scope } = row;
    let roles = all.parse_slugs(roles.as_deref().unwrap_or_default());
    let holdings = match is_by_key {
        true => KeyLimits { voucher_roles, reader_roles, only_scope }.holdings(&roles, all),
        false => role::holdings(&roles),
    };
    Ok(Inviter { name, email, holdings: (is_active == Some(true)).then_some(holdings) })
}
