//! Reads settings as people write them: an empty variable is an unset one, blanks around a value don't count, and
//! a variable that is no setting is refused.

use clap::{
    Arg, Command,
    error::{ContextKind, ContextValue},
};
use std::env::{self, VarError};

/// What the names of our settings begin with.
const PREFIX: &str = "BAILIWICK_";

/// Variables for the tests and the benches, which are no settings of the program.
const OF_TOOLS: [&str; 3] = ["TEST_", "BENCH_", "SCREENSHOTS"];

/// How alike two names are that may be mistaken for each other, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.3;

/// Lets options stand after the subcommand too, and reads variables without blanks around their values.
pub fn prepare(command: Command) -> Command {
    command.mut_args(|arg| {
        let text = match arg.get_env().map(env::var) {
            None => return arg,
            Some(Ok(text)) => text,
            // The help names it all the same; a path may be no UTF-8, and is read as it is.
            Some(Err(VarError::NotPresent | VarError::NotUnicode(_))) => return arg.global(true),
        };
        let is_secret = arg.is_hide_env_values_set();
        let arg = arg.global(true);
        match text.trim() {
            "" => arg.env(None::<&'static str>),
            trimmed if trimmed.len() == text.len() => arg,
            trimmed => {
                let arg = arg.env(None::<&'static str>).default_value(trimmed.to_owned());
                arg.hide_default_value(is_secret)
            }
        }
    })
}

/// A variable that looks like a setting of this command and is none, as a sentence for whoever starts the program.
pub fn unknown_setting(command: &Command) -> Option<String> {
    let names = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()?.strip_prefix(PREFIX));
    let known: Vec<&str> = names.collect();
    let mut unknown: Vec<String> = env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.into_string().ok()?.strip_prefix(PREFIX)?.to_owned();
            let value = value.to_string_lossy();
            let is_ours = !value.trim().is_empty() && !is_of_tools(&name) && !is_of_kubernetes(&name, &value);
            (is_ours && !known.contains(&&*name)).then_some(name)
        })
        .collect();
    unknown.sort();
    let name = unknown.first()?;
    let hint = match nearest(name, &known) {
        Some(nearest) => format!("Did you mean {PREFIX}{nearest}?"),
        None => "bailiwick --help lists all of them.".to_owned(),
    };
    Some(format!("{PREFIX}{name} is not a setting. {hint}"))
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let similar = known.iter().map(|known| (strsim::sorensen_dice(name, known), *known));
    let nearest = similar.max_by(|one, other| one.0.total_cmp(&other.0));
    nearest.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY).map(|(_, known)| known)
}

fn is_of_tools(name: &str) -> bool {
    OF_TOOLS.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether Kubernetes may have set it, as it does in every container for a service that is called `bailiwick…`.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let is_address = value.starts_with("tcp://") || value.starts_with("udp://");
    let is_part = |part: &str| name.starts_with(part) || name.contains(&format!("_{part}"));
    is_part("SERVICE_HOST") || is_part("SERVICE_PORT") || is_part("PORT_") || (is_part("PORT") && is_address)
}

/// What is wrong with the command line or a setting, without the values of settings that are secret.
pub fn explain(error: &clap::Error, command: &Command) -> String {
    let text = error.render().to_string();
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let (named, value) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue));
    let is_named = |arg: &Arg| arg.get_long().is_some_and(|long| named.starts_with(&format!("--{long} ")));
    let is_secret = command.get_arguments().any(|arg| arg.is_hide_env_values_set() && is_named(arg));
    let text = if is_secret && !value.is_empty() { text.replace(value, "…") } else { text };
    redact(&text)
}

/// A text without connection strings, and without users in URLs: they contain passwords.
pub fn redact(text: &str) -> String {
    const SCHEMES: [&str; 4] = ["postgres", "postgresql", "smtp", "smtps"];
    const ENDS: [char; 5] = [' ', '\n', '\'', '"', '`'];
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        redacted.push_str(before);
        let scheme = before[..at].rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let end = after.find(ENDS).unwrap_or(after.len());
        let is_secret =
            SCHEMES.iter().any(|secret| scheme.eq_ignore_ascii_case(secret)) || after[..end].contains('@');
        // A password may contain anything, blanks and quotes too.
        let from = after.rfind('@').filter(|_| is_secret).unwrap_or(0);
        let end = after[from..].find(ENDS).map_or(after.len(), |end| from + end);
        redacted.push_str(if is_secret { "…" } else { &after[..end] });
        rest = &after[end..];
    }
    redacted + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let known = [
            "BIND",
            "PUBLIC_URL",
            "DATABASE_URL",
            "SECRET_KEY",
            "MAIL",
            "MAIL_FROM",
            "SIGN_UP",
            "TRUSTED_PROXIES",
        ];
        for (typed, meant) in [
            ("URL", Some("PUBLIC_URL")),
            ("PUBLICURL", Some("PUBLIC_URL")),
            ("DATABSE_URL", Some("DATABASE_URL")),
            ("SECRET", Some("SECRET_KEY")),
            ("SIGNUP", Some("SIGN_UP")),
            ("TRUSTED_PROXY", Some("TRUSTED_PROXIES")),
            ("XYZ", None),
        ] {
            assert_eq!(nearest(typed, &known), meant, "{typed}");
        }
    }

    #[test]
    fn what_kubernetes_sets_is_no_setting_of_ours() {
        for (name, value) in [
            ("SERVICE_HOST", "10.0.0.1"),
            ("SERVICE_PORT_HTTP", "8000"),
            ("PORT", "tcp://10.0.0.1:8000"),
            ("PORT_8000_TCP_ADDR", "10.0.0.1"),
            ("WEB_SERVICE_HOST", "10.0.0.1"),
        ] {
            assert!(is_of_kubernetes(name, value), "{name}");
        }
        assert!(!is_of_kubernetes("PORT", "8000") && !is_of_kubernetes("SUPPORT", "yes"));
    }

    #[test]
    fn connection_strings_are_taken_out() {
        for (text, redacted) in [
            ("nothing", "nothing"),
            ("at https://me:secret@a.example/ now", "at https://… now"),
            ("at https://a.example/x?y", "at https://a.example/x?y"),
            ("can't open 'postgres://me:pa ss'w@rd@host/db' now", "can't open 'postgres://…' now"),
            ("smtp://user:secret@host:25, then", "smtp://… then"),
            ("POSTGRESQL://host/db?password=secret x", "POSTGRESQL://… x"),
        ] {
            assert_eq!(redact(text), redacted);
        }
    }
}
