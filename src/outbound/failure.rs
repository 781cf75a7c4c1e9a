//! Why a request did not get an answer.

use crate::outbound::address::AddressClass;
use std::{io, net::IpAddr};

/// Why a request did not get an answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The host can't be looked up; a sentence.
    #[error("{0}")]
    Resolve(String),
    /// One of its addresses is not public. Nothing was connected to.
    #[error("The host leads to an address that is {class}.")]
    Address { class: AddressClass, address: IpAddr },
    /// It leads back to this installation. Nothing was sent.
    #[error("The host leads back to this installation.")]
    OwnAddress,
    #[error("{}", connect_sentence(*.0))]
    Connect(io::ErrorKind),
    #[error("{0}")]
    Tls(TlsFault),
    #[error("{0}")]
    Timeout(Phase),
    #[error("{0}")]
    TooLarge(Part),
    /// The connection ended early, or what came is no HTTP.
    #[error("The host's answer broke off, or isn't HTTP.")]
    Broken,
    /// The request's own body ended early, or with another length than it said.
    #[error("The request's body broke off.")]
    Body,
}

/// What was being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Phase {
    #[error("The host's name was not looked up in time.")]
    Resolve,
    #[error("The host did not accept a connection in time.")]
    Connect,
    #[error("The host did not agree on encryption in time.")]
    Tls,
    /// Whoever sends the request did not send on.
    #[error("The request's body did not arrive in time.")]
    Body,
    #[error("The host did not begin its answer in time.")]
    Head,
    #[error("The host stopped in the middle of the exchange.")]
    Idle,
    #[error("The whole exchange took too long.")]
    Whole,
}

/// What is larger than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Part {
    #[error("The request's body is too large.")]
    Request,
    #[error("The head of the host's answer is too large.")]
    Head,
    #[error("The host's answer is too large.")]
    Response,
}

/// What is wrong with the host's encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    #[error("The host's certificate has expired.")]
    Expired,
    #[error("The host's certificate isn't valid yet.")]
    NotYetValid,
    #[error("The host's certificate is for other names.")]
    WrongName,
    #[error("The host's certificate is from an authority that isn't trusted.")]
    UnknownIssuer,
    #[error("The host's certificate isn't valid.")]
    Certificate,
    #[error("The host did not agree on encryption.")]
    Protocol,
    #[error("This machine has no certificates of authorities, so no host can be trusted.")]
    NoRoots,
}

impl Failure {
    /// What happened, as a sentence for people of the workspace. It names no address: what names of a network lead to
    /// is not for everybody.
    pub fn sentence(&self) -> String {
        self.to_string()
    }

    /// Whether the host was refused for where it leads to.
    pub fn is_address(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::OwnAddress)
    }

    /// Whether the host may have been sent something of the request.
    pub fn may_have_reached_host(&self) -> bool {
        match self {
            Self::Resolve(_) | Self::Address { .. } | Self::OwnAddress | Self::Connect(_) | Self::Tls(_) => {
                false
            }
            Self::Timeout(phase) => !matches!(phase, Phase::Resolve | Phase::Connect | Phase::Tls),
            Self::TooLarge(_) | Self::Broken | Self::Body => true,
        }
    }

    /// A word for metrics and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Address { class, .. } => class.word(),
            Self::OwnAddress => "own_address",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::TooLarge(_) => "too_large",
            Self::Broken => "broken",
            Self::Body => "body",
        }
    }
}

fn connect_sentence(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "The host refused the connection.",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "The host can't be reached.",
        io::ErrorKind::TimedOut => "The host did not accept a connection in time.",
        _ => "The connection to the host failed.",
    }
}
