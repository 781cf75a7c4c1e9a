//! Answers a request to the gateway.

use crate::{
    departure::Departure,
    domain::{
        Purpose, Token,
        base::{
            gateway_stage::GatewayStage,
            principal::{Channel, Origin},
        },
    },
    outbound::body::OutboundBody,
    policy::perm,
    web::{
        access::Required,
        app::App,
        calls::{Caller, CallerId},
        cors,
        face::{CountedBy, RateLimit},
        gateway::{
            body::{AnswerBody, OwnBody, Unread, stream_request},
            incoming::{Address, Incoming, KEY_HEADER},
            pass::{Admitted, Passed, pass},
            problem::Problem,
            rate_headers::describe_rates,
            rebuild,
            record::Record,
            trace::Trace,
        },
        origin,
        outcome::{self, PrincipalId},
        site::{self, Site},
    },
};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    dev::Payload,
    http::{
        ConnectionType, Method, StatusCode, Version,
        header::{self, HeaderName, HeaderValue},
    },
    web::{self, Data},
};
use std::future::pending;

/// The row of the gateway, as it is audited: its methods are the host's.
pub(in crate::web) const ROUTE: &str = "ANY /w/{workspace}/out/{host}";

/// Calls of keys that were never admitted are counted by network address, as those of the API are.
const UNKNOWN_KEYS: RateLimit = RateLimit { policy: "keys", factor: 1, counted_by: CountedBy::Address };

/// Requests of a key that are refused before the gate counts them: none of them costs more than the others.
const REFUSED: RateLimit = RateLimit { policy: "refused", factor: 1, counted_by: CountedBy::Key };

/// Methods whose answer is the request itself, with the credential that the caller must not see.
const ECHOING: [&str; 2] = ["TRACE", "TRACK"];

/// Answers a request to the gateway.
pub(in crate::web) async fn forward(req: HttpRequest, payload: web::Payload) -> HttpResponse {
    let payload = payload.into_inner();
    let Some(app) = req.app_data::<Data<App>>().cloned() else {
        return HttpResponse::InternalServerError().finish();
    };
    if let Some(answer) = preflight(&req).await {
        return answer;
    }
    let mut response = match check(&req, &app) {
        Err(problem) => respond(&problem, Unread::of(&req, payload)),
        Ok(checked) => exchange(&req, &app, checked, payload).await,
    };
    cors::describe_gateway(&req, response.headers_mut());
    response
}

/// The answer to anything else at an address of the gateway's own.
pub(crate) async fn not_here(req: HttpRequest) -> HttpResponse {
    if *req.method() == Method::CONNECT {
        return no_tunnel().respond();
    }
    Problem::request(
        StatusCode::NOT_FOUND,
        "Not found",
        "Only the gateway is at this address.",
        "Send requests to /w/{workspace}/out/{host}/{path}.",
    )
    .respond()
}

/// What a browser asks before a page of another website sends something.
async fn preflight(req: &HttpRequest) -> Option<HttpResponse> {
    let asks = *req.method() == Method::OPTIONS && !req.headers().contains_key(KEY_HEADER);
    if !asks {
        return None;
    }
    let answer = cors::gateway_preflight(req).await;
    answer.unwrap_or_else(|refused| Some(Problem::not_admitted(&refused).respond()))
}

/// A request that can be read.
struct Checked<'a> {
    address: Address<'a>,
    secret: &'a str,
    website: Option<&'a str>,
    /// Whose requests that are refused are counted: nobody's, if the key was never admitted here.
    refusals: Option<Caller>,
}

fn no_tunnel() -> Problem {
    Problem::request(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method not allowed",
        "CONNECT is not supported.",
        "Send the request itself to /w/{workspace}/out/{host}/{path}. The gateway encrypts it on the way to the host.",
    )
}

