//! Traces, as an OpenTelemetry collector gets them.

use crate::support::*;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

const OWNER: &str = "owner-one@example.com";

/// A collector that keeps what it gets. Open until the test is over.
#[derive(Clone)]
struct Collector {
    port: u16,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let collector = Self { port: listener.local_addr().unwrap().port(), bodies: Arc::default() };
        let serving = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        collector
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut length, mut line) = (0, String::new());
            let mut first = String::new();
            loop {
                line.clear();
                if stream.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                if first.is_empty() {
                    first.clone_from(&line);
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            assert!(first.starts_with("POST /v1/traces "), "{first}");
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            self.bodies.lock().unwrap().push(body);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    async fn span(&self, name: &str) -> Span {
        eventually(async || {
            let spans = self.spans();
            let names: BTreeSet<String> = spans.iter().map(|span| span.name.clone()).collect();
            spans.into_iter().rfind(|span| span.name == name).ok_or_else(|| format!("no {name} in {names:?}"))
        })
        .await
    }
}

async fn sign_up_at(program: &Program) -> Client {
    let owner = program.client();
    let page = owner.visit("/sign-up").await;
    let fields = [("name", "Quokka"), ("email", OWNER), ("password", PASSWORD), ("workspace", "zanzibar")];
    owner.submit(&page, "/sign-up", &fields).await.assert_status(303);
    sign_in_with(&owner, OWNER, PASSWORD).await;
    owner
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

both! {
    // Breaks when a field with a name, a path or a value is added to a span.
    async fn a_trace_says_where_the_time_went_and_names_nobody(backend: Backend) {
        let (collector, dir) = (Collector::open().await, tempfile::tempdir().unwrap());
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let settings = [
            ("BAILIWICK_TRACES", collector.url()),
            ("BAILIWICK_TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        ];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let program = Program::serve(&database, dir.path(), &settings).await;
        let owner = sign_up_at(&program).await.with_header("x-forwarded-for", "203.0.113.7");
        let secret = unsent_token("inv", 7);
        owner.get(&format!("/invitations/{secret}")).await;
        let traced = owner.with_header("traceparent", &format!("00-{TRACE}-{PARENT}-01"));
        traced.get("/w/zanzibar").await.assert_status(200);

        let request = collector.span("GET /w/{workspace}").await;
        assert_eq!(request.kind, SpanKind::Server as i32);
        assert_eq!((request.trace_id, request.parent_span_id), (bytes(TRACE), bytes(PARENT)));
        let admission = collector.span("admit").await;
        assert_eq!((&admission.trace_id, &admission.parent_span_id), (&bytes(TRACE), &request.span_id));
        for name in ["sql", "read_body", "hash_password", "deliver_mail", "POST /sign-up"] {
            collector.span(name).await;
        }
        let known = [
            "http.request.method",
            "http.route",
            "http.response.status_code",
            "request_id",
            "bailiwick.outcome",
            "db.query.text",
            "mail",
            "attempts",
        ];
        for span in collector.spans() {
            assert!(span.events.is_empty(), "{span:?}");
            assert!(span.attributes.iter().all(|attribute| known.contains(&attribute.key.as_str())), "{span:?}");
        }
        let bodies = collector.bodies.lock().unwrap();
        for secret in [&*secret, "zanzibar", "Quokka", OWNER, PASSWORD, "203.0.113.7", "127.0.0"] {
            let is_there = |body: &Vec<u8>| body.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
            assert!(!bodies.iter().any(is_there), "{secret} was exported");
        }
    }
}

/// Breaks when anybody can choose the trace that a request is part of, or when the last spans are not exported.
#[test]
fn a_stranger_continues_no_trace_and_the_end_of_the_program_loses_no_span() {
    run(async {
        let (collector, dir) = (Collector::open().await, tempfile::tempdir().unwrap());
        let database = TestDatabase::migrated(Backend::Sqlite, dir.path()).await;
        let settings =
            [("BAILIWICK_TRACES", collector.url()), ("OTEL_BSP_SCHEDULE_DELAY", "3600000".to_owned())];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let program = Program::serve(&database, dir.path(), &settings).await;
        let stranger = program.client().with_header("traceparent", &format!("00-{TRACE}-{PARENT}-01"));
        stranger.get("/sign-in").await.assert_status(200);
        assert!(collector.spans().is_empty(), "nothing is due yet");
        program.terminate();
        assert!(program.ended(WAIT_TIMEOUT).await.success());
        let request = collector.span("GET /sign-in").await;
        assert_ne!(request.trace_id, bytes(TRACE));
        assert!(request.parent_span_id.is_empty(), "{request:?}");
    });
}

#[test]
fn a_collector_that_is_away_holds_nothing_up() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(Backend::Sqlite, dir.path()).await;
        let nowhere = format!("http://127.0.0.1:{}", free_port());
        let settings = [("BAILIWICK_TRACES", nowhere.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
        let program = Program::serve(&database, dir.path(), &settings).await;
        sign_up_at(&program).await.get("/w/zanzibar").await.assert_status(200);
        program.terminate();
        assert!(program.ended(Duration::from_secs(60)).await.success());
    });
}
