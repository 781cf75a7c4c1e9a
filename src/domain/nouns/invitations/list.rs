//! The invitations of a workspace, in every state.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            role::{self, Roles},
            selection::Selection,
            words::signature,
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::members,
    },
    policy::{Access, Ceiling, Holdings, perm},
};
use sea_orm::Value;
use serde::Deserialize;
use uuid::Uuid;

/// An invitation as its workspace sees it.
#[derive(Clone, Debug)]
pub struct Invitation {
    pub id: Uuid,
    pub email: String,
    /// The name of the person or key that sent it.
    pub inviter: String,
    /// The address of that person; `None` for a key.
    pub inviter_email: Option<String>,
    pub roles: Vec<String>,
    /// Slugs of the roles.
    pub role_slugs: Vec<String>,
    /// `pending`, `accepted`, `declined`, `cancelled` or `expired`.
    pub status: &'static str,
    pub created_at: Timestamp,
    pub sent_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Why its message could not be delivered, in the mail server's words. Sending it again mends it.
    pub delivery_error: Option<String>,
    /// It can still be cancelled or sent again: pending, even if it has expired.
    pub is_open: bool,
    /// The viewer may send it again: it offers nothing that they don't hold.
    pub may_resend: bool,
    /// Why the viewer may not send an invitation with these roles; `None` if they may.
    pub refused: Option<Ceiling>,
}

#[derive(Clone, Deserialize)]
struct Row {
    id: Uuid,
    email: String,
    inviter: String,
    inviter_email: Option<String>,
    status: String,
    created_at: Timestamp,
    sent_at: Timestamp,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
    roles: Option<String>,
    delivery_error: Option<String>,
}

/// The columns of a [`Row`], in the order of its fields.
const FIELDS: [&str; 11] = [
    "id",
    "email",
    "inviter",
    "inviter_email",
    "status",
    "created_at",
    "sent_at",
    "expires_at",
    "ended_at",
    "roles",
    "delivery_error",
];

const COLUMNS: &str =
    "SELECT i.id, i.email, COALESCE(k.name, u.name) AS inviter,
        CASE WHEN k.id IS NULL THEN u.email END AS inviter_email, i.status, i.created_at, i.sent_at, i.expires_at,
        i.ended_at,
        (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
            JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
            WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles,
        (SELECT o.last_error FROM outbox o WHERE o.id = i.mail_id AND o.failed_at IS NOT NULL) AS delivery_error
    FROM invitations i JOIN users u ON u.id = i.inviter_id
        LEFT JOIN api_keys k ON k.id = i.inviter_key_id WHERE i.workspace_id = $1";

impl Invitation {
    /// The name of the person or key that sent it, with what tells it from the same name of another.
    pub fn signature(&self) -> String {
        signature(&self.inviter, self.inviter_email.as_deref().unwrap_or("API key"))
    }
}

/// Which invitations to list. An empty text matches all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of an address.
    pub text: String,
    pub status: String,
}

impl Filter {
    pub const STATES: [&'static str; 5] = ["pending", "accepted", "declined", "cancelled", "expired"];
}

/// One page of the invitations.
pub struct Listing {
    pub page: Page<Invitation>,
    pub roles: Vec<role::Assignable>,
}

/// Lists invitations, the latest first.
///
/// # Errors
/// The database's own.
pub async fn list(
    scope: &ReadScope<perm::ReadInvitations>,
    filter: &Filter,
    at: &Position,
) -> Result<Listing, Refused> {
    let all = scope.actor().all_roles.clone();
    let now = scope.now();
    let mut sql = COLUMNS.to_owned();
    let mut values: Vec<Value> = Vec::new();
    if !filter.text.is_empty() {
        values.push(members::like(&filter.text).into());
        sql.push_str(&format!(" AND i.email LIKE ${} ESCAPE '!'", values.len() + 1));
    }
    // A pending invitation whose time is over is an expired one, whether or not anybody noticed.
    match filter.status.as_str() {
        "" => {}
        "pending" => {
            values.push(now.into());
            sql.push_str(&format!(" AND i.status = 'pending' AND i.expires_at > ${}", values.len() + 1));
        }
        "expired" => {
            values.push(now.into());
            let n = values.len() + 1;
            sql.push_str(&format!(
                " AND i.status IN ('pending', 'expired') AND (i.status = 'expired' OR i.expires_at <= ${n})"
            ));
        }
        other => {
            values.push(other.into());
            sql.push_str(&format!(" AND i.status = ${}", values.len() + 1));
        }
    }
    Order { column: "i.created_at", is_text: false, id: "i.id", descending: true }.append_to(
        &mut sql,
        &mut values,
        at,
    )?;
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, values).await?;
    let page = Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.created_at.as_millis()), row.id));
    let actor = &scope.actor().holdings;
    let page = page.map(|row| row.for_viewer(actor, &all, now));
    Ok(Listing { page, roles: role::assignable_roles(&all, actor) })
}

/// The selected invitations, in the order of their addresses.
///
/// # Errors
/// [`Refused::NotFound`] if one of them does not belong to this workspace.
pub async fn review<P: Access>(
    scope: &ReadScope<P>,
    selection: &Selection,
) -> Result<Vec<Invitation>, Refused> {
    let all = scope.actor().all_roles.clone();
    let (ids, values) = selection.bound();
    let sql = format!("{COLUMNS} AND i.id IN ({ids}) ORDER BY i.email, i.id");
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, values).await?;
    if rows.len() != selection.len() {
        return Err(Refused::NotFound);
    }
    let (actor, now) = (&scope.actor().holdings, scope.now());
    Ok(rows.into_iter().map(|row| row.for_viewer(actor, &all, now)).collect())
}

impl Row {
    fn for_viewer(self, actor: &Holdings, all: &Roles, now: Timestamp) -> Invitation {
        let offered = all.parse_slugs(self.roles.as_deref().unwrap_or_default());
        let is_open = self.status == "pending";
        let refused = actor.may_invite(offered.iter().map(|role| &role.holdings)).err();
        let status = match self.status.as_str() {
            "pending" if self.expires_at > now => "pending",
            "accepted" => "accepted",
            "declined" => "declined",
            "cancelled" => "cancelled",
            _ => "expired",
        };
        Invitation {
            id: self.id,
            email: self.email,
            inviter: self.inviter,
            inviter_email: self.inviter_email,
            may_resend: is_open && refused.is_none(),
            refused,
            roles: role::names(&offered),
            role_slugs: offered.iter().map(|role| role.slug.clone()).collect(),
            status,
            created_at: self.created_at,
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
            delivery_error: self.delivery_error.filter(|_| is_open),
            is_open,
        }
    }
}
