//! Connection strings of PostgreSQL as people write them: a password with anything in it, encoded or not; sockets in
//! both spellings; the parameters of libpq. What is wrong is said without a part of the string.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

/// Where PostgreSQL is, and how to connect to it. What was not written is `None`.
#[derive(Clone, Default)]
pub struct PostgresUrl {
    pub user: Option<String>,
    pub password: Option<SecretString>,
    /// A name, an address, or the folder of a socket.
    pub host: Option<String>,
    pub port: Option<u16>,
    pub database: Option<String>,
    /// Lower case, such as `verify-full`.
    pub sslmode: Option<String>,
    /// A file, or `system`.
    pub sslrootcert: Option<String>,
    pub sslcert: Option<String>,
    pub sslkey: Option<String>,
    /// Settings for the server, as libpq takes them in `options`.
    pub options: Option<String>,
    pub application_name: Option<String>,
}

/// How much TLS is demanded, weakest first.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Parameters that are read.
const READ: [&str; 13] = [
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "ssl",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
    "application_name",
    "channel_binding",
];

/// Parameters of libpq without which everything works as they demand.
const WITHOUT_EFFECT: [&str; 12] = [
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "fallback_application_name",
    "client_encoding",
    "gssencmode",
    "target_session_attrs",
    "sslcompression",
    "sslsni",
];

impl PostgresUrl {
    /// Reads `postgres://user:password@host:port/database?parameter=value`. The password ends at the last @ before the
    /// parameters, and a % that is not followed by two hex digits stands for itself.
    ///
    /// # Errors
    /// What is wrong, as a sentence without a part of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let (rest, query) = split_query(rest.ok_or("it must start with postgres://")?);
        let (user_info, place) =
            rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let (user, password) = user_info.map_or((None, None), |text| match text.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(text), None),
        });
        let (server, database) = place.split_once('/').unwrap_or((place, ""));
        let (host, port) = split_port(server)?;
        let mut url = Self {
            user: written(user),
            password: written(password).map(Into::into),
            host: written(Some(host)),
            port,
            database: written(Some(database.trim_end_matches('/'))),
            ..Self::default()
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            url.set(name, decode(value))?;
        }
        url.check()
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "host" => self.host = Some(value),
            "port" => self.port = Some(port(&value)?),
            "dbname" => self.database = Some(value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value.into()),
            "sslmode" => self.sslmode = Some(value.to_ascii_lowercase()),
            "ssl" if value == "true" => self.sslmode = Some("require".to_owned()),
            "sslrootcert" => self.sslrootcert = Some(value),
            "sslcert" => self.sslcert = Some(value),
            "sslkey" => self.sslkey = Some(value),
            "options" => self.options = Some(value),
            "application_name" => self.application_name = Some(value),
            "channel_binding" if value == "require" => {
                return Err("channel_binding=require is not supported. Remove it, and use sslmode=verify-full, which \
                            recognises the server by its certificate"
                    .to_owned());
            }
            "ssl" | "channel_binding" => {}
            name if WITHOUT_EFFECT.contains(&name) => {}
            // Only the name of a parameter, and not what may be a part of a password.
            name if !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
                return Err(format!("it has a parameter that is not supported: {name}"));
            }
            _ => return Err("it has a parameter that is not supported".to_owned()),
        }
        Ok(())
    }

    fn check(mut self) -> Result<Self, String> {
        let host = self.host.as_deref().unwrap_or_default();
        if host.contains(',') {
            return Err(
                "it names several hosts. Name one: a proxy or a name that leads to the primary".to_owned()
            );
        }
        let is_host = |c: char| c.is_alphanumeric() || ".-_:%".contains(c);
        if !host.starts_with('/') && !host.chars().all(is_host) {
            return Err("the host after the last @ is neither a name nor an address nor a folder".to_owned());
        }
        if self.sslmode.as_deref().is_some_and(|mode| !MODES.contains(&mode)) {
            return Err(format!("sslmode must be one of {}", MODES.join(", ")));
        }
        if self.sslrootcert.as_deref() == Some("system")
            && *self.sslmode.get_or_insert_with(|| "verify-full".to_owned()) != "verify-full"
        {
            return Err("sslrootcert=system needs sslmode=verify-full".to_owned());
        }
        if self.sslcert.is_some() != self.sslkey.is_some() {
            return Err("sslcert and sslkey go together: set both".to_owned());
        }
        Ok(self)
    }

    /// Whether the server is reached through a socket of this machine, or may be anywhere.
    pub fn is_local(&self) -> bool {
        self.host.as_deref().is_none_or(|host| {
            host.starts_with('/') || host == "localhost" || host == "::1" || host.starts_with("127.")
        })
    }

    /// Where it is, without user, password and files.
    pub fn place(&self) -> String {
        let host = self.host.as_deref().unwrap_or("default host");
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let mode = self.sslmode.as_ref().map(|mode| format!(" (sslmode={mode})")).unwrap_or_default();
        format!("postgres://{host}{port}/{}{mode}", self.database.as_deref().unwrap_or_default())
    }
}

