//! The invitations of a workspace, in every state.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            role::{self, Roles},
            selection::Selection,
            words::{exact, signature},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::members,
    },
    policy::{Access, Ceiling, Holdings, Permission, perm},
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
    /// Names of the teams that it leads into.
    pub teams: Vec<String>,
    /// `pending`, `accepted`, `declined`, `cancelled` or `expired`.
    pub status: &'static str,
    pub created_at: Timestamp,
    pub sent_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Until when whoever accepts has access.
    pub access_until: Option<Timestamp>,
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
    access_until: Option<Timestamp>,
    teams: Option<String>,
    team_roles: Option<String>,
}

/// The columns of a [`Row`], in the order of its fields.
const FIELDS: [&str; 14] = [
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
    "access_until",
    "teams",
    "team_roles",
];

const COLUMNS: &str =
    "SELECT i.id, i.email, COALESCE(k.name, u.name) AS inviter,
        CASE WHEN k.id IS NULL THEN u.email END AS inviter_email, i.status, i.created_at, i.sent_at, i.expires_at,
        i.ended_at,
        (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
            JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
            WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles,
        (SELECT o.last_error FROM outbox o WHERE o.id = i.mail_id AND o.failed_at IS NOT NULL) AS delivery_error,
        i.access_until,
        (SELECT string_agg(t.name, '\n') FROM invitation_teams it
            JOIN teams t ON t.workspace_id = it.workspace_id AND t.id = it.team_id
            WHERE it.workspace_id = i.workspace_id AND it.invitation_id = i.id) AS teams,
        (SELECT string_agg(r.slug, ' ') FROM invitation_teams it
            JOIN team_roles tr ON tr.workspace_id = it.workspace_id AND tr.team_id = it.team_id
            JOIN roles r ON r.workspace_id = tr.workspace_id AND r.id = tr.role_id
            WHERE it.workspace_id = i.workspace_id AND it.invitation_id = i.id) AS team_roles
    FROM invitations i JOIN users u ON u.id = i.inviter_id
        LEFT JOIN api_keys k ON k.id = i.inviter_key_id WHERE i.workspace_id = $1";

impl Invitation {
    /// Until when whoever accepts has access, in words.
    pub fn until(&self) -> Option<String> {
        self.access_until.map(exact)
    }

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
        let of_teams = all.parse_slugs(self.team_roles.as_deref().unwrap_or_default());
        let roles = offered.iter().chain(&of_teams).map(|role| &role.holdings);
        let may_offer = actor.may_invite(roles).and_then(|()| match self.teams {
            Some(_) if !actor.has(Permission::UpdateTeams) => {
                Err(Ceiling::Lacks(vec![Permission::UpdateTeams.scope().to_owned()]))
            }
            _ => Ok(()),
        });
        let refused = may_offer.err();
        let teams = self.teams.filter(|_| actor.has(Permission::ReadTeams));
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
            teams: teams.iter().flat_map(|names| names.lines()).map(str::to_owned).collect(),
            role_slugs: offered.iter().map(|role| role.slug.clone()).collect(),
            status,
            created_at: self.created_at,
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
            access_until: self.access_until,
            delivery_error: self.delivery_error.filter(|_| is_open),
            is_open,
        }
    }
}
