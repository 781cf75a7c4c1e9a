//! Members of a workspace: people and keys.

use super::{Query, json};
use crate::{
    domain::{
        members::{self, Filter, Member},
        paging::Position,
    },
    policy::perm,
    web::guard::{Answer, Called},
};
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A member of a workspace.
#[derive(Serialize)]
pub struct MemberBody {
    /// The membership's own id.
    pub id: Uuid,
    /// `user` or `api_key`.
    pub kind: String,
    pub user_id: Option<Uuid>,
    pub name: String,
    pub email: Option<String>,
    /// `active` or `suspended`.
    pub status: &'static str,
    /// Slugs of every role held, through teams too.
    pub roles: Vec<String>,
    /// Milliseconds since 1970.
    pub joined_at: i64,
    pub last_active_at: Option<i64>,
}

impl From<Member> for MemberBody {
    fn from(member: Member) -> Self {
        Self {
            id: member.id,
            kind: member.kind,
            user_id: member.user_id,
            name: member.name,
            email: Some(member.email).filter(|email| !email.is_empty()),
            status: if member.is_active { "active" } else { "suspended" },
            roles: member.roles.into_iter().map(|role| role.slug).collect(),
            joined_at: member.joined_at,
            last_active_at: member.last_active_at,
        }
    }
}

/// One page of a list.
#[derive(Serialize)]
pub struct PageBody<T> {
    pub items: Vec<T>,
    /// For `after`, to go on; left out on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    q: String,
    role: String,
    status: String,
    kind: String,
    after: String,
}

pub async fn index(cx: Called<perm::ReadMembers, Query<Asked>>) -> Answer {
    let asked = cx.input.0;
    let filter = Filter {
        text: asked.q,
        role: asked.role,
        status: asked.status,
        kind: asked.kind,
        ..Filter::default()
    };
    let at = Position::parse(&asked.after, "")?;
    let page = members::list(&cx.scope, &filter, &at).await?.page;
    let items = page.rows.into_iter().map(MemberBody::from).collect();
    Ok(json(StatusCode::OK, &PageBody { items, next: page.after }))
}
