//! The outbound client: where it never connects to, what it sends, and how long it waits.

mod exchange;
mod limits;
mod places;

use crate::support::{
    product::{
        Failure, Limits, LoopToken, Outbound, OutboundBody, OutboundResponse, OutboundSettings, OwnAddresses,
        Target,
    },
    *,
};
use http::{HeaderMap, Method};
use std::time::Duration;
use uuid::Uuid;

const GROUP: Uuid = Uuid::from_u128(1);

/// May reach the hosts of this, and trusts its authority. Its limits are larger than any pause of a busy machine.
fn settings(upstream: &Upstream) -> OutboundSettings {
    OutboundSettings {
        allowed: upstream.hosts().iter().map(|host| host.parse().unwrap()).collect(),
        port: 443,
        resolver: Some(upstream.dns.address),
        root_certificates: Some(upstream.root()),
        own: OwnAddresses::default(),
        loop_token: LoopToken::new([7; 8]),
        limits: Limits {
            connect: Duration::from_secs(60),
            head: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(120),
            ..Limits::default()
        },
    }
}

fn client(upstream: &Upstream) -> Outbound {
    Outbound::new(settings(upstream)).unwrap()
}

async fn get(outbound: &Outbound, host: &str, path: &str) -> Result<OutboundResponse, Failure> {
    let target = Target { host, path_and_query: path };
    outbound.send(GROUP, Method::GET, &target, HeaderMap::new(), OutboundBody::Empty).await
}

async fn post(outbound: &Outbound, host: &str, body: OutboundBody) -> Result<OutboundResponse, Failure> {
    let target = Target { host, path_and_query: "/" };
    outbound.send(GROUP, Method::POST, &target, HeaderMap::new(), body).await
}

/// The failure of what must fail.
fn failure(answer: Result<OutboundResponse, Failure>) -> Failure {
    match answer {
        Ok(answer) => panic!("answered with {}", answer.status),
        Err(failure) => failure,
    }
}

/// All of an answer's body, or why it broke off.
async fn read(answer: OutboundResponse) -> Result<Vec<u8>, Failure> {
    answer.body.first_bytes(usize::MAX).await.map(|bytes| bytes.to_vec())
}