/// What can be said of a request by itself. Nobody was admitted yet.
fn check<'a>(req: &'a HttpRequest, app: &App) -> Result<Checked<'a>, Problem> {
    if *req.method() == Method::CONNECT {
        return Err(no_tunnel());
    }
    if ECHOING.iter().any(|method| req.method().as_str().eq_ignore_ascii_case(method)) {
        return Err(Problem::request(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method not allowed",
            "TRACE and TRACK are not supported: a host would answer with all that it was sent, also the credential.",
            "Use another method.",
        ));
    }
    let headers = req.headers();
    let upgrades = headers.get_all(header::CONNECTION).any(|value| {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        value.split(',').any(|word| word.trim() == "upgrade")
    });
    if upgrades || headers.contains_key(header::UPGRADE) {
        return Err(Problem::request(
            StatusCode::NOT_IMPLEMENTED,
            "Upgrades aren't supported",
            "The request asks for another protocol, such as WebSocket.",
            "Use HTTP/1.1. Events that a host streams are passed on as they come.",
        ));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Problem::request(
            StatusCode::BAD_REQUEST,
            "This request isn't valid",
            "The length of the body is not clear.",
            "Send either Content-Length or Transfer-Encoding.",
        ));
    }
    let is_continue =
        |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(header::EXPECT).any(|value| !is_continue(value)) {
        return Err(Problem::request(
            StatusCode::EXPECTATION_FAILED,
            "This can't be expected",
            "Only “Expect: 100-continue” is supported.",
            "Leave the header out.",
        ));
    }
    let address = Address::of(req.uri().path()).filter(Address::is_plain).ok_or_else(|| {
        Problem::request(
            StatusCode::BAD_REQUEST,
            "The address isn't valid",
            "Workspace and host are written without %, and the path has no segments “.” or “..” and no backslash.",
            "Write it as /w/{workspace}/out/{host}/{path}.",
        )
    })?;
    let website = cors::origin_of(req);
    let is_by_page = match site::of(req) {
        Site::Own => false,
        Site::Foreign => true,
        Site::Unknown => headers.contains_key(header::ORIGIN),
    };
    if is_by_page && website.is_none() {
        return Err(Problem::request(
            StatusCode::FORBIDDEN,
            "Another website sent this",
            "A page of another website sent this request.",
            "A workspace can name websites whose pages may send, on its Organization page.",
        ));
    }
    let mut keys = headers.get_all(KEY_HEADER);
    let secret = match (keys.next(), keys.next()) {
        (Some(one), None) => one.to_str().ok().map(str::trim),
        _ => None,
    };
    let secret = secret.ok_or_else(Problem::no_key)?;
    let refusals = limit(req, app, secret)?;
    Ok(Checked { address, secret, website, refusals })
}

/// Counts a request whose key was never admitted here: anybody can make one up. Of a key that was, those that are
/// refused are counted, and here it is only looked how many they were: returns as whose the next one counts.
fn limit(req: &HttpRequest, app: &App, secret: &str) -> Result<Option<Caller>, Problem> {
    let known = Token::parse(Purpose::ApiKey, secret).and_then(|token| app.calls.key_of(&token.hash()));
    let refusals = known.map(|key| Caller(REFUSED, CallerId::Key(key)));
    let unknown = || Some(Caller(UNKNOWN_KEYS, CallerId::Address(origin::known_address(req)?)));
    let counted = match &refusals {
        Some(caller) => Some((caller.clone(), 0)),
        None => unknown().map(|caller| (caller, 1)),
    };
    let status = counted.and_then(|(caller, weight)| app.calls.count(caller, weight, app.db.now()));
    match status {
        Some(status) if status.is_exceeded => Err(Problem::too_many_refused(status.seconds)),
        _ => Ok(refusals),
    }
}

/// Whether a request was refused before the gate counted it, and not because something failed here.
fn is_refused_uncounted(problem: &Problem, trace: &Trace) -> bool {
    let is_failure = matches!(problem.status, 500 | 503);
    trace.of(GatewayStage::Rate).is_none() && problem.stage != GatewayStage::Rate && !is_failure
}