/// The parameters begin at the first question mark after which there is nothing but parameters. A password may contain
/// question marks too, so one that is followed by an @ begins none otherwise.
fn split_query(text: &str) -> (&str, &str) {
    let is_known = |pair: &str| match pair.split_once('=') {
        None => pair.is_empty(),
        Some(("sslmode", mode)) => MODES.contains(&mode),
        Some((name, value)) => {
            let is_text = ["user", "password", "options", "application_name"].contains(&name);
            (is_text || !value.contains('@')) && (READ.contains(&name) || WITHOUT_EFFECT.contains(&name))
        }
    };
    let split = |at: usize| (&text[..at], &text[at + 1..]);
    let marks = || text.match_indices('?').map(|(at, _)| split(at));
    let known = marks().find(|(_, query)| query.split('&').all(is_known));
    known.or_else(|| marks().find(|(_, query)| !query.contains('@'))).unwrap_or((text, ""))
}

/// `host:port`, where the host may be an address in brackets.
fn split_port(server: &str) -> Result<(&str, Option<u16>), String> {
    if let Some((host, rest)) = server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let written = rest.strip_prefix(':').filter(|text| !text.is_empty());
        return Ok((host, written.map(port).transpose()?));
    }
    match server.split_once(':') {
        Some((host, "")) => Ok((host, None)),
        Some((host, text)) => Ok((host, Some(port(text)?))),
        None => Ok((server, None)),
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "the port is not a number up to 65535. If it is a part of the password: the password ends at the last @".to_owned())
}

fn written(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(decode)
}

/// Without percent encoding, if that is what it is in.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn parse(text: &str) -> PostgresUrl {
        PostgresUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_password_may_contain_anything_encoded_or_as_it_is() {
        for (written, read) in [
            ("secret", "secret"),
            ("p@ss/w:rd#?", "p@ss/w:rd#?"),
            ("p%40ss%2Fw%3ard", "p@ss/w:rd"),
            ("100%", "100%"),
            ("50%ff", "50%ff"),
            ("a b+c", "a b+c"),
            ("a?b=c&d", "a?b=c&d"),
            ("''\"`\\", "''\"`\\"),
            ("pässwört", "pässwört"),
            ("p%C3%A4ss", "päss"),
            ("a@b/c?", "a@b/c?"),
            ("a@b/c?sslmode=disable", "a@b/c?sslmode=disable"),
            ("[::1]", "[::1]"),
        ] {
            for rest in
                ["host/db", "host:5433/db?sslmode=require", "[::1]/db?application_name=a%40b&sslmode=disable"]
            {
                let url = parse(&format!("postgres://me:{written}@{rest}"));
                assert_eq!(url.password.as_ref().map(ExposeSecret::expose_secret), Some(read), "{rest}");
                assert_eq!(
                    (url.user.as_deref(), url.database.as_deref()),
                    (Some("me"), Some("db")),
                    "{written}"
                );
            }
            let url = parse(&format!(
                "postgres:///db?host=/run/postgresql&password={}",
                written.replace('&', "%26")
            ));
            assert_eq!(url.password.as_ref().map(ExposeSecret::expose_secret), Some(read));
        }
        assert_eq!(parse("postgres://me:secret@host/db?password=p@ss").host.as_deref(), Some("host"));
    }

    #[test]
    fn a_socket_has_two_spellings_and_an_address_may_be_in_brackets() {
        for text in [
            "postgres:///db?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/db",
            "postgresql://me@%2Frun%2Fpostgresql:5432/db",
        ] {
            let url = parse(text);
            assert_eq!(url.host.as_deref(), Some("/run/postgresql"), "{text}");
            assert_eq!(url.database.as_deref(), Some("db"));
            assert!(url.is_local());
        }
        let url = parse("postgres://[fd00::1]:5433/db");
        assert_eq!((url.host.as_deref(), url.port), (Some("fd00::1"), Some(5433)));
        assert!(!url.is_local() && parse("postgres:///db").is_local());
        assert_eq!(url.place(), "postgres://[fd00::1]:5433/db");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_string() {
        for (rest, said) in [
            ("host:canary/db", "port"),
            ("a.example,b.example/db", "several hosts"),
            ("ho st/db", "neither a name"),
            ("host/db?sslmode=canary", "verify-full"),
            ("host/db?sslrootcert=system&sslmode=require", "verify-full"),
            ("host/db?sslcert=/canary", "sslkey"),
            ("host/db?channel_binding=require", "channel_binding"),
            ("host/db?passwd=canary", "passwd"),
            ("host/db?cAnary", "not supported"),
        ] {
            let error = PostgresUrl::parse(&format!("postgres://me:canary@{rest}")).err().expect(rest);
            assert!(error.contains(said) && !error.contains("canary"), "{rest}: {error}");
        }
        let system = parse("postgres://host/db?sslrootcert=system");
        assert_eq!(system.sslmode.as_deref(), Some("verify-full"));
    }
}
