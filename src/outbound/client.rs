//! Sends requests, one at a time and each within its limits.

use crate::outbound::{
    body::{OutboundBody, RequestBody, ResponseBody},
    connect::{Connector, Peer},
    connection_fields::remove_fields_of_connection,
    counts::Counts,
    failure::{Failure, Part},
    limits::Limits,
    loops::LoopToken,
    names::Names,
    progress::Progress,
    rules::{OwnAddresses, Place, Rules},
    settings::{OutboundSettings, RootCertificatesError, roots},
    tls::Tls,
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{HOST, VIA},
};
use hyper::body::{Body, Incoming};
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioTimer},
};
use std::{error::Error, net::IpAddr, sync::Arc, time::Duration};
use uuid::Uuid;

/// How long a connection stays open between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Connections that a group keeps open to one host.
const MAX_KEPT: usize = 8;

/// The most fields in the head of an answer.
const MAX_HEADERS: usize = 256;

/// Sends requests to hosts of the internet. Clones are the same client.
#[derive(Clone)]
pub struct Outbound {
    inner: Arc<Inner>,
    limits: Limits,
}

struct Inner {
    client: Client<Connector, RequestBody>,
    rules: Arc<Rules>,
    loop_token: LoopToken,
    counts: Arc<Counts>,
    names: Names,
}

/// Where a request goes: always by https.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// A name in ASCII.
    pub host: &'a str,
    /// From the slash on.
    pub path_and_query: &'a str,
}

/// The head of an answer, and its body as it comes.
pub struct OutboundResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: ResponseBody,
    /// Who answered.
    pub peer: IpAddr,
}

impl Outbound {
    /// The client of these settings. It opens nothing yet.
    ///
    /// # Errors
    /// What is wrong with the file of root certificates.
    pub fn new(settings: OutboundSettings) -> Result<Self, RootCertificatesError> {
        let OutboundSettings { allowed, port, resolver, root_certificates, own, loop_token, limits } =
            settings;
        let rules = Arc::new(Rules { allowed, port, own: lower_case(own) });
        let counts = Arc::new(Counts::default());
        let names = Names::new(resolver);
        let connector = Connector {
            rules: Arc::clone(&rules),
            names: names.clone(),
            tls: Tls::new(roots(root_certificates.as_ref())?),
            counts: Arc::clone(&counts),
            limits,
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_ALIVE)
            .pool_max_idle_per_host(MAX_KEPT)
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(limits.max_head_bytes.max(8 * 1024))
            .build(connector);
        Ok(Self { inner: Arc::new(Inner { client, rules, loop_token, counts, names }), limits })
    }

