//! The least that this stack does as a forwarder: any path to one host by https, both bodies as they come. No keys, no
//! rules, no limits, no log.
//!
//!     forwarder ADDRESS:PORT HOST ROOT.pem

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    body::SizedStream,
    error::ErrorBadGateway,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web,
};
use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Body, Client, Method, redirect::Policy};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::sync::mpsc;

struct Upstream {
    client: Client,
    base: String,
}

/// What belongs to one connection.
const OF_A_CONNECTION: [&str; 5] = ["connection", "keep-alive", "transfer-encoding", "upgrade", "te"];

/// The body of a request. It belongs to the thread of its connection, and is read there.
fn stream_request(mut payload: web::Payload) -> Body {
    let (parts, mut arriving) = mpsc::channel::<io::Result<Bytes>>(1);
    actix_web::rt::spawn(async move {
        while let Some(part) = payload.next().await {
            if parts.send(part.map_err(|error| io::Error::other(error.to_string()))).await.is_err() {
                break;
            }
        }
    });
    Body::wrap_stream(stream::poll_fn(move |cx| arriving.poll_recv(cx)))
}

async fn forward(
    req: HttpRequest,
    payload: web::Payload,
    upstream: web::Data<Upstream>,
) -> actix_web::Result<HttpResponse> {
    let path = req.uri().path_and_query().map_or("/", |path| path.as_str());
    let method = Method::from_bytes(req.method().as_str().as_bytes()).map_err(ErrorBadGateway)?;
    let mut request = upstream.client.request(method, format!("{}{path}", upstream.base));
    for (name, value) in req.headers() {
        if name.as_str() != "host" && !OF_A_CONNECTION.contains(&name.as_str()) {
            request = request.header(name.as_str(), value.as_bytes());
        }
    }
    if req.headers().contains_key("content-length") || req.headers().contains_key("transfer-encoding") {
        request = request.body(stream_request(payload));
    }
    let answer = request.send().await.map_err(ErrorBadGateway)?;
    let status = StatusCode::from_u16(answer.status().as_u16()).map_err(ErrorBadGateway)?;
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers() {
        if name.as_str() == "content-length" || OF_A_CONNECTION.contains(&name.as_str()) {
            continue;
        }
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).map_err(ErrorBadGateway)?;
        response.append_header((name, HeaderValue::from_bytes(value.as_bytes()).map_err(ErrorBadGateway)?));
    }
    Ok(match answer.content_length() {
        Some(length) => response.body(SizedStream::new(length, answer.bytes_stream())),
        None => response.streaming(answer.bytes_stream()),
    })
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().context("an address")?.parse()?;
    let (host, root) = (arguments.next().context("a host")?, arguments.next().context("a certificate")?);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(root)? {
        roots.add(certificate?)?;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .resolve(&host, address)
        .no_proxy()
        .redirect(Policy::none())
        .build()?;
    let upstream = web::Data::new(Upstream { client, base: format!("https://{host}:{}", address.port()) });
    let factory = move || App::new().app_data(upstream.clone()).default_service(web::to(forward));
    let server = HttpServer::new(factory).bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("The forwarder is at http://{address}");
    }
    Ok(server.run().await?)
}
