//! Settings of Stripe, which collects what invoices amount to if a key of it is set.

use crate::config::outbound::AllowedHost;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use std::{fs, path::PathBuf};
use url::Url;
use zeroize::Zeroizing;

/// Settings of Stripe. They can't be printed: secrets are in them.
#[derive(Args, Clone, Default)]
pub struct StripeSettings {
    /// Address of the API of Stripe. A host in a private network, or with a port, must be in BAILIWICK_OUTBOUND_ALLOW too.
    /// [default: api.stripe.com]
    #[arg(id = "stripe_url", long = "stripe-url", env = "BAILIWICK_STRIPE_URL", value_parser = api_url)]
    pub url: Option<Url>,

    /// Secret key of the Stripe account that collects what invoices amount to. [default: none; they are marked as paid]
    #[arg(id = "stripe_secret_key", long = "stripe-secret-key", env = "BAILIWICK_STRIPE_SECRET_KEY")]
    #[arg(hide_env_values = true)]
    pub secret_key: Option<SecretString>,

    /// File with that key.
    #[arg(id = "stripe_secret_key_file", long = "stripe-secret-key-file")]
    #[arg(env = "BAILIWICK_STRIPE_SECRET_KEY_FILE")]
    pub secret_key_file: Option<PathBuf>,

    /// Secret that Stripe signs its messages to /webhooks/stripe with.
    #[arg(id = "stripe_webhook_secret", long = "stripe-webhook-secret")]
    #[arg(env = "BAILIWICK_STRIPE_WEBHOOK_SECRET", hide_env_values = true)]
    pub webhook_secret: Option<SecretString>,

    /// File with that secret.
    #[arg(id = "stripe_webhook_secret_file", long = "stripe-webhook-secret-file")]
    #[arg(env = "BAILIWICK_STRIPE_WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,
}

/// An account at Stripe, with what it takes to use it.
pub struct StripeAccount {
    /// A name in ASCII, or an address.
    pub host: String,
    pub secret_key: SecretString,
    pub webhook_secret: SecretString,
}

/// What is wrong with the settings, as a sentence without their values.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StripeSettingsError(String);

/// Currencies whose amounts Stripe counts in another unit than ISO 4217, or does not take to the last digit.
const OTHER_UNITS: [&str; 10] = ["BHD", "IQD", "ISK", "JOD", "KWD", "LYD", "MGA", "OMR", "TND", "UGX"];

/// Whether Stripe counts this currency as invoices do. They may be in another one than the plans that are offered now.
pub fn counts(currency: &str) -> bool {
    !OTHER_UNITS.contains(&currency)
}

/// Where the API is, unless a setting says otherwise.
const HOST: &str = "api.stripe.com";

impl StripeSettings {
    /// Whether Stripe collects what invoices amount to.
    pub fn is_on(&self) -> bool {
        self.secret_key.is_some() || self.secret_key_file.is_some()
    }

    /// The account, with the content of files; `None` without a key.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn account(
        &self,
        allowed: &[AllowedHost],
        currency: &str,
    ) -> Result<Option<StripeAccount>, StripeSettingsError> {
        let wrong = |sentence: String| Err(StripeSettingsError(sentence));
        let secret_key =
            secret("BAILIWICK_STRIPE_SECRET_KEY", self.secret_key.as_ref(), &self.secret_key_file)?;
        let webhook_secret = secret(
            "BAILIWICK_STRIPE_WEBHOOK_SECRET",
            self.webhook_secret.as_ref(),
            &self.webhook_secret_file,
        )?;
        let (secret_key, webhook_secret) = match (secret_key, webhook_secret) {
            (None, None) => return Ok(None),
            (Some(key), Some(secret)) => (key, secret),
            (Some(_), None) => {
                return wrong(
                    "set BAILIWICK_STRIPE_WEBHOOK_SECRET too: the signing secret of the endpoint /webhooks/stripe".into(),
                );
            }
            (None, Some(_)) => {
                return wrong(
                    "BAILIWICK_STRIPE_WEBHOOK_SECRET is set without BAILIWICK_STRIPE_SECRET_KEY".into(),
                );
            }
        };
        if secret_key.expose_secret().starts_with("pk_") {
            return wrong(
                "BAILIWICK_STRIPE_SECRET_KEY is a publishable key. Set the secret key, or a restricted one"
                    .into(),
            );
        }
        if !counts(currency) {
            return wrong(format!(
                "Stripe doesn't count {currency} in the smallest unit of the currency, so it can't collect these invoices"
            ));
        }
        let host =
            self.url.as_ref().and_then(Url::host_str).unwrap_or(HOST).trim_matches(['[', ']']).to_owned();
        let is_allowed =
            |port: u16| allowed.iter().any(|allowed| allowed.host == host && allowed.port() == port);
        if let Some(port) = self.url.as_ref().and_then(Url::port).filter(|port| !is_allowed(*port)) {
            return wrong(format!(
                "BAILIWICK_STRIPE_URL has the port {port}. Add {host}:{port} to BAILIWICK_OUTBOUND_ALLOW"
            ));
        }
        Ok(Some(StripeAccount { host, secret_key, webhook_secret }))
    }

    /// Each setting with what would be used. Nothing secret is in it.
    pub fn summary(&self) -> [(&'static str, String); 5] {
        let file = |file: &Option<PathBuf>| {
            file.as_ref().map_or_else(|| "none".into(), |file| file.display().to_string())
        };
        let secret = |secret: &Option<SecretString>, file: &Option<PathBuf>| match (secret, file) {
            (Some(_), _) => "set".to_owned(),
            (None, Some(_)) => "in the file below".to_owned(),
            (None, None) => "none".to_owned(),
        };
        let url = self.url.as_ref().map_or_else(|| format!("https://{HOST}"), Url::to_string);
        [
            ("STRIPE_URL", url.trim_end_matches('/').to_owned()),
            ("STRIPE_SECRET_KEY", secret(&self.secret_key, &self.secret_key_file)),
            ("STRIPE_SECRET_KEY_FILE", file(&self.secret_key_file)),
            ("STRIPE_WEBHOOK_SECRET", secret(&self.webhook_secret, &self.webhook_secret_file)),
            ("STRIPE_WEBHOOK_SECRET_FILE", file(&self.webhook_secret_file)),
        ]
    }
}

