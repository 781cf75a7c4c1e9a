//! Requests for access, as members and those who answer see them.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::Target,
            paging::{Cursor, Key, Order, Page, Position},
            principal::Actor,
            refused::Refused,
            role::{self, Roles},
        },
        enforce::{
            read::ReadScope,
            rows::Scoped,
            workspace::granters::{self, Granters},
        },
        nouns::access_requests::{events::ACCESS_REQUEST, wanted::Wanted},
    },
    policy::{Access, Holdings, Permission},
};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use uuid::Uuid;

/// A request, and what became of it.
#[derive(Clone, Debug, Deserialize, FromQueryResult)]
pub struct AccessRequest {
    pub id: Uuid,
    pub member_id: Uuid,
    pub user_id: Uuid,
    pub asker: String,
    pub email: String,
    scope: String,
    role: String,
    pub reason: String,
    /// Until when it is wanted; `None` for no end.
    pub ends_at: Option<Timestamp>,
    status: String,
    pub created_at: Timestamp,
    /// When nobody can answer it any more.
    pub expires_at: Timestamp,
    /// The name of whoever answered it; `None` for somebody who is gone.
    pub answered_by: Option<String>,
    pub answered_at: Option<Timestamp>,
    /// What they wrote; may be empty.
    pub answer: String,
    /// The slug of the role that was given; empty unless it was accepted.
    pub given_role: String,
    pub given_until: Option<Timestamp>,
    /// The roles of whoever asks.
    role_set: String,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    /// Nobody answered in time.
    Expired,
    Accepted,
    Declined,
    Withdrawn,
}

impl State {
    /// The word in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Expired => "expired",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl AccessRequest {
    pub fn state(&self, now: Timestamp) -> State {
        match self.status.as_str() {
            "pending" if self.expires_at > now => State::Waiting,
            "pending" => State::Expired,
            "accepted" => State::Accepted,
            "declined" => State::Declined,
            _ => State::Withdrawn,
        }
    }

    /// What is asked for; `None` for what this version does not know.
    pub fn wanted(&self) -> Option<Wanted> {
        Wanted::of_row(&self.scope, &self.role)
    }

    /// What whoever asks holds now.
    pub fn holdings(&self, all: &Roles) -> Holdings {
        role::holdings(&all.parse_slugs(&self.role_set))
    }

    /// What is asked for, as it was written.
    pub fn wanted_text(&self) -> &str {
        if self.scope.is_empty() { &self.role } else { &self.scope }
    }

    /// What is asked for, as pages name it.
    pub fn label(&self, all: &Roles) -> String {
        self.wanted().map_or_else(|| self.wanted_text().to_owned(), |wanted| wanted.label(all))
    }

    pub(super) fn target(&self, all: &Roles) -> Target {
        Target::new(ACCESS_REQUEST, self.id, self.label(all))
    }
}

const FIELDS: [&str; 18] = [
    "id",
    "member_id",
    "user_id",
    "asker",
    "email",
    "scope",
    "role",
    "reason",
    "ends_at",
    "status",
    "created_at",
    "expires_at",
    "answered_by",
    "answered_at",
    "answer",
    "given_role",
    "given_until",
    "role_set",
];

const SELECT: &str = "SELECT r.id, r.member_id, m.user_id, u.name AS asker, u.email, r.scope, r.role, r.reason, r.ends_at,
        r.status, r.created_at, r.expires_at, a.name AS answered_by, r.answered_at, r.answer, r.given_role, r.given_until,
        m.role_set
    FROM access_requests r JOIN members m ON m.workspace_id = r.workspace_id AND m.id = r.member_id
    JOIN users u ON u.id = m.user_id LEFT JOIN users a ON a.id = r.answered_by
    WHERE r.workspace_id = $1";

/// Which requests to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those that wait for an answer, or all others.
    pub is_waiting: Option<bool>,
}

/// Requests of others are for those who can answer them.
pub fn sees_all(actor: &Actor) -> bool {
    actor.holdings.has(Permission::UpdateMemberRoles)
}

/// Lists requests, the latest first: one's own, or all of them for those who can answer.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list<P: Access>(
    scope: &ReadScope<P>,
    filter: &Filter,
    at: &Position,
) -> Result<Page<AccessRequest>, Refused> {
    let (mut sql, mut values) = (SELECT.to_owned(), Vec::new());
    if !sees_all(scope.actor()) {
        values.push(scope.actor().member_id.into());
        sql.push_str(" AND r.member_id = $2");
    }
    if let Some(is_waiting) = filter.is_waiting {
        values.push(scope.now().into());
        let now = values.len() + 1;
        sql.push_str(&match is_waiting {
            true => format!(" AND r.status = 'pending' AND r.expires_at > ${now}"),
            false => format!(" AND (r.status <> 'pending' OR r.expires_at <= ${now})"),
        });
    }
    let order = Order { column: "r.created_at", is_text: false, id: "r.id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<AccessRequest> = scope.list(&FIELDS, &sql, values).await?;
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.created_at.as_millis()), row.id)))
}

/// One request.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such request, or it is somebody else's and the actor can't answer.
pub async fn get<P: Access>(scope: &ReadScope<P>, id: Uuid) -> Result<AccessRequest, Refused> {
    let request = load(scope, id).await?;
    match sees_all(scope.actor()) || request.member_id == scope.actor().member_id {
        true => Ok(request),
        false => Err(Refused::NotFound),
    }
}

pub(super) async fn load(scope: &impl Scoped, id: Uuid) -> Result<AccessRequest, Refused> {
    let request = scope.first(&format!("{SELECT} AND r.id = $2"), vec![id.into()]).await?;
    request.ok_or(Refused::NotFound)
}

/// Who can give it to the actor.
///
/// # Errors
/// The database's own.
pub async fn givers<P: Access>(scope: &ReadScope<P>, wanted: &Wanted) -> Result<Granters, Refused> {
    let actor = scope.actor();
    let roles = wanted.asked_roles(&actor.all_roles);
    Ok(granters::of_any(scope, &actor.all_roles, &actor.holdings, &roles).await?)
}
