//! The pages, and the API beside them. May not touch SQL: everything here goes through a handle that [`guard`] made.

mod api;
mod assets;
mod chrome;
mod cookies;
mod cross_site;
mod form;
mod length;
mod origin;
mod pages;
mod problem;
mod session;
mod when;

pub use api::limits::Calls;

pub mod guard;
pub mod routes;
#[cfg(feature = "bench")]
pub mod samples;

pub(crate) use api::limits::limit_calls;
pub(crate) use assets::serve as serve_asset;
pub(crate) use cross_site::refuse_cross_site;
pub(crate) use length::need_length;
pub(crate) use problem::{method_not_allowed, not_found};
pub(crate) use session::middleware as session_middleware;

use crate::{
    config::{Config, Mail, Network, SignUp},
    domain::Db,
};
use actix_web::cookie::Key;
use url::Url;

/// What every request can reach.
pub struct App {
    pub db: Db,
    pub settings: Settings,
    /// The calls of API keys in this minute.
    pub calls: Calls,
}

/// What the pages need to know of the configuration.
pub struct Settings {
    /// Scheme, host and port under which people reach this installation.
    pub origin: String,
    /// The public URL is https: cookies say so.
    pub is_secure: bool,
    pub sign_up: SignUp,
    /// Tells a newcomer where mail ends up while no mail server is set.
    pub mail_hint: Option<String>,
    pub trusted_proxies: Vec<Network>,
    pub cookie_key: Key,
}

impl Settings {
    pub fn new(config: &Config, public_url: &Url, cookie_key: Key) -> Self {
        let mail_hint = match &config.mail {
            Mail::File(folder) => {
                Some(format!("This server writes its mail to files, in {}", folder.display()))
            }
            Mail::Smtp(_) => None,
        };
        Self {
            origin: public_url.origin().ascii_serialization(),
            is_secure: public_url.scheme() == "https",
            sign_up: config.sign_up,
            mail_hint,
            trusted_proxies: config.trusted_proxies.clone(),
            cookie_key,
        }
    }
}
