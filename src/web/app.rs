//! What every request can reach.

use crate::{
    config::{Config, Mail, Network, ProxyHeader, SignUp, bind::Bind, gateway::GatewayPlace},
    domain::{Db, Token, gateway::Gate, nouns::identity::first::first_sign_up},
    outbound::client::Outbound,
    secret::InstallationSecret,
    stripe::client::Stripe,
    web::{
        calls::Calls, downloads::Downloads, metrics::RequestMetrics, route_index::RouteIndex, turns::Turns,
    },
};
use actix_web::cookie::Key;
use url::Url;

/// What every request can reach.
pub struct App {
    pub db: Db,
    pub settings: Settings,
    /// Sends requests to destinations.
    pub outbound: Outbound,
    /// Where invoices are collected, if anywhere.
    pub stripe: Option<Stripe>,
    /// The same, with the bounds of the gateway.
    pub gateway: Outbound,
    /// The turns of requests through the gateway.
    pub gate: Gate,
    /// The calls of API keys in this minute.
    pub calls: Calls,
    /// The turns that the requests of each account take.
    pub turns: Turns,
    /// The downloads that go on.
    pub downloads: Downloads,
    /// What is counted of requests.
    pub metrics: RequestMetrics,
    /// The index of the table of routes.
    pub routes: RouteIndex,
}

/// What the pages need to know of the configuration.
pub struct Settings {
    /// Scheme, host and port under which people reach this installation.
    pub origin: String,
    /// Scheme, host and port under which programs reach the gateway; `None` if it is switched off.
    pub gateway_origin: Option<String>,
    /// The same as the origin, as a URL.
    pub public_url: Url,
    /// The public URL is https: cookies say so.
    pub is_secure: bool,
    pub sign_up: SignUp,
    /// A hint where mail is saved, while no mail server is set.
    pub mail_hint: Option<String>,
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say who sent a request.
    pub proxy_header: ProxyHeader,
    /// The server listens on a Unix socket.
    pub is_unix_socket: bool,
    /// Spans are exported.
    pub is_traced: bool,
    pub cookie_key: Key,
    /// The secret of the link for the first person to sign up.
    pub first_sign_up: Token,
}

impl Settings {
    pub fn new(config: &Config, public_url: &Url, secret: &InstallationSecret) -> Self {
        let mail_hint = match &config.mail {
            Mail::File(folder) => Some(format!("This server saves e-mail as files in {}", folder.display())),
            Mail::Smtp(_) => None,
        };
        let origin = public_url.origin().ascii_serialization();
        let gateway_origin = match &config.gateway.place {
            GatewayPlace::Off => None,
            GatewayPlace::On => Some(origin.clone()),
            // Where programs reach it from outside is not known.
            GatewayPlace::At(Bind::Unix(_)) => Some("http://GATEWAY".to_owned()),
            GatewayPlace::At(bind) => Some(format!("http://{bind}")),
        };
        Self {
            origin,
            gateway_origin,
            public_url: public_url.clone(),
            is_secure: public_url.scheme() == "https",
            sign_up: config.sign_up,
            mail_hint,
            trusted_proxies: config.trusted_proxies.clone(),
            proxy_header: config.proxy_header,
            is_unix_socket: matches!(config.bind, Bind::Unix(_)),
            is_traced: config.traces.is_some(),
            cookie_key: Key::from(&*secret.derive("cookies")),
            first_sign_up: first_sign_up(secret),
        }
    }
}
