//! The link that was printed for whoever asked for support access.

use crate::{
    domain::{
        Purpose, Token,
        nouns::support::visits::{self, ENDED, Opening},
    },
    web::{
        chrome::Chrome,
        cookies,
        guard::{HandlerResult, Public, visit::COOKIE},
    },
};
use actix_web::cookie::time::Duration;
use askama::Template;

#[derive(Template)]
#[template(path = "support/waiting.html")]
struct Waiting {
    chrome: Chrome,
}

/// Opens the pages that were granted: the secret moves into a cookie, which ends with the access.
pub async fn follow(cx: Public) -> HandlerResult {
    let view = &cx.view;
    let text = view.req.match_info().get("support_link").unwrap_or_default();
    let link = Token::parse(Purpose::SupportAccess, text).ok_or(ENDED)?;
    match visits::open(&view.app.db, &link).await? {
        Opening::Waiting => Ok(view.html(&Waiting { chrome: view.chrome() })),
        Opening::Running { page, ends_at } => {
            let mut response = view.redirect(page);
            let left = Duration::milliseconds((ends_at - view.now()).max(0));
            cookies::set(&mut response, &view.app.settings, COOKIE, link.expose().to_owned(), left);
            Ok(response)
        }
    }
}
