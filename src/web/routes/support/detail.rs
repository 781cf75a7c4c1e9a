//! One request for support, with its answers.

use crate::{
    domain::nouns::support::requests::{self, Answer, SupportRequest},
    policy::perm,
    web::{
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        path::Target,
        when::When,
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "support/show.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}/support`
    base: String,
    request: SupportRequest,
    asked: When,
    answers: Vec<(Answer, When)>,
    is_mailed: bool,
}

pub async fn show(cx: Authorized<perm::ReadSupport, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let found = requests::get(&scope, id).await?;
    let now = scope.now();
    let with_moment = |answer: Answer| (When::new(answer.created_at, now), answer);
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/support"),
        asked: When::new(found.request.created_at, now),
        request: found.request,
        answers: found.answers.into_iter().map(with_moment).map(|(when, answer)| (answer, when)).collect(),
        is_mailed: requests::are_mailed(&view.app.db),
    };
    Ok(view.html(&page))
}