    /// The same client with other limits.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self { inner: Arc::clone(&self.inner), limits }
    }

    /// The limits of its requests.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What the client did since the start.
    pub fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    /// Whether a value of `Via` in a request that was received says that this installation sent it.
    pub fn is_own_via(&self, via: &[u8]) -> bool {
        self.inner.loop_token.is_in(via)
    }

    /// Whether a host could be sent to, without a look at where its name leads.
    ///
    /// # Errors
    /// Why not.
    pub fn check_host(&self, host: &str) -> Result<(), Failure> {
        self.inner.rules.place(host).map(drop)
    }

    /// What DNS says of a name in texts (TXT). Nothing is connected to.
    ///
    /// # Errors
    /// That it can't be looked up at the moment.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        self.inner.names.texts(name, self.limits.connect).await
    }

    /// Sends a request and waits for the head of the answer. The headers of the connection are replaced by its own, and
    /// one connection is never used by two groups. Redirects are not followed, and nothing is decompressed.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn send(
        &self,
        connection_group: Uuid,
        method: Method,
        target: &Target<'_>,
        headers: HeaderMap,
        body: OutboundBody,
    ) -> Result<OutboundResponse, Failure> {
        let sent = self.exchange(connection_group, method, target, headers, body).await;
        sent.inspect_err(|failure| self.inner.counts.refused(failure))
    }

    async fn exchange(
        &self,
        connection_group: Uuid,
        method: Method,
        target: &Target<'_>,
        headers: HeaderMap,
        body: OutboundBody,
    ) -> Result<OutboundResponse, Failure> {
        let place = self.inner.rules.place(target.host)?;
        if headers.get_all(VIA).iter().any(|via| self.is_own_via(via.as_bytes())) {
            return Err(Failure::OwnAddress);
        }
        if method == Method::CONNECT {
            return Err(Failure::Broken);
        }
        if body.len().is_some_and(|length| length > self.limits.max_request_bytes) {
            return Err(Failure::TooLarge(Part::Request));
        }
        let progress = Arc::new(Progress::new(self.limits.whole, body.is_empty()));
        let is_head = method == Method::HEAD;
        let mut request =
            Request::new(RequestBody::new(body, self.limits.max_request_bytes, Arc::clone(&progress)));
        *request.method_mut() = method;
        *request.uri_mut() = uri(connection_group, &place, target.path_and_query)?;
        *request.headers_mut() = self.own_headers(headers, &place)?;
        let response = tokio::select! {
            response = self.inner.client.request(request) => {
                response.map_err(|error| failure(&error, &progress))?
            }
            phase = progress.is_late(&self.limits) => return Err(Failure::Timeout(phase)),
        };
        self.answer(response, is_head, progress)
    }

    fn own_headers(&self, mut headers: HeaderMap, place: &Place) -> Result<HeaderMap, Failure> {
        remove_fields_of_connection(&mut headers);
        let host = HeaderValue::try_from(authority(place));
        headers.insert(HOST, host.map_err(|_| Failure::Resolve("This is no name of a host.".into()))?);
        if let Some(via) = self.inner.loop_token.via() {
            headers.append(VIA, via);
        }
        Ok(headers)
    }

    fn answer(
        &self,
        response: Response<Incoming>,
        is_head: bool,
        progress: Arc<Progress>,
    ) -> Result<OutboundResponse, Failure> {
        let (parts, incoming) = response.into_parts();
        let peer = parts.extensions.get::<Peer>().ok_or(Failure::Broken)?.0;
        // Nobody asked for another protocol.
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::Broken);
        }
        // The library looks at this only while it reads.
        let head: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if head > self.limits.max_head_bytes {
            return Err(Failure::TooLarge(Part::Head));
        }
        let length = incoming.size_hint().lower();
        if !is_head && length > self.limits.max_response_bytes {
            return Err(Failure::TooLarge(Part::Response));
        }
        let body = ResponseBody::new(incoming, &self.limits, progress);
        Ok(OutboundResponse { status: parts.status.as_u16(), headers: parts.headers, body, peer })
    }
}

/// The pool keeps connections by what stands before the path, so the group stands there, where a URL has its user. It
/// is not sent: a request's line begins with the path, and its host is set.
fn uri(group: Uuid, place: &Place, path_and_query: &str) -> Result<Uri, Failure> {
    let host = if place.host.contains(':') { format!("[{}]", place.host) } else { place.host.clone() };
    let authority = format!("{}@{host}:{}", group.simple(), place.port);
    let uri = Uri::builder().scheme("https").authority(authority).path_and_query(path_and_query).build();
    uri.ok()
        .filter(|uri| uri.path().starts_with('/'))
        .ok_or_else(|| Failure::Resolve("This is no address of a page.".into()))
}

/// Host and port, as a request names them.
fn authority(place: &Place) -> String {
    let host = if place.host.contains(':') { format!("[{}]", place.host) } else { place.host.clone() };
    if place.port == 443 { host } else { format!("{host}:{}", place.port) }
}

fn lower_case(own: OwnAddresses) -> OwnAddresses {
    let public = own.public.map(|(host, port)| (host.to_ascii_lowercase(), port));
    OwnAddresses { public, ..own }
}

fn failure(error: &legacy::Error, progress: &Progress) -> Failure {
    if let Some(failure) = progress.failure() {
        return failure;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(failure) = one.downcast_ref::<Failure>() {
            return failure.clone();
        }
        if one.downcast_ref::<hyper::Error>().is_some_and(is_too_large) {
            return Failure::TooLarge(Part::Head);
        }
        cause = one.source();
    }
    tracing::debug!(%error, "an exchange failed");
    Failure::Broken
}

/// Whether the head of an answer is too large. The error says so in words alone.
fn is_too_large(error: &hyper::Error) -> bool {
    error.is_parse() && error.to_string().contains("too large")
}