/// The secret of a setting, or the content of its file.
fn secret(
    name: &str,
    given: Option<&SecretString>,
    file: &Option<PathBuf>,
) -> Result<Option<SecretString>, StripeSettingsError> {
    let text = match (given, file) {
        (Some(given), _) => Zeroizing::new(given.expose_secret().to_owned()),
        (None, Some(path)) => fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
            StripeSettingsError(format!("can't read {name}_FILE, {}: {error}", path.display()))
        })?,
        (None, None) => return Ok(None),
    };
    let text = text.trim();
    // It is sent in a header.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(StripeSettingsError(format!(
            "{name} is empty, or has blanks or characters that no such secret has"
        )));
    }
    Ok(Some(text.to_owned().into()))
}

/// The address of an API: https and a host.
fn api_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.has_host());
    let url = url.ok_or("write it with https://, as in https://api.stripe.com")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave out the user and password, and set BAILIWICK_STRIPE_SECRET_KEY".into());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("leave out everything after the host and port".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: Option<&str>, webhook: Option<&str>) -> StripeSettings {
        let secret = |text: &str| SecretString::from(text.to_owned());
        StripeSettings {
            secret_key: key.map(secret),
            webhook_secret: webhook.map(secret),
            ..StripeSettings::default()
        }
    }

    #[test]
    fn both_secrets_are_needed_and_none_is_named() {
        let account = |key, webhook| settings(key, webhook).account(&[], "EUR");
        assert!(account(None, None).is_ok_and(|account| account.is_none()));
        let both = account(Some(" sk_test_canary\n"), Some("whsec_canary")).unwrap_or_default();
        assert_eq!(
            both.map(|both| both.secret_key.expose_secret().to_owned()).as_deref(),
            Some("sk_test_canary")
        );
        for (key, webhook, said) in [
            (Some("sk_test_canary"), None, "BAILIWICK_STRIPE_WEBHOOK_SECRET"),
            (None, Some("whsec_canary"), "without BAILIWICK_STRIPE_SECRET_KEY"),
            (Some("pk_test_canary"), Some("whsec_canary"), "publishable"),
            (Some("sk_test canary"), Some("whsec_canary"), "blanks"),
            (Some("sk_test_canary"), Some("  "), "empty"),
        ] {
            let error = account(key, webhook).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(said) && !error.contains("canary"), "{error}");
        }
        let yen = settings(Some("sk_test_a"), Some("whsec_b"));
        assert!(yen.account(&[], "JPY").is_ok() && yen.account(&[], "UGX").is_err());
    }

    #[test]
    fn another_host_is_named_by_https_and_its_port_is_allowed() {
        for url in ["https://api.stripe.com", "https://localhost:12111/"] {
            assert!(api_url(url).is_ok(), "{url}");
        }
        for url in [
            "http://api.stripe.com",
            "api.stripe.com",
            "https://a:b@api.stripe.com",
            "https://a/v1",
            "https://a?b",
        ] {
            assert!(api_url(url).is_err(), "{url}");
        }
        let mut local = settings(Some("sk_test_a"), Some("whsec_b"));
        local.url = Url::parse("https://localhost:12111").ok();
        assert!(local.account(&[], "EUR").is_err_and(|error| error.to_string().contains("localhost:12111")));
        let allowed = ["localhost:12111".parse().expect("a host")];
        assert!(local.account(&allowed, "EUR").is_ok_and(|account| account.is_some()));
    }
}
