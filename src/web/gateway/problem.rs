//! What Bailiwick itself answers to a request through the gateway: which stage ended it, and what to do.

use crate::{
    domain::{
        MissingPermission, Refused,
        base::{gateway_stage::GatewayStage, principal::Actor},
        gateway::{DestinationProblem, GatewayRefusal, NoTurn, RateStatus, USED_UP},
    },
    outbound::failure::{Failure, Part, Phase},
    policy::Permission,
    web::problem::OUTAGE_RETRY_AFTER,
};
use actix_web::http::StatusCode;

/// Why a request was not sent, or has no answer.
#[derive(Clone, Debug)]
pub(in crate::web) struct Problem {
    pub stage: GatewayStage,
    pub status: u16,
    pub title: &'static str,
    /// What happened.
    pub detail: String,
    /// What to do.
    pub remedy: String,
    /// Scopes of permissions any one of which would have been enough.
    pub permissions: Box<[&'static str]>,
    /// In seconds.
    pub retry_after: Option<i64>,
    pub rates: Box<[RateStatus]>,
}

impl Problem {
    pub(in crate::web) fn new(
        stage: GatewayStage,
        status: StatusCode,
        title: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            stage,
            status: status.as_u16(),
            title,
            detail: detail.into(),
            remedy: remedy.into(),
            permissions: Box::default(),
            retry_after: None,
            rates: Box::default(),
        }
    }

    /// What is wrong with the request itself.
    pub(in crate::web) fn request(
        status: StatusCode,
        title: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(GatewayStage::Request, status, title, detail, remedy)
    }

    /// There is no key, or several, or none that is live.
    pub(in crate::web) fn no_key() -> Self {
        Self::new(
            GatewayStage::Key,
            StatusCode::UNAUTHORIZED,
            "No active API key",
            "The request has no API key that is active.",
            "Send exactly one, as “x-bailiwick-key: …”. If you did, it may have expired, or been revoked or rotated.",
        )
    }

    /// The body is larger than it may be.
    pub(in crate::web) fn too_large(max: u64) -> Self {
        Self::request(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Too much data",
            format!("The body is larger than {}.", size(max)),
            "Send less at a time, or ask whoever runs this installation to raise the limit.",
        )
    }

