//! Mail is stopped by the link in it, without signing in.

use crate::{
    domain::base::mail_choice::{self, MailChoice},
    web::{
        chrome::Chrome,
        form::OneClick,
        guard::{HandlerResult, Public},
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "me/unsubscribe.html")]
struct Unsubscribe {
    chrome: Chrome,
    choice: MailChoice,
    /// It was stopped.
    is_done: bool,
}

/// Asks before anything is stopped: programs that look at links for viruses open them too.
pub async fn ask(cx: Public) -> HandlerResult {
    let choice = mail_choice::stoppable(&cx.view.app.db, code(&cx))?;
    Ok(cx.view.html(&Unsubscribe { chrome: cx.view.chrome(), choice, is_done: false }))
}

pub async fn stop(cx: Public<OneClick>) -> HandlerResult {
    let choice = mail_choice::stop(&cx.view.app.db, code(&cx)).await?;
    Ok(cx.view.html(&Unsubscribe { chrome: cx.view.chrome(), choice, is_done: true }))
}

fn code<I>(cx: &Public<I>) -> &str {
    cx.view.req.match_info().get("unsubscribe_code").unwrap_or_default()
}
