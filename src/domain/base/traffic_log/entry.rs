//! One request to the gateway, as it is noted, and what came of it.

use crate::{
    clock::{DAY, Timestamp},
    domain::base::{
        gateway_stage::GatewayStage,
        traffic_log::texts::{clipped, masked},
    },
};
use uuid::Uuid;

/// One request to the gateway that is over.
#[derive(Clone, Debug)]
pub struct TrafficEntry {
    pub workspace_id: Uuid,
    /// `None` where no key was recognized.
    pub api_key_id: Option<Uuid>,
    pub key_name: String,
    /// `None` where the workspace has no such destination.
    pub destination_id: Option<Uuid>,
    /// The ASCII form.
    pub host: String,
    pub method: String,
    /// Without a query.
    pub path: String,
    /// What the caller was answered. `None` where they were gone before.
    pub status: Option<u16>,
    /// Where Bailiwick itself ended the request. `None` where the destination's answer was passed on.
    pub stage: Option<GatewayStage>,
    /// Why the destination could not be reached or did not answer: a sentence without secrets, which its page shows.
    pub error: Option<String>,
    /// The body of the request, as it was sent.
    pub bytes_in: u64,
    /// The body of the answer.
    pub bytes_out: u64,
    pub started_at: Timestamp,
    pub duration_ms: u64,
}

/// The longest texts that are kept, in characters.
pub(super) const MAX_PATH: usize = 1_024;
const MAX_WORD: usize = 253;
const MAX_METHOD: usize = 20;
const MAX_ERROR: usize = 200;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The destination answered with a status below 400.
    Answered,
    /// The destination answered with a status from 400 to 499.
    ClientError,
    /// The destination answered with a status from 500 on, or not to the end; or the caller was gone before.
    Failed,
    /// It was not sent.
    Refused,
}

impl Ending {
    /// By the status that the caller was answered, and by where Bailiwick itself ended the request.
    pub fn of(status: Option<u16>, stage: Option<GatewayStage>) -> Self {
        match (stage, status) {
            (Some(GatewayStage::Upstream | GatewayStage::Response), _) | (None, None | Some(500..)) => {
                Self::Failed
            }
            (Some(_), _) => Self::Refused,
            (None, Some(..400)) => Self::Answered,
            (None, Some(400..500)) => Self::ClientError,
        }
    }
}

impl TrafficEntry {
    pub(super) fn ending(&self) -> Ending {
        Ending::of(self.status, self.stage)
    }

    /// The first moment of its day, in UTC.
    pub(super) fn day(&self) -> Timestamp {
        self.started_at - self.started_at.as_millis().rem_euclid(DAY)
    }

    pub(super) fn error_sentence(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), _) => clipped(error, MAX_ERROR),
            (None, Some(status)) if self.stage.is_none() => format!("It answered with the status {status}."),
            (None, _) => "It could not be reached, or did not answer to the end.".to_owned(),
        }
    }

    /// As it is kept: without what a caller could make endless, without a query, and without a key that a caller put
    /// into the wrong place, which others would see.
    pub(super) fn clipped(self) -> Self {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        Self {
            path: clipped(&masked(path), MAX_PATH),
            host: clipped(&masked(&self.host), MAX_WORD),
            method: clipped(&masked(&self.method), MAX_METHOD),
            key_name: clipped(&self.key_name, MAX_WORD),
            error: None,
            ..self
        }
    }
}
