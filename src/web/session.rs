//! The session cookie, by actix-session. It carries a token and nothing else: the session itself is a row in
//! the database that `domain` reads with every request, so that a revoked session is dead at once
//! and no late writer brings it back.

use crate::{
    domain::{Purpose, Token},
    random,
    web::{app::App, cookies},
};
use actix_session::{
    Session, SessionExt, SessionMiddleware,
    config::{CookieContentSecurity, PersistentSession, SessionLifecycle},
    storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError},
};
use actix_web::{
    HttpRequest,
    cookie::{SameSite, time::Duration},
};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use subtle::ConstantTimeEq;

const TOKEN: &str = "token";

/// The middleware that reads and sets the cookie.
pub(crate) fn middleware(app: &App) -> SessionMiddleware<TokenStore> {
    let lifecycle = PersistentSession::default().session_ttl(Duration::days(30));
    SessionMiddleware::builder(TokenStore, app.settings.cookie_key.clone())
        .cookie_name(cookies::name(&app.settings, "session"))
        .cookie_secure(app.settings.is_secure)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_content_security(CookieContentSecurity::Signed)
        .session_lifecycle(SessionLifecycle::PersistentSession(lifecycle))
        .build()
}

/// Passes the token between the cookie and the request. `domain` creates and ends the rows, in the
/// transactions that they belong to, so there is nothing to store here.
pub(crate) struct TokenStore;

impl SessionStore for TokenStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<HashMap<String, String>>, LoadError> {
        let token = serde_json::to_string(key.as_ref()).map_err(|e| LoadError::Deserialization(e.into()))?;
        Ok(Some(HashMap::from([(TOKEN.to_owned(), token)])))
    }

    async fn save(&self, state: HashMap<String, String>, _: &Duration) -> Result<SessionKey, SaveError> {
        let text = state.get(TOKEN).map(String::as_str).unwrap_or("\"\"");
        let token: String = serde_json::from_str(text).map_err(|e| SaveError::Serialization(e.into()))?;
        token.try_into().map_err(|_| SaveError::Serialization(anyhow_error()))
    }

    async fn update(
        &self,
        _: SessionKey,
        state: HashMap<String, String>,
        ttl: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        self.save(state, ttl).await.map_err(|error| UpdateError::Other(error.into()))
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, _: &SessionKey) -> Result<(), anyhow::Error> {
        Ok(())
    }
}

fn anyhow_error() -> anyhow::Error {
    anyhow::anyhow!("a session token is short")
}

fn text(session: &Session) -> Option<String> {
    session.get::<String>(TOKEN).ok().flatten()
}

/// The token of a browser that claims to be signed in. The database decides.
pub(super) fn token(req: &HttpRequest) -> Option<Token> {
    Token::parse(Purpose::Session, &text(&req.get_session())?)
}

/// Puts a new token in the cookie: at sign-in and at each change of privilege.
pub(super) fn replace(req: &HttpRequest, token: &Token) {
    let session = req.get_session();
    session.renew();
    if let Err(error) = session.insert(TOKEN, token.expose()) {
        tracing::error!(%error, "could not set a session token");
    }
}

/// Deletes the cookie of a session. A browser without one keeps the token of its forms, in this tab and in others.
pub(super) fn forget(req: &HttpRequest) {
    if token(req).is_some() {
        req.get_session().purge();
    }
}

/// A token that this browser's forms must carry: another one for each response, so that nobody learns it from the
/// sizes of compressed pages that repeat what was sent (BREACH). A browser without a session gets one that is
/// valid only for this.
pub(super) fn csrf(req: &HttpRequest) -> String {
    let session = req.get_session();
    let known = text(&session).filter(|text| {
        Token::parse(Purpose::Session, text).or_else(|| Token::parse(Purpose::Visitor, text)).is_some()
    });
    let text = known.unwrap_or_else(|| {
        let token = Token::new(Purpose::Visitor);
        replace(req, &token);
        token.expose().to_owned()
    });
    mask(&csrf_of(&text), &random::bytes())
}

/// Whether a form of the present session carries this token.
pub(super) fn is_csrf(req: &HttpRequest, sent: &str) -> bool {
    let expected = text(&req.get_session()).map(|text| csrf_of(&text));
    let sent = unmask(sent);
    expected.zip(sent).is_some_and(|(expected, sent)| bool::from(sent.ct_eq(&expected)))
}

/// The session's token has 256 random bits, so its hash can be in a page without disclosing it.
fn csrf_of(token: &str) -> [u8; 32] {
    Sha256::new().chain_update("csrf\0").chain_update(token).finalize().into()
}

/// The mask, and the token under it.
fn mask(token: &[u8; 32], mask: &[u8; 32]) -> String {
    format!("{}{}", hex::encode(mask), hex::encode(xor(token, mask)))
}

fn unmask(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let (mask, masked) = bytes.split_at(32);
    Some(xor(masked.try_into().ok()?, mask.try_into().ok()?))
}

fn xor(one: &[u8; 32], other: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|at| one[at] ^ other[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_under_each_mask_and_looks_another_each_time() {
        let token = csrf_of("a session");
        let (one, other) = (mask(&token, &random::bytes()), mask(&token, &random::bytes()));
        assert_ne!(one, other);
        for text in [&one, &other] {
            assert_eq!(unmask(text), Some(token));
            assert!(!text.contains(&hex::encode(token)));
        }
        for broken in ["", "00", &one[1..], &format!("{one}00"), &"x".repeat(128)] {
            assert_ne!(unmask(broken), Some(token), "{broken:?}");
        }
    }
}