async fn exchange(
    req: &HttpRequest,
    app: &Data<App>,
    checked: Checked<'_>,
    payload: Payload,
) -> HttpResponse {
    let Checked { address, secret, website, refusals } = checked;
    let mut record = Record::begin(&app.db, req.method().as_str(), address.host, address.path);
    let Ok(method) = http::Method::from_bytes(req.method().as_str().as_bytes()) else {
        return respond(&no_tunnel(), Unread::of(req, payload));
    };
    let headers = headers(req);
    let is_chunked = req.headers().contains_key(header::TRANSFER_ENCODING);
    let length = rebuild::length(&headers).filter(|_| !is_chunked);
    let (body, unread) = match (length, is_chunked) {
        (None | Some(0), false) => (OutboundBody::Empty, Unread::default()),
        (length, _) => stream_request(payload, length, record.bytes_in()),
    };
    let path_and_query = match req.uri().query() {
        Some(query) => format!("{}?{query}", address.path),
        None => address.path.to_owned(),
    };
    let incoming = Incoming {
        secret,
        workspace: address.workspace,
        host: address.host,
        method,
        path_and_query: &path_and_query,
        headers,
        body,
        origin: Origin { via: Channel::Api, route: ROUTE.to_owned(), ..origin::of(req) },
        website,
    };
    let departure = req.conn_data::<Departure>().cloned();
    let gone = async {
        match &departure {
            Some(departure) => departure.happened().await,
            None => pending().await,
        }
    };
    let (mut trace, mut admitted) = (Trace::begin(), Admitted::default());
    let passed = tokio::select! {
        biased;
        passed = pass(app, incoming, &mut trace, &mut record, &mut admitted) => Some(passed),
        () = gone => None,
    };
    if admitted.is_website_named {
        cors::name(req);
    }
    if let Some(key) = admitted.key {
        match admitted.is_admitted {
            true => outcome::admitted(req, perm::SendDestinations::REQUIREMENT, PrincipalId::ApiKey(key)),
            false => outcome::identified(req, PrincipalId::ApiKey(key)),
        }
    }
    match passed {
        Some(Ok(passed)) => answer(req, passed, departure, record, unread),
        Some(Err(problem)) => {
            if let Some(caller) = refusals.filter(|_| is_refused_uncounted(&problem, &trace)) {
                app.calls.count(caller, 1, app.db.now());
            }
            respond(&problem, unread)
        }
        // Nobody reads it.
        None => {
            let mut response = HttpResponse::build(client_gone()).finish();
            response.head_mut().set_connection_type(ConnectionType::Close);
            outcome::refused_at(&mut response, outcome::Stage::ClientGone);
            response
        }
    }
}

/// The status in the log where the client was gone before an answer.
fn client_gone() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}

/// The headers of a request, as the client knows them.
fn headers(req: &HttpRequest) -> http::HeaderMap {
    let mut headers = http::HeaderMap::with_capacity(req.headers().len());
    for (name, value) in req.headers() {
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

/// Passes the answer of a host on.
fn answer(
    req: &HttpRequest,
    passed: Passed,
    departure: Option<Departure>,
    record: Record,
    unread: Unread,
) -> HttpResponse {
    let Passed { status, mut headers, said_length, body, rates, turn } = passed;
    rebuild::confine(&mut headers);
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let is_head = *req.method() == Method::HEAD;
    // The answer to a HEAD says how long it would be; one without a body says nothing.
    let announced = said_length.filter(|_| is_head);
    let size = match body.len() {
        _ if matches!(code, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => BodySize::None,
        // actix-http forgets that it answers a HEAD where another request has come behind it, and then misses the
        // body. So it is told of none, or of one that ends by itself.
        _ if is_head && announced.is_none() => BodySize::None,
        _ if is_head => BodySize::Stream,
        Some(length) => BodySize::Sized(length),
        None => BodySize::Stream,
    };
    let body = AnswerBody::new(body, size, departure, record, turn, unread);
    let mut response = HttpResponse::with_body(code, body).map_into_boxed_body();
    for (name, value) in &headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            response.headers_mut().append(name, value);
        }
    }
    describe_rates(&rates, response.headers_mut());
    if let Some(length) = announced.filter(|_| size == BodySize::Stream) {
        response.head_mut().no_chunking(true);
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    } else if size == BodySize::Stream && req.version() < Version::HTTP_11 {
        // It ends with the connection.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    outcome::passed(&mut response);
    response
}

/// The problem as a response, after which the rest of the request's body is not read.
fn respond(problem: &Problem, unread: Unread) -> HttpResponse {
    let (mut response, body) = problem.respond().into_parts();
    if unread.is_something() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let bytes = body.try_into_bytes().unwrap_or_default();
    response.set_body(OwnBody { bytes, _unread: unread }).map_into_boxed_body()
}
