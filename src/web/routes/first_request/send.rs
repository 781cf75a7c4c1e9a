//! Sends a test request through the gateway, in this process: by the very stages that a request from outside passes.

use crate::{
    domain::{
        base::{gateway_stage::GatewayStage, principal::Origin},
        nouns::destinations::{ECHO, Host},
    },
    outbound::body::OutboundBody,
    web::{
        app::App,
        chrome::View,
        gateway::{
            forward::ROUTE,
            incoming::Incoming,
            pass::{Admitted, Passed, PassedBody, pass},
            problem::Problem,
            record::Record,
            trace::Trace,
        },
        origin,
        routes::first_request::{
            result::{MAX_SHOWN, Outcome, Refusal, steps, words},
            test_request::TestRequest,
        },
        turns,
    },
};
use actix_web::http::StatusCode;
use http::{HeaderMap, HeaderValue, Method, header};
use std::time::{Duration, Instant};

/// How long a test request takes at most: somebody waits for the page.
const MAX_TIME: Duration = Duration::from_secs(20);

/// The command that sends the same request from a terminal.
pub(super) fn curl(app: &App, slug: &str, form: &TestRequest) -> String {
    let secret = match form.secret.trim() {
        "" => "SECRET",
        secret => secret,
    };
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let origin = app.settings.gateway_origin.as_deref().unwrap_or(&app.settings.origin);
    let url = format!("{origin}/w/{slug}/out/{}{}", form.host.trim(), form.path);
    format!("curl -i -H {} {}", quoted(&format!("x-bailiwick-key: {secret}")), quoted(&url))
}

/// Sends the request. Says which stages it passed, and what came back.
pub(super) async fn send(view: &View, slug: &str, host: &Host, form: &TestRequest) -> Outcome {
    // A host may take its time.
    turns::give_back(&view.req);
    let begun = Instant::now();
    let mut trace = Trace::begin();
    trace.passed(&[GatewayStage::Request]);
    let mut record = Record::begin(&view.app.db, Method::GET.as_str(), host.as_str(), path_of(form));
    let sent =
        tokio::time::timeout(MAX_TIME, exchange(view, slug, host, form, &mut trace, &mut record)).await;
    let sent = sent.unwrap_or_else(|_| {
        let problem = Problem::new(
            GatewayStage::Upstream,
            StatusCode::GATEWAY_TIMEOUT,
            "The host took too long",
            format!("The host didn't answer within {} seconds.", MAX_TIME.as_secs()),
            "This page waits no longer. The command below does.",
        );
        record.ended(&problem);
        Err(problem)
    });
    let (status, body, problem) = match sent {
        Ok((status, body)) => (Some(status), body, None),
        Err(problem) => (None, Vec::new(), Some(problem)),
    };
    let refusal = problem.map(|problem| Refusal {
        stage: problem.stage,
        link: link(view, &problem, host.as_str() == ECHO),
        sentence: problem.detail,
        remedy: problem.remedy,
    });
    let shown = &body[..body.len().min(MAX_SHOWN)];
    Outcome {
        steps: steps(&trace, host.as_str() == ECHO, refusal.as_ref()),
        request: format!("GET {host}{}", form.path),
        status,
        body: text(shown),
        is_cut: body.len() > MAX_SHOWN,
        total: words(begun.elapsed()),
        refusal,
    }
}

/// The path without the query.
fn path_of(form: &TestRequest) -> &str {
    form.path.split_once('?').map_or(form.path.as_str(), |(path, _)| path)
}

async fn exchange(
    view: &View,
    slug: &str,
    host: &Host,
    form: &TestRequest,
    trace: &mut Trace,
    record: &mut Record,
) -> Result<(u16, Vec<u8>), Problem> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Bailiwick quick start"));
    let incoming = Incoming {
        secret: form.secret.trim(),
        workspace: slug,
        host: host.as_str(),
        method: Method::GET,
        path_and_query: &form.path,
        headers,
        body: OutboundBody::Empty,
        origin: Origin { route: ROUTE.to_owned(), ..origin::of_call(&view.req) },
        website: None,
    };
    let Passed { status, body, turn, .. } =
        pass(&view.app, incoming, trace, record, &mut Admitted::default()).await?;
    let first = match body {
        PassedBody::Whole(bytes) => bytes.to_vec(),
        // One more than is shown, which tells whether there is more.
        PassedBody::Stream(body) => match body.first_bytes(MAX_SHOWN + 1).await {
            Ok(bytes) => bytes.to_vec(),
            Err(failure) => {
                let max = view.app.gateway.limits().max_request_bytes;
                let problem = Problem { stage: GatewayStage::Response, ..Problem::failure(&failure, max) };
                record.ended(&problem);
                return Err(problem);
            }
        },
    };
    drop(turn);
    record.passed_on(first.len());
    trace.passed(&[GatewayStage::Response]);
    Ok((status, first))
}

/// The start of an answer as text: what is no text is not shown.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    // A character that was cut in two, at the end.
    let text = text.trim_end_matches('\u{fffd}');
    let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().map(|c| if is_shown(c) { c } else { '\u{fffd}' }).collect()
}

/// Where the remedy is, for those who may go there.
fn link(view: &View, problem: &Problem, is_echo: bool) -> (String, &'static str) {
    let can = view.chrome().can;
    if is_echo && problem.stage == GatewayStage::Destination {
        return ("#step-host".to_owned(), "Step 2 adds it");
    }
    let (may, path, words) = match problem.stage {
        GatewayStage::Key | GatewayStage::Credits => {
            (can.manage_api_keys, "/quick-start", "Start again with a new test key")
        }
        GatewayStage::Membership => (can.read_api_keys, "/api-keys", "View API keys"),
        GatewayStage::Permission => (can.read_members, "/security", "Open the Security page"),
        GatewayStage::Destination => (can.read_destinations, "/destinations", "View destinations"),
        _ => (false, "", ""),
    };
    if may { (view.at(path), words) } else { (String::new(), "") }
}
