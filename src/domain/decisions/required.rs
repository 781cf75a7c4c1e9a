//! The scope that a question requires.

use crate::policy::{Permission, Scope};

/// The action and the type of resource of a question about sending to a destination.
pub(super) const SEND: &str = "send";
pub(super) const DESTINATION: &str = "destination";

/// The name of an action or of a type, as scopes contain it: they have no upper case. Only of what no scope contains
/// anyway are there other letters.
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// True if a question is about sending to a destination.
pub(super) fn is_about_sending(action: &str, kind: &str) -> bool {
    (action, kind) == (SEND, DESTINATION)
}

/// `read` and `record` are `read:record`.
pub(super) fn required_scope(action: &str, kind: &str) -> Result<Scope, String> {
    let text = match is_about_sending(action, kind) {
        true => Permission::SendDestinations.scope().to_owned(),
        false => format!("{action}:{kind}"),
    };
    // A question names one scope; only a grant can be a pattern.
    if text.contains('*') {
        return Err("A request names one action and one type. “*” works only in grants.".into());
    }
    // Else an action could bring a type along that nothing is granted on: `read:posts` of a secret.
    if action.contains(':') {
        return Err("An action is one word. Put a field into the type: “read” and “users:email”.".into());
    }
    Scope::parse(&text).map_err(|error| error.to_string())
}
