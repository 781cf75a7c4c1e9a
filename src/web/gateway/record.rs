//! What became of a request through the gateway: noted once, when it is over, for the workspace's traffic.

use crate::{
    clock::Timestamp,
    domain::{
        Db, TrafficEntry,
        base::{gateway_stage::GatewayStage, principal::Actor},
    },
    web::gateway::problem::Problem,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use uuid::Uuid;

/// The longest text that is kept of a method.
const MAX_METHOD: usize = 20;

/// A request through the gateway. What became of it is noted when this is dropped; nothing is where no key was
/// recognized, so that strangers can't fill a record.
pub(in crate::web) struct Record {
    db: Db,
    host: String,
    method: String,
    path: String,
    sender: Option<Sender>,
    destination_id: Option<Uuid>,
    /// `None` where the caller was gone before an answer.
    status: Option<u16>,
    stage: Option<GatewayStage>,
    error: Option<String>,
    bytes_in: Arc<AtomicU64>,
    bytes_out: u64,
    started_at: Timestamp,
    since: Instant,
}

struct Sender {
    workspace_id: Uuid,
    key_id: Uuid,
    key_name: String,
}

impl Record {
    /// Begins now.
    pub(in crate::web) fn begin(db: &Db, method: &str, host: &str, path: &str) -> Self {
        Self {
            db: db.clone(),
            host: host.to_owned(),
            method: method.chars().take(MAX_METHOD).collect(),
            path: path.to_owned(),
            sender: None,
            destination_id: None,
            status: None,
            stage: None,
            error: None,
            bytes_in: Arc::default(),
            bytes_out: 0,
            started_at: db.now(),
            since: Instant::now(),
        }
    }

    /// Counts the bytes of the request's body.
    pub(in crate::web) fn bytes_in(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_in)
    }

    /// Whose request it is.
    pub(super) fn is_by(&mut self, actor: &Actor) {
        self.sender = Some(Sender {
            workspace_id: actor.workspace.id,
            key_id: actor.principal.id(),
            key_name: actor.principal.name().to_owned(),
        });
    }

    /// Where it goes: the host by the name that it is known by.
    pub(super) fn is_to(&mut self, host: &str, destination: Option<Uuid>) {
        self.host = host.to_owned();
        self.destination_id = destination;
    }

    /// The host began its answer, which is passed on.
    pub(super) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// A part of the answer was passed on.
    pub(in crate::web) fn passed_on(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// The answer broke off.
    pub(super) fn broke_off(&mut self, sentence: String) {
        self.stage = Some(GatewayStage::Response);
        self.error = Some(sentence);
    }

    /// It ended here.
    pub(in crate::web) fn ended(&mut self, problem: &Problem) {
        self.status = Some(problem.status);
        self.stage = Some(problem.stage);
        let is_of_host =
            matches!(problem.stage, GatewayStage::Address | GatewayStage::Upstream | GatewayStage::Response);
        self.error = is_of_host.then(|| problem.detail.clone());
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(Sender { workspace_id, key_id, key_name }) = self.sender.take() else { return };
        self.db.traffic().note(TrafficEntry {
            workspace_id,
            api_key_id: Some(key_id),
            key_name,
            destination_id: self.destination_id,
            host: std::mem::take(&mut self.host),
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            status: self.status,
            stage: self.stage,
            error: self.error.take(),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out,
            started_at: self.started_at,
            duration_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}
