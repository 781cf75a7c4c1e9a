//! The faces of the application (pages, API, decisions), and what follows for a request from the face of its
//! route.

/// The face of the application that a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// HTML for people, with a session in a cookie; forms carry its token.
    Page,
    /// JSON for services, with an API key.
    Api,
    /// The decisions of AuthZEN: JSON for services, many and small.
    Decision,
    /// Requests to destinations, passed on as they are, with an API key in a header of its own.
    Gateway,
}

/// The format of an error response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFormat {
    /// A page.
    Html,
    /// `application/problem+json` (RFC 9457).
    ProblemJson,
}

impl Face {
    pub const fn errors(self) -> ErrorFormat {
        match self {
            Self::Page => ErrorFormat::Html,
            Self::Api | Self::Decision | Self::Gateway => ErrorFormat::ProblemJson,
        }
    }

    /// Whether changes that another site makes a browser send are refused. On pages they would act on the
    /// browser's session, and an API key has no place in the pages of another site.
    pub const fn refuses_other_sites(self) -> bool {
        match self {
            Self::Page | Self::Api | Self::Decision | Self::Gateway => true,
        }
    }

    /// Whether a POST can carry an `Idempotency-Key`. A decision is computed anew each time: a stored one
    /// would outlive the membership that it was made of. A form is sent once by its page.
    pub const fn takes_idempotency_key(self) -> bool {
        match self {
            Self::Api => true,
            Self::Page | Self::Decision | Self::Gateway => false,
        }
    }

    /// The limit that calls are counted against, unless their row has another one.
    pub const fn rate_limit(self) -> Option<RateLimit> {
        match self {
            Self::Page => None,
            // It has limits of its own, which all nodes share.
            Self::Gateway => None,
            Self::Api => Some(RateLimit::CALLS),
            Self::Decision => Some(RateLimit::DECISIONS),
        }
    }
}

/// A limit on calls in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Its name in the headers `RateLimit` and `RateLimit-Policy`.
    pub policy: &'static str,
    /// How many times the configured number of calls it allows.
    pub factor: u32,
    pub counted_by: CountedBy,
}

/// Who calls are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountedBy {
    /// The API key; until its secret was admitted once, the network address.
    Key,
    /// The network address.
    Address,
}

impl RateLimit {
    pub const CALLS: Self = Self { policy: "calls", factor: 1, counted_by: CountedBy::Key };
    pub const DECISIONS: Self = Self { policy: "decisions", factor: 10, counted_by: CountedBy::Key };
    /// The limit on verifications of keys, by address: the key in the body is not the caller's.
    pub const VERIFICATIONS: Self =
        Self { policy: "verifications", factor: 1, counted_by: CountedBy::Address };
}

/// What follows for a request from the row of the table that it matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteFacts {
    pub face: Face,
    /// `None` where calls are not counted.
    pub rate_limit: Option<RateLimit>,
    /// A request can carry an `Idempotency-Key`, and is then executed once.
    pub takes_idempotency_key: bool,
    /// A success is not worth a line in the log: it is a health check.
    pub is_quiet: bool,
    /// Pages of other websites can call it, where the workspace names the website.
    pub admits_other_origins: bool,
}

impl RouteFacts {
    /// The facts of a page.
    pub const PAGE: Self = Self {
        face: Face::Page,
        rate_limit: None,
        takes_idempotency_key: false,
        is_quiet: false,
        admits_other_origins: false,
    };
}
