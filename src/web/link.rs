//! A link from mail: its secret moves into a cookie, so that no address carries it on.

use crate::{
    domain::{Purpose, Token},
    web::{chrome::View, cookies},
};
use actix_web::{HttpResponse, cookie::time::Duration};

/// Moves the secret of a link into a cookie and redirects to a page whose address has none. What was
/// never a secret of ours redirects too: that page says that the link is invalid.
pub(in crate::web) fn store_token(view: &View, cookie: &str, purpose: Purpose, to: &str) -> HttpResponse {
    let mut response = view.redirect(to);
    match Token::parse(purpose, view.req.match_info().get("token").unwrap_or("")) {
        Some(token) => {
            let text = token.expose().to_owned();
            cookies::set(&mut response, &view.app.settings, cookie, text, Duration::hours(1));
        }
        None => cookies::remove(&mut response, &view.app.settings, cookie),
    }
    response
}

/// The secret that [`store_token`] stored.
pub(in crate::web) fn stored_token(view: &View, cookie: &str, purpose: Purpose) -> Option<Token> {
    Token::parse(purpose, &cookies::read(&view.req, &view.app.settings, cookie)?)
}

/// Drops the secret once it is used.
pub(in crate::web) fn remove_token(view: &View, response: &mut HttpResponse, cookie: &str) {
    cookies::remove(response, &view.app.settings, cookie);
}
