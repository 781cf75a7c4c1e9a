//! Hosts that the operator allows requests to, wherever they are.

use std::{fmt, net::Ipv6Addr, str::FromStr};
use url::Host;

/// A host that requests may be sent to although it is in a private network, or on another port than 443. By its name it can
/// be a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    /// A name in ASCII, or an address, without brackets.
    pub host: String,
    /// 443 if it is not set.
    pub port: Option<u16>,
}

impl AllowedHost {
    /// The port that requests are sent to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(443)
    }
}

/// A host as [`AllowedHost`] has it; `None` if it is none.
pub(crate) fn plain_host(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(address.to_string());
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) => Some(name.strip_suffix('.').unwrap_or(&name).to_owned()),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text} is not a host or host:port, such as api.internal or api.internal:8443");
        if text.contains(['/', '@', '*']) {
            return Err(wrong());
        }
        let is_v6 = text.parse::<Ipv6Addr>().is_ok();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !is_v6 && !text.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| wrong())?))
            }
            _ => (text, None),
        };
        let host = plain_host(host).filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (_, None) => f.write_str(&self.host),
        }
    }
}

/// Hosts, separated by commas or blanks.
pub(super) fn hosts(text: &str) -> Result<Vec<AllowedHost>, String> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace());
    parts.filter(|part| !part.is_empty()).map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_a_port() {
        for (text, expected) in [
            ("api.internal", ("api.internal", None)),
            ("API.internal.:8443", ("api.internal", Some(8443))),
            ("127.0.0.1:9000", ("127.0.0.1", Some(9000))),
            ("::1", ("::1", None)),
            ("[::1]", ("::1", None)),
            ("[::1]:9000", ("::1", Some(9000))),
            ("bücher.example", ("xn--bcher-kva.example", None)),
        ] {
            let read: AllowedHost = text.parse().expect(text);
            assert_eq!((read.host.as_str(), read.port), expected, "{text}");
            assert_eq!(read.to_string().parse(), Ok(read), "{text}");
        }
        for wrong in
            ["https://api.internal", "a/b", "me@api.internal", "*.internal", "api:port", ":443", "a b"]
        {
            assert!(wrong.parse::<AllowedHost>().is_err(), "{wrong}");
        }
        assert_eq!(hosts(" a.internal, b.internal:1\n").map(|hosts| hosts.len()), Ok(2));
    }
}
