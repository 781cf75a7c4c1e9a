//! What the settings amount to, and what about them is unwise.

use crate::{
    config::{Config, Mail, Migrate, SignUp, database::PostgresUrl},
    visible,
};
use secrecy::ExposeSecret;
use url::Url;

/// Each setting with what would be used, a line each. Nothing secret is in it.
pub fn summary(config: &Config, public_url: &str) -> String {
    let mail = match &config.mail {
        Mail::File(folder) => format!("files in {}", folder.display()),
        Mail::Smtp(url) => server(url.expose_secret()),
    };
    let database = match PostgresUrl::parse(&config.database_url) {
        Ok(url) => url.place(),
        Err(_) => config.database_url.clone(),
    };
    let key = match config.secret_key {
        Some(_) => "set".to_owned(),
        None => format!("in {}", config.data_dir.join("secret.key").display()),
    };
    let audit_key = match config.audit_key {
        Some(_) => "set",
        None => "derived from the secret key",
    };
    let passphrase = match (&config.backup_passphrase, &config.backup_passphrase_file) {
        (Some(_), _) => "set".to_owned(),
        (None, Some(_)) => "in the file below".to_owned(),
        (None, None) => "asked for at a terminal; otherwise backups leave the secret key out".to_owned(),
    };
    let plans: Vec<&str> = config.plans.plans.iter().map(|plan| plan.name.as_str()).collect();
    let proxies: Vec<String> = config.trusted_proxies.iter().map(|network| network.0.to_string()).collect();
    let sign_up = match config.sign_up {
        SignUp::Open => "open",
        SignUp::Invited => "invited",
    };
    let allowed: Vec<String> = config.outbound_allow.iter().map(ToString::to_string).collect();
    let or_none = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let resolver = config.outbound_resolver.map_or_else(|| "the system's".to_owned(), |one| one.to_string());
    let roots = match &config.outbound_root_certificates {
        Some(file) => format!("the system's, and those in {}", file.display()),
        None => "the system's".to_owned(),
    };
    let passphrase_file = config
        .backup_passphrase_file
        .as_ref()
        .map_or_else(|| "none".into(), |file| file.display().to_string());
    let or_no_limit = |number: usize, unit: &str| match number {
        0 => "no limit".to_owned(),
        number => format!("{number}{unit}"),
    };
    let lines = [
        ("BIND", config.bind.to_string()),
        ("PUBLIC_URL", public_url.to_owned()),
        ("DATABASE_URL", database),
        ("MIGRATE", if config.migrate == Migrate::On { "on".to_owned() } else { "off".to_owned() }),
        ("SECRET_KEY", key),
        ("AUDIT_KEY", audit_key.to_owned()),
        ("BACKUP_PASSPHRASE", passphrase),
        ("BACKUP_PASSPHRASE_FILE", passphrase_file),
        ("DATA_DIR", config.data_dir.display().to_string()),
        ("MAIL", mail),
        ("MAIL_FROM", config.mail_from.clone().unwrap_or_else(|| "no-reply at the public URL's host".into())),
        (
            "SUPPORT_EMAIL",
            config.support_email.clone().unwrap_or_else(|| "none; see bailiwick support list".into()),
        ),
        ("PLANS", plans.join(", ")),
        ("SIGN_UP", sign_up.to_owned()),
        ("TRUSTED_PROXIES", or_none(proxies)),
        ("PROXY_HEADER", config.proxy_header.name().to_owned()),
        ("CALLS_PER_MINUTE", or_no_limit(config.calls_per_minute as usize, " for each key")),
        ("REQUESTS_PER_ACCOUNT", or_no_limit(config.requests_per_account, " at a time on each thread")),
        ("CONNECTIONS_PER_NETWORK", or_no_limit(config.connections_per_network, "")),
        ("ACQUIRE_TIMEOUT", format!("{} s", config.acquire_timeout.as_secs())),
        ("SESSION_IDLE_DAYS", config.session_idle_days.to_string()),
        ("KEEP_ALIVE", format!("{} s", config.keep_alive.as_secs())),
        ("METRICS_BIND", config.metrics_bind.as_ref().map_or_else(|| "nowhere".into(), ToString::to_string)),
        ("TRACES", config.traces.as_ref().map_or_else(|| "none".into(), |url| server(url.as_str()))),
        ("OUTBOUND_ALLOW", or_none(allowed)),
        ("OUTBOUND_RESOLVER", resolver),
        ("OUTBOUND_ROOT_CERTIFICATES", roots),
        (
            "WORKERS",
            config.workers.map_or_else(|| "one per core".into(), |workers| workers.max(1).to_string()),
        ),
    ];
    let lines = lines.into_iter().chain(config.stripe.summary()).chain(config.gateway.summary());
    lines.map(|(name, value)| format!("BAILIWICK_{name:<34}{}\n", visible::line(&value))).collect()
}

