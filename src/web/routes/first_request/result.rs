//! What became of a test request, as the page shows it.

use crate::{domain::base::gateway_stage::GatewayStage, web::gateway::trace::Trace};
use std::time::Duration;

/// The most of an answer that the page shows, in bytes.
pub(super) const MAX_SHOWN: usize = 4_096;

/// One stage of the enforcement path.
pub(super) struct Step {
    pub label: &'static str,
    /// What was checked, or why it was refused.
    pub detail: String,
    /// How long it took, such as `0.8 ms`; empty where it was checked together with the one before.
    pub took: String,
    pub state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Passed,
    Refused,
    NotReached,
}

impl Step {
    pub(super) fn is_passed(&self) -> bool {
        self.state == State::Passed
    }

    pub(super) fn is_refused(&self) -> bool {
        self.state == State::Refused
    }
}

/// What became of a test request.
pub(super) struct Outcome {
    pub steps: Vec<Step>,
    /// The request as it was sent, such as `GET echo/hello`.
    pub request: String,
    /// The status of the host's answer; `None` if there is none.
    pub status: Option<u16>,
    /// The start of the answer.
    pub body: String,
    /// The answer has more than is shown.
    pub is_cut: bool,
    pub total: String,
    pub refusal: Option<Refusal>,
}

/// Where a request was stopped, and what helps.
pub(super) struct Refusal {
    pub stage: GatewayStage,
    pub sentence: String,
    pub remedy: String,
    /// Where the remedy is, with the words of its link; empty for nowhere.
    pub link: (String, &'static str),
}

/// What a stage checks, in a sentence.
fn checks(stage: GatewayStage, is_echo: bool) -> &'static str {
    match stage {
        GatewayStage::Request => "The request is well formed, and no larger than allowed.",
        GatewayStage::Key => "The key exists, and wasn't revoked and hasn't expired.",
        GatewayStage::Membership => "The key is an active member of this workspace.",
        GatewayStage::Permission => "The key has “Send requests”.",
        GatewayStage::Destination => "The workspace allows the host, and the key can send to it.",
        GatewayStage::Address if is_echo => "Not needed: Bailiwick answers for this host by itself.",
        GatewayStage::Address => "The host has public addresses only.",
        GatewayStage::Rate => "The key and the host have requests left in this minute.",
        GatewayStage::Queue => "Not too many requests are being sent at once.",
        GatewayStage::Credits => "A test key has requests left.",
        GatewayStage::Upstream => "The host took the request.",
        GatewayStage::Response => "Its answer arrived.",
    }
}

/// `0.8 ms`.
pub(super) fn words(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1_000.0;
    if ms < 100.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// The stages in the order in which a request meets them. The addresses of a host are looked up last, when everything
/// else allows the request.
const ORDER: [GatewayStage; 11] = [
    GatewayStage::Request,
    GatewayStage::Key,
    GatewayStage::Membership,
    GatewayStage::Permission,
    GatewayStage::Destination,
    GatewayStage::Rate,
    GatewayStage::Queue,
    GatewayStage::Credits,
    GatewayStage::Address,
    GatewayStage::Upstream,
    GatewayStage::Response,
];

/// Every stage in its order, up to where the request was stopped.
pub(super) fn steps(trace: &Trace, is_echo: bool, refused: Option<&Refusal>) -> Vec<Step> {
    let step = |stage: GatewayStage| {
        let is_here = refused.is_some_and(|refusal| refusal.stage == stage);
        let took = if is_here { Some(trace.since_last()) } else { trace.of(stage) };
        // One statement checks the key up to the destination, so that only the last of these is known.
        let is_before = |refusal: &Refusal| {
            let place = |stage: GatewayStage| ORDER.iter().position(|other| *other == stage);
            refusal.stage != GatewayStage::Request && place(stage) < place(refusal.stage)
        };
        let state = match (is_here, took) {
            (true, _) => State::Refused,
            (false, Some(_)) => State::Passed,
            (false, None) if refused.is_some_and(is_before) => State::Passed,
            (false, None) => State::NotReached,
        };
        let detail = match refused.filter(|_| is_here) {
            Some(refusal) => refusal.sentence.clone(),
            None => checks(stage, is_echo).to_owned(),
        };
        let took = took.filter(|took| !took.is_zero()).map(words).unwrap_or_default();
        Step { label: stage.label(), detail, took, state }
    };
    ORDER.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_end_where_the_request_was_stopped() {
        let mut trace = Trace::begin();
        trace.passed(&[GatewayStage::Request]);
        let refusal = Refusal {
            stage: GatewayStage::Permission,
            sentence: "The key doesn't have “Send requests”.".into(),
            remedy: String::new(),
            link: (String::new(), ""),
        };
        let steps = steps(&trace, true, Some(&refusal));
        assert_eq!(steps.len(), GatewayStage::ALL.len());
        assert!(steps[..3].iter().all(Step::is_passed));
        assert!(steps[3].is_refused() && steps[3].detail.contains("doesn't have"));
        assert!(steps[4..].iter().all(|step| step.state == State::NotReached));
        assert_eq!(steps[1].took, "", "one statement checked it together with the permission");
        let mut in_order = ORDER;
        in_order.sort();
        assert_eq!(in_order, GatewayStage::ALL, "each stage once");
    }

    #[test]
    fn times_are_in_milliseconds() {
        assert_eq!(words(Duration::from_micros(840)), "0.8 ms");
        assert_eq!(words(Duration::from_millis(1_234)), "1234 ms");
    }
}
