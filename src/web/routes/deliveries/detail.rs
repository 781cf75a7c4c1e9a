//! The page of one message, with its attempts.

use crate::{
    domain::{
        base::words::pluralize,
        nouns::deliveries::{
            endpoint,
            list::{self, Attempt},
        },
    },
    policy::perm,
    web::{
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        path::NestedTarget,
        routes::deliveries::page::{Row, own},
        when::When,
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "deliveries/show.html")]
struct Show {
    chrome: Chrome,
    /// The page of the destination.
    destination: String,
    /// The page of its events.
    base: String,
    displayed: String,
    row: Row,
    attempts: Vec<(Attempt, When)>,
    total: String,
    /// The viewer may see what was answered.
    sees_events: bool,
    /// The viewer may send it again, and it can be.
    may_replay: bool,
}

pub async fn show(cx: Authorized<perm::ReadDestinations, NestedTarget>) -> HandlerResult {
    let (scope, view, NestedTarget(id, delivery)) = cx.into_parts();
    let endpoint = endpoint::get(&scope, id).await?;
    let (delivery, attempts) = list::get(&scope, id, delivery).await?;
    let (chrome, sees_events) = (view.chrome(), list::sees_events(&scope));
    let may_replay =
        chrome.can.manage_destinations && sees_events && delivery.can_be_replayed() && endpoint.can_receive();
    let page = Show {
        chrome,
        destination: view.at(&format!("/destinations/{id}")),
        base: view.at(&own(id)),
        displayed: endpoint.displayed(),
        total: pluralize(delivery.attempts, "attempt", "attempts"),
        row: Row::new(delivery, &view),
        attempts: attempts
            .into_iter()
            .map(|attempt| {
                let at = When::new(attempt.attempted_at, view.now());
                (attempt, at)
            })
            .collect(),
        sees_events,
        may_replay,
    };
    Ok(view.html(&page))
}
