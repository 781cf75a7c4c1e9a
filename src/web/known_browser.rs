//! The cookie by which a browser is known: a token that names it, and marks of the people who signed in in it with a
//! confirmed address. A mark counts until the password is replaced. The cookie opens nothing. It keeps strangers from
//! locking out somebody at their own browser, who is counted by themselves there; and where somebody signed up, the
//! link that confirms the address needs no new password.

use crate::{
    domain::{Email, Purpose, Refused, Token, nouns::identity},
    web::{chrome::View, cookies},
};
use actix_web::{HttpResponse, cookie::time::Duration};
use sha2::{Digest, Sha256};

const COOKIE: &str = "browser";

/// As long as browsers keep a cookie at most.
const LIFETIME: Duration = Duration::days(400);

/// The most addresses in one browser. The one that signed in longest ago goes first.
const MAX_ADDRESSES: usize = 8;

/// The token of this browser and its marks, as the cookie has them.
fn parse(view: &View) -> Option<(Token, Vec<String>)> {
    let cookie = cookies::read(&view.req, &view.app.settings, COOKIE)?;
    let mut parts = cookie.split('.');
    let token = Token::parse(Purpose::Browser, parts.next()?)?;
    Some((token, parts.map(str::to_owned).collect()))
}

/// The token of this browser, if somebody signed in or up in it.
pub(super) fn token(view: &View) -> Option<Token> {
    parse(view).map(|(token, _)| token)
}

/// The token of this browser; a new one where it has none, to be kept with [`keep`].
pub(super) fn token_or_new(view: &View) -> Token {
    token(view).unwrap_or_else(|| Token::new(Purpose::Browser))
}

/// The name of this browser, if it has a token.
pub(super) fn name(view: &View) -> Option<String> {
    token(view).map(|token| name_of(&token))
}

fn name_of(token: &Token) -> String {
    hex::encode(&token.hash()[..16])
}

/// The name of this browser, if the person with this address signed in in it, with the password that they have.
///
/// # Errors
/// The database's own.
pub(super) async fn known(view: &View, email: &str) -> Result<Option<String>, Refused> {
    let Some((token, marks)) = parse(view).filter(|(_, marks)| !marks.is_empty()) else { return Ok(None) };
    let mark = mark(view, email).await?;
    Ok(mark.filter(|mark| marks.contains(mark)).map(|_| name_of(&token)))
}

/// Sets the cookie with this token, in which somebody signed up.
pub(super) fn keep(view: &View, response: &mut HttpResponse, token: &Token) {
    let marks = parse(view).map(|(_, marks)| marks).unwrap_or_default();
    set(view, response, token, &marks);
}

/// Sets the cookie after the person with this address signed in, if they have confirmed it.
pub(super) async fn remember(view: &View, response: &mut HttpResponse, email: &str) {
    let mark = match mark(view, email).await {
        Ok(Some(mark)) => mark,
        Ok(None) => return,
        // They are signed in all the same.
        Err(error) => return tracing::warn!(%error, "could not remember a browser"),
    };
    let (token, others) = parse(view).unwrap_or_else(|| (Token::new(Purpose::Browser), Vec::new()));
    let others = others.into_iter().filter(|other| *other != mark);
    let marks: Vec<String> = std::iter::once(mark.clone()).chain(others).take(MAX_ADDRESSES).collect();
    set(view, response, &token, &marks);
}

fn set(view: &View, response: &mut HttpResponse, token: &Token, marks: &[String]) {
    let value = std::iter::once(token.expose()).chain(marks.iter().map(String::as_str));
    let value = value.collect::<Vec<_>>().join(".");
    cookies::set(response, &view.app.settings, COOKIE, value, LIFETIME);
}

/// Stands for the person with this address and their present password, without disclosing either to whoever reads the
/// cookie; `None` where nobody has confirmed the address.
///
/// # Errors
/// The database's own.
async fn mark(view: &View, email: &str) -> Result<Option<String>, Refused> {
    let Ok(email) = Email::parse(email) else { return Ok(None) };
    let subject = identity::browser_subject(&view.app.db, &email).await?;
    Ok(subject.map(|subject| {
        let hash = Sha256::new()
            .chain_update("known browser\0")
            .chain_update(view.app.settings.cookie_key.signing())
            .chain_update(subject.user_id.as_bytes())
            .chain_update(subject.generation.to_be_bytes())
            .chain_update(email.as_str())
            .finalize();
        hex::encode(&hash[..12])
    }))
}