    /// Too many requests of a key, or of keys that were never admitted, were refused in this minute.
    pub(super) fn too_many_refused(seconds: i64) -> Self {
        let seconds = seconds.max(1);
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                GatewayStage::Rate,
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "Too many requests were refused in this minute. Nothing was sent.",
                format!("Fix what they were refused for, and try again in {seconds} seconds."),
            )
        }
    }

    /// Why the key was not admitted.
    pub(in crate::web) fn not_admitted(refused: &Refused) -> Self {
        let busy = |seconds: i64| {
            let problem = Self::new(
                GatewayStage::Queue,
                StatusCode::SERVICE_UNAVAILABLE,
                "Too busy right now",
                "Nothing was sent.",
                format!("Try again in {seconds} seconds."),
            );
            Self { retry_after: Some(seconds.max(1)), ..problem }
        };
        match refused {
            Refused::Unauthenticated => Self::no_key(),
            Refused::NotFound => Self::new(
                GatewayStage::Membership,
                StatusCode::NOT_FOUND,
                "Not a member",
                "There is no workspace at this address that the API key is a member of.",
                "Check the address. Someone who manages API keys in the workspace can add the key to it.",
            ),
            Refused::Suspended(what) => Self::new(
                GatewayStage::Membership,
                StatusCode::FORBIDDEN,
                "Suspended",
                format!("{what} is suspended."),
                "Ask an Owner or Admin of the workspace to restore it.",
            ),
            Refused::Forbidden(missing) => Self::missing(missing),
            Refused::NoCredit(missing) => Self::new(
                GatewayStage::Credits,
                StatusCode::PAYMENT_REQUIRED,
                "Not enough credits",
                format!("{} Nothing was sent.", missing.sentence()),
                missing.remedy(),
            ),
            Refused::NotAllowed(sentence) => {
                Self::request(StatusCode::FORBIDDEN, "This isn't allowed", *sentence, "Nothing was sent.")
            }
            Refused::RateLimited { retry_after_seconds } | Refused::Busy { retry_after_seconds } => {
                busy(*retry_after_seconds)
            }
            other if other.outage().is_some() => busy(OUTAGE_RETRY_AFTER),
            other => {
                tracing::error!(error = %other, "a request could not be admitted to the gateway");
                Self::new(
                    GatewayStage::Key,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something went wrong",
                    "This is a problem on our side, and it was logged. Nothing was sent.",
                    "Try again in a moment.",
                )
            }
        }
    }

    fn missing(missing: &MissingPermission) -> Self {
        let mut remedy = format!("Roles with this permission: {}.", missing.roles.join(", "));
        if missing.is_limited {
            remedy.push_str(
                " The key's roles have it, but the person who vouches for the key, or who was shown its secret, doesn't.",
            );
        }
        if !missing.granters.is_empty() {
            remedy.push_str(&format!(" People who can give it to the key: {}.", missing.granters.join(", ")));
        }
        let needed = Permission::ALL.iter().filter(|one| missing.permissions.contains(&one.label()));
        Self {
            permissions: needed.map(|one| one.scope()).collect(),
            ..Self::new(
                GatewayStage::Permission,
                StatusCode::FORBIDDEN,
                "The permission is missing",
                format!("The API key needs the “{}” permission.", missing.permissions.join("” or “")),
                remedy,
            )
        }
    }

    /// Why the key may not send to the destination.
    pub(in crate::web) fn destination(problem: DestinationProblem, host: &str) -> Self {
        let remedy = match problem {
            DestinationProblem::Unknown => format!(
                "Someone with the “Manage destinations” permission can add {} on the Destinations page. Write the host without a port.",
                shorten(host)
            ),
            DestinationProblem::Paused => {
                "Someone with the “Manage destinations” permission can resume it.".to_owned()
            }
            DestinationProblem::NoRequests => {
                "Someone with the “Manage destinations” permission can switch them on.".to_owned()
            }
            DestinationProblem::NotASender => {
                "Someone with the “Manage destinations” permission can add the key or one of its roles."
                    .to_owned()
            }
        };
        let title = "The destination isn't allowed";
        Self::new(GatewayStage::Destination, StatusCode::FORBIDDEN, title, problem.sentence(), remedy)
    }

    /// Why the request did not have its turn.
    pub(in crate::web) fn no_turn(no_turn: NoTurn) -> Self {
        match no_turn {
            NoTurn::Rate(status) => Self {
                retry_after: Some(status.seconds),
                rates: Box::new([status]),
                ..Self::new(
                    GatewayStage::Rate,
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many requests",
                    match status.policy {
                        "destination" => {
                            format!(
                                "The limit of {} requests a minute to this destination is reached.",
                                status.limit
                            )
                        }
                        _ => format!("This key has sent its {} requests of this minute.", status.limit),
                    },
                    format!("Try again in {} seconds.", status.seconds),
                )
            },
            NoTurn::Busy { policy, limit } => {
                let who = match policy {
                    "node" => "This server",
                    "workspace" => "This workspace",
                    "account" => "This account",
                    _ => "This key",
                };
                Self {
                    retry_after: Some(1),
                    rates: Box::new([RateStatus { policy: "at-once", limit, remaining: 0, seconds: 1 }]),
                    ..Self::new(
                        GatewayStage::Queue,
                        StatusCode::TOO_MANY_REQUESTS,
                        "Too many requests at once",
                        format!(
                            "{who} sends {limit} requests at a time, and this one waited for too long, or too many wait."
                        ),
                        "Send fewer at a time, and try again in a second.",
                    )
                }
            }
            NoTurn::Failed(error) => Self::not_admitted(&error.into()),
        }
    }

    /// A test key has nothing left.
    pub(in crate::web) fn no_credits() -> Self {
        Self::new(
            GatewayStage::Credits,
            StatusCode::TOO_MANY_REQUESTS,
            "The test key is used up",
            USED_UP,
            "Create another one on the Quick start page, or use an ordinary API key.",
        )
    }

    /// Why there is no answer.
    pub(in crate::web) fn failure(failure: &Failure, max_request_bytes: u64) -> Self {
        let upstream = |status, title, remedy: &str| {
            Self::new(GatewayStage::Upstream, status, title, failure.sentence(), remedy)
        };
        let answer = |status, title, remedy: &str| Self {
            stage: GatewayStage::Response,
            ..upstream(status, title, remedy)
        };
        match failure {
            Failure::Address { .. } => Self::new(
                GatewayStage::Address,
                StatusCode::FORBIDDEN,
                "The host isn't public",
                failure.sentence(),
                "Requests go to public addresses alone. Whoever runs this installation can allow a host by BAILIWICK_OUTBOUND_ALLOW.",
            ),
            Failure::OwnAddress => Self::looped(),
            Failure::TooLarge(Part::Request) => Self::too_large(max_request_bytes),
            Failure::TooLarge(Part::Head | Part::Response) => answer(
                StatusCode::BAD_GATEWAY,
                "The answer is too large",
                "Ask the host for less, page by page for example.",
            ),
            Failure::Body => Self::request(
                StatusCode::BAD_REQUEST,
                "The body is incomplete",
                failure.sentence(),
                "Send all of it.",
            ),
            Failure::Timeout(Phase::Body) => Self::request(
                StatusCode::REQUEST_TIMEOUT,
                "It took too long to arrive",
                failure.sentence(),
                "Send the body without long pauses.",
            ),
            Failure::Timeout(_) => {
                upstream(StatusCode::GATEWAY_TIMEOUT, "The host took too long", "Try again later.")
            }
            Failure::Resolve(_) => {
                upstream(StatusCode::BAD_GATEWAY, "The host wasn't found", "Check the name of the host.")
            }
            Failure::Connect(_) => {
                upstream(StatusCode::BAD_GATEWAY, "The host can't be reached", "Try again later.")
            }
            Failure::Tls(_) => upstream(
                StatusCode::BAD_GATEWAY,
                "There is no safe connection to the host",
                "Whoever runs the host can fix its certificate.",
            ),
            Failure::Broken => upstream(
                StatusCode::BAD_GATEWAY,
                "The host's answer broke off",
                "It may have received the request. Check there before you send it again.",
            ),
        }
    }

    /// The request came back to this installation.
    pub(in crate::web) fn looped() -> Self {
        Self::new(
            GatewayStage::Address,
            StatusCode::LOOP_DETECTED,
            "The request leads back here",
            "The host leads back to this installation.",
            "Use the API of Bailiwick directly.",
        )
    }
}

/// Who was refused, as far as the refusal knows.
pub(super) fn refused_actor(refusal: &GatewayRefusal) -> Option<&Actor> {
    match refusal {
        GatewayRefusal::NotAdmitted(Refused::Forbidden(missing)) => missing.actor.as_ref(),
        GatewayRefusal::NotAdmitted(_) => None,
        GatewayRefusal::Destination { actor, .. } => Some(actor),
    }
}

fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes >= MIB { format!("{} MiB", bytes / MIB) } else { format!("{} KiB", bytes / 1024) }
}

fn shorten(host: &str) -> String {
    host.chars().filter(|c| !c.is_control()).take(100).collect()
}
