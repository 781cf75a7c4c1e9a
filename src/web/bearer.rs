//! The API key and the workspace that a request of the API names.

use crate::{
    domain::{Invalid, Purpose, Refused, Slug, Token},
    web::wire,
};
use actix_web::{HttpRequest, http::header};

/// The secret that a request carries: `Authorization: Bearer …`, or `x-api-key`.
///
/// # Errors
/// [`Refused::Unauthenticated`] without a secret, with an invalid one, or with two.
pub(super) fn secret(req: &HttpRequest) -> Result<Token, Refused> {
    let headers = req.headers();
    let bearers = headers.get_all(header::AUTHORIZATION).map(|value| {
        let (scheme, secret) = value.to_str().ok()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
    });
    let keys = headers.get_all("x-api-key").map(|value| value.to_str().ok().map(str::trim));
    let mut all = bearers.chain(keys);
    match (all.next(), all.next()) {
        (Some(Some(secret)), None) => Token::parse(Purpose::ApiKey, secret).ok_or(Refused::Unauthenticated),
        _ => Err(Refused::Unauthenticated),
    }
}

/// The parameter that names the workspace.
pub(in crate::web) const WORKSPACE: &str = "workspace";

/// The workspace that the path or the query names, if one does. What cannot be a slug names no
/// workspace, and is looked up as an empty one.
///
/// # Errors
/// [`Refused::Invalid`] on `workspace` if it is named twice, or if the query cannot be read.
pub(super) fn named_workspace(req: &HttpRequest) -> Result<Option<String>, Refused> {
    let unread =
        |_| Invalid::field(WORKSPACE, "The query string isn't valid, so the workspace can't be read.");
    let pairs = wire::pairs(req.query_string().as_bytes()).map_err(unread)?;
    let queried = pairs.into_iter().filter(|(name, _)| name == WORKSPACE).map(|(_, value)| value);
    let mut named = req.match_info().get(WORKSPACE).map(str::to_owned).into_iter().chain(queried);
    let is_slug = |text: &String| Slug::parse(text).is_ok_and(|slug| slug.as_str() == text);
    match (named.next(), named.next()) {
        (_, Some(_)) => Err(Invalid::field(WORKSPACE, "Name one workspace.").into()),
        (named, None) => Ok(named.map(|text| Some(text).filter(is_slug).unwrap_or_default())),
    }
}

/// Turns a refusal into an explanation, for a key that has no home workspace and names none.
///
/// # Errors
/// The refusal itself, or [`Refused::Invalid`] on `workspace`.
pub(super) fn or_needs_workspace<T>(admitted: Result<T, Refused>, named: Option<&str>) -> Result<T, Refused> {
    match admitted {
        Err(Refused::NotFound) if named.is_none() => {
            let sentence = "This key has no home workspace. Name a workspace, as in ?workspace=acme. If the key isn't a member of any workspace yet, ask someone who manages API keys in a workspace to add it.";
            Err(Invalid::field(WORKSPACE, sentence).into())
        }
        other => other,
    }
}