/// A connection string without its user, its password and its parameters.
fn server(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return "set".to_owned() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    format!("{}://{}{port}{path}", url.scheme(), url.host_str().unwrap_or_default())
}

/// What is unwise about settings that work, in sentences.
pub fn warnings(config: &Config, public_url: &Url) -> Vec<String> {
    let host = public_url.host_str().unwrap_or_default();
    let is_local = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    let is_https = public_url.scheme() == "https";
    let is_for_all = config.trusted_proxies.iter().any(|network| network.0.prefix_len() == 0);
    let in_file = matches!(config.mail, Mail::File(_));
    let postgres = PostgresUrl::parse(&config.database_url).ok();
    let remote = postgres.filter(|url| !url.is_local());
    let mode = |url: &PostgresUrl| url.sslmode.clone().unwrap_or_else(|| "prefer".to_owned());
    let is_any = |modes: &[&str]| remote.as_ref().is_some_and(|url| modes.contains(&mode(url).as_str()));
    let all = [
        (
            config.public_url.is_none() && config.bind.is_every_address(),
            "BAILIWICK_PUBLIC_URL is not set, so links in e-mail are dead: they lead to the address that the server \
             listens on, which no browser can open. Set it to the address that people use.",
        ),
        (
            config.public_url.is_some() && matches!(host, "0.0.0.0" | "[::]"),
            "BAILIWICK_PUBLIC_URL is an address to listen on, which no browser can open. Set it to the address that \
             people use.",
        ),
        (
            !is_local && !is_https,
            "The public URL is http, so passwords and sessions can be read on the network. Put a proxy that \
             terminates TLS in front, and set BAILIWICK_PUBLIC_URL to its https address.",
        ),
        (
            is_https
                && config.trusted_proxies.is_empty()
                && matches!(config.bind, super::bind::Bind::Tcp { .. }),
            "The public URL is https, so there is a proxy in front, but BAILIWICK_TRUSTED_PROXIES is not set: \
             everybody counts as one address in limits and in the audit log.",
        ),
        (
            is_for_all,
            "BAILIWICK_TRUSTED_PROXIES trusts every address, so anybody can claim to be at any address.",
        ),
        (
            !is_local && in_file,
            "BAILIWICK_MAIL is a folder, so nobody receives e-mail. Set it to a mail server, as in \
             smtp://user:password@host:587?tls=required.",
        ),
        (
            !is_local && config.sign_up == SignUp::Open,
            "BAILIWICK_SIGN_UP is open, so anybody who can reach this installation can create an account.",
        ),
        (
            config.metrics_bind.as_ref().is_some_and(|bind| !bind.is_local()),
            "BAILIWICK_METRICS_BIND can be reached from other machines, and has no sign-in. Have a firewall let only your \
             monitoring reach it.",
        ),
        (
            !is_local && !config.is_postgres() && config.secret_key.is_none(),
            "The secret key is a file beside the database. Without it a backup of the database can't be used: back up \
             both, as bailiwick backup does, or set BAILIWICK_SECRET_KEY.",
        ),
        (
            is_any(&["disable", "allow", "prefer", "require"]),
            "The connection to PostgreSQL may not be encrypted, or may lead to somebody else's server. Add \
             sslmode=verify-full to BAILIWICK_DATABASE_URL, and sslrootcert=FILE if its certificate is from an \
             authority of your own.",
        ),
        (
            is_any(&["verify-ca"]),
            "With sslmode=verify-ca every certificate counts that an authority known to this machine issued, for \
             whatever host. Use sslmode=verify-full in BAILIWICK_DATABASE_URL.",
        ),
    ];
    all.into_iter().filter(|(is_unwise, _)| *is_unwise).map(|(_, sentence)| sentence.to_owned()).collect()
}
