//! What a request asks the gateway for.

use crate::{domain::base::principal::Origin, outbound::body::OutboundBody};
use http::{HeaderMap, Method};

/// The header with the API key: `Authorization` is the destination's.
pub(in crate::web) const KEY_HEADER: &str = "x-bailiwick-key";

/// The beginning of the names of our own headers.
pub(in crate::web) const OWN_HEADERS: &str = "x-bailiwick-";

/// A request that is to be sent to a host.
pub(in crate::web) struct Incoming<'a> {
    /// The secret of the API key, as it was sent.
    pub secret: &'a str,
    /// The slug of the workspace.
    pub workspace: &'a str,
    pub host: &'a str,
    pub method: Method,
    /// From the slash on, byte for byte.
    pub path_and_query: &'a str,
    /// As they were sent.
    pub headers: HeaderMap,
    pub body: OutboundBody,
    pub origin: Origin,
    /// The other website whose page sent it.
    pub website: Option<&'a str>,
}

/// Where a request is to be sent, as its own address says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) struct Address<'a> {
    pub workspace: &'a str,
    pub host: &'a str,
    /// From the slash on, without the query.
    pub path: &'a str,
}

impl<'a> Address<'a> {
    /// Reads `/w/{workspace}/out/{host}/{path}` byte for byte. The router has matched it decoded: an address that has
    /// something encoded before the path is no address of the gateway.
    pub(in crate::web) fn of(path: &'a str) -> Option<Self> {
        let (workspace, rest) = path.strip_prefix("/w/")?.split_once('/')?;
        let rest = rest.strip_prefix("out/")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        let is_plain = |part: &str| !part.is_empty() && !part.contains('%');
        (is_plain(workspace) && is_plain(host)).then_some(Self { workspace, host, path })
    }

    /// Whether the path means the same to everybody: a segment `..` is removed by some, together with the one before
    /// it, and a backslash is a slash to others.
    pub(in crate::web) fn is_plain(&self) -> bool {
        let is_dots = |segment: &str| {
            let decoded = segment.to_ascii_lowercase().replace("%2e", ".");
            // What follows a semicolon is a parameter of the segment to some.
            let name = decoded.split(';').next().unwrap_or_default();
            matches!(name, "." | "..")
        };
        let slashes = self.path.to_ascii_lowercase().replace("%2f", "/").replace("%5c", "/");
        !self.path.contains('\\') && !slashes.split('/').any(is_dots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_byte_for_byte() {
        for (path, expected) in [
            ("/w/acme/out/api.example.com/v1/a%2Fb//c", Some(("acme", "api.example.com", "/v1/a%2Fb//c"))),
            ("/w/acme/out/api.example.com/", Some(("acme", "api.example.com", "/"))),
            ("/w/acme/out/api.example.com", Some(("acme", "api.example.com", "/"))),
            ("/w/acme/out/", None),
            ("/w/acme/out", None),
            ("/w/acm%65/out/api.example.com/", None),
            ("/w/acme/out/api%2Eexample.com/", None),
            ("/w/acme/outer/api.example.com/", None),
            ("/%77/acme/out/api.example.com/", None),
        ] {
            let address = Address::of(path).map(|of| (of.workspace, of.host, of.path));
            assert_eq!(address, expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_some_would_read_as_another_is_found() {
        let is_plain = |path| Address { workspace: "acme", host: "a.example", path }.is_plain();
        for path in ["/", "/a/b", "/a..b", "/.well-known/x", "/...", "/a%2Fb", "//a", "/a;b=..", "/%2e%2e%2e"]
        {
            assert!(is_plain(path), "{path}");
        }
        for path in
            ["/..", "/a/../b", "/a/%2e%2E/b", "/.%2e", "/a/.", "/a%2f..%2fb", "/a%5c..", "/a\\b", "/..;x/b"]
        {
            assert!(!is_plain(path), "{path}");
        }
    }
}
