//! The form of a test request.

use crate::{
    domain::{
        Invalid, Refused, TextRule,
        nouns::destinations::{ECHO, Host},
    },
    visible::is_hidden,
    web::{checks::Validate, gateway::incoming::Address},
};
use serde::Deserialize;

/// The longest path of a test request.
const MAX_PATH: usize = 1_000;

/// The path that the page begins with.
const PATH: &str = "/hello";

/// A test request. Every form of the page carries it, so that nothing that was entered is lost.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TestRequest {
    pub(super) secret: String,
    pub(super) host: String,
    pub(super) path: String,
}

impl Default for TestRequest {
    fn default() -> Self {
        Self { secret: String::new(), host: ECHO.to_owned(), path: PATH.to_owned() }
    }
}

impl Validate for TestRequest {
    type Valid = Host;

    fn validate(&self, invalid: &mut Invalid) -> Option<Host> {
        if self.secret.trim().is_empty() || self.secret.chars().any(is_hidden) {
            invalid.add("secret", "Create a test key, or paste the secret of an API key.");
        }
        let path = self.path.split('?').next().unwrap_or_default();
        let is_path = self.path.starts_with('/')
            && Address { workspace: "", host: "", path }.is_plain()
            && self.path.len() <= MAX_PATH
            && self.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !is_path {
            invalid.add("path", "Start the path with a slash. It can't contain spaces, “#”, backslashes, or the parts “.” and “..”. Write a space as “%20”.");
        }
        invalid.check("host", Host::parse(&self.host))
    }
}

/// Checks texts that a form only carries on to the next page.
///
/// # Errors
/// [`Refused::Invalid`] on the first field with a character that can't be seen.
pub(super) fn ensure_visible<const N: usize>(fields: [(&'static str, &String); N]) -> Result<(), Refused> {
    match fields.into_iter().find(|(_, text)| text.chars().any(is_hidden)) {
        Some((field, _)) => Err(Invalid::field(field, "Remove the characters that can't be seen.").into()),
        None => Ok(()),
    }
}
