//! What every request can reach.

use crate::{
    config::{Config, Mail, Network, SignUp},
    domain::Db,
    web::{calls::Calls, route_index::RouteIndex},
};
use actix_web::cookie::Key;
use url::Url;

/// What every request can reach.
pub struct App {
    pub db: Db,
    pub settings: Settings,
    /// The calls of API keys in this minute.
    pub calls: Calls,
    /// The index of the table of routes.
    pub routes: RouteIndex,
}

/// What the pages need to know of the configuration.
pub struct Settings {
    /// Scheme, host and port under which people reach this installation.
    pub origin: String,
    /// The public URL is https: cookies say so.
    pub is_secure: bool,
    pub sign_up: SignUp,
    /// A hint where mail is saved, while no mail server is set.
    pub mail_hint: Option<String>,
    pub trusted_proxies: Vec<Network>,
    /// Requests of one account that a worker handles at a time; 0 means no limit.
    pub requests_per_account: usize,
    pub cookie_key: Key,
}

impl Settings {
    pub fn new(config: &Config, public_url: &Url, cookie_key: Key) -> Self {
        let mail_hint = match &config.mail {
            Mail::File(folder) => Some(format!("This server saves e-mail as files in {}", folder.display())),
            Mail::Smtp(_) => None,
        };
        Self {
            origin: public_url.origin().ascii_serialization(),
            is_secure: public_url.scheme() == "https",
            sign_up: config.sign_up,
            mail_hint,
            trusted_proxies: config.trusted_proxies.clone(),
            requests_per_account: config.requests_per_account,
            cookie_key,
        }
    }
}
