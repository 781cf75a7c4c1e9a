//! Which stages a request through the gateway has passed, and how long each took.

use crate::domain::base::gateway_stage::GatewayStage;
use std::time::{Duration, Instant};

/// The stages that a request has passed so far.
#[derive(Clone, Debug)]
pub(in crate::web) struct Trace {
    since: Instant,
    passed: Vec<(GatewayStage, Duration)>,
}

impl Trace {
    /// Begins now.
    pub(in crate::web) fn begin() -> Self {
        Self { since: Instant::now(), passed: Vec::new() }
    }

    /// Notes that these stages are passed. Those that one step checks together share its time, which the first one
    /// has.
    pub(in crate::web) fn passed(&mut self, stages: &[GatewayStage]) {
        let now = Instant::now();
        let mut took = now.duration_since(self.since);
        for stage in stages {
            self.passed.push((*stage, took));
            took = Duration::ZERO;
        }
        self.since = now;
    }

    /// How long the step took that checked the stage; `None` if it was not passed.
    pub(in crate::web) fn of(&self, stage: GatewayStage) -> Option<Duration> {
        self.passed.iter().find(|(passed, _)| *passed == stage).map(|(_, took)| *took)
    }

    /// How long it is since the last stage that was passed.
    pub(in crate::web) fn since_last(&self) -> Duration {
        self.since.elapsed()
    }
}
