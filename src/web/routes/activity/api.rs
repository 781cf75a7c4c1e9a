//! What happened in a workspace.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, SearchText,
        activity::{self, Entry, Filter},
        events,
    },
    policy::perm,
    web::{
        api::{
            body::{PageBody, Query},
            call::ApiResult,
            input,
            reply::Ok200,
            spec,
        },
        guard::key::ApiRequest,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// An audit event.
#[derive(Serialize, ToSchema)]
pub struct EventBody {
    id: Uuid,
    /// Milliseconds since 1970.
    at: Timestamp,
    kind: String,
    outcome: Outcome,
    actor: ActorBody,
    target: TargetBody,
    /// `browser`, `api` or `command`.
    via: String,
    /// The network address it came from.
    address: String,
    user_agent: String,
    /// Details that depend on the kind of event, such as before and after.
    details: Value,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
pub struct ActorBody {
    id: Option<Uuid>,
    /// The name at that moment.
    name: String,
    /// The e-mail address at that moment. Empty for an API key, and where it was erased.
    email: String,
    /// The name now, if it is another.
    current_name: Option<String>,
    /// The e-mail address now, if it is another.
    current_email: Option<String>,
}

/// Who or what it was done to.
#[derive(Serialize, ToSchema)]
pub struct TargetBody {
    kind: String,
    id: Option<Uuid>,
    /// The name at that moment.
    name: String,
    /// The e-mail address of a person at that moment; empty otherwise, and where it was erased.
    email: String,
    /// The name of a person or an API key now, if it is another.
    current_name: Option<String>,
    /// The e-mail address of a person now, if it is another.
    current_email: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub enum Outcome {
    Done,
    Refused,
}

impl From<Entry> for EventBody {
    fn from(entry: Entry) -> Self {
        let details = entry.fields().unwrap_or_default();
        Self {
            id: entry.id,
            at: entry.at,
            kind: entry.kind,
            outcome: if entry.is_refusal { Outcome::Refused } else { Outcome::Done },
            actor: ActorBody {
                id: entry.actor_id,
                name: entry.actor,
                email: entry.actor_email,
                current_name: entry.actor_now,
                current_email: entry.actor_email_now,
            },
            target: TargetBody {
                kind: entry.target_kind,
                id: entry.target_id,
                name: entry.target,
                email: entry.target_email,
                current_name: entry.target_now,
                current_email: entry.target_email_now,
            },
            via: entry.via,
            address: entry.address,
            user_agent: entry.user_agent,
            details,
        }
    }
}

/// Which events to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    #[param(schema_with = spec::event_kind)]
    kind: String,
    /// Only what was done, or only what was refused.
    #[param(inline)]
    outcome: Option<Outcome>,
    /// Part of the name of who did it or of who it was done to.
    #[param(schema_with = spec::text::<SearchText>)]
    q: String,
    /// The ID of the user or API key that did it.
    actor: Option<Uuid>,
    /// The ID of what it was done to.
    target: Option<Uuid>,
    /// From this moment on.
    #[param(schema_with = spec::from)]
    from: Option<Timestamp>,
    /// Before this moment.
    #[param(schema_with = spec::until)]
    until: Option<Timestamp>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

impl ListQuery {
    pub(in crate::web) fn filter(&self) -> ApiResult<Filter> {
        if !self.kind.is_empty() && !events::is_in_filter(&self.kind) {
            return Err(Invalid::field("kind", "Unknown kind of event.").into());
        }
        for (field, moment) in [("from", self.from), ("until", self.until)] {
            if moment.is_some_and(|moment| !spec::is_moment(moment)) {
                return Err(Invalid::field(field, "Use milliseconds since 1970.").into());
            }
        }
        let outcome = match self.outcome {
            None => "",
            Some(Outcome::Done) => "done",
            Some(Outcome::Refused) => "refused",
        };
        Ok(Filter {
            kind: self.kind.clone(),
            outcome: outcome.to_owned(),
            text: input::search(&self.q)?,
            by: String::new(),
            on: String::new(),
            actor: self.actor,
            target: self.target,
            from: self.from,
            until: self.until,
        })
    }
}

pub async fn index(
    cx: ApiRequest<perm::ReadAudit, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<EventBody>>> {
    let query = cx.input.0;
    let filter = query.filter()?;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(activity::list(&cx.scope, &filter, &at).await?.page.into()))
}
