//! The gateway's rules: who may send a request to which host, and how many at once and in a minute.
//!
//! [`admit`] is the only way to a [`SendScope`], and only with one is anything sent; [`conditions`] are what it asks of a
//! destination. [`gate`] says when a request has
//! its turn on this node, and [`leases`] what this node may take of limits that all nodes share.

mod admission;
mod conditions;
mod gate;
mod leases;
mod rates;
mod slot_leases;
mod slots;
mod windows;

pub use admission::{GatewayRefusal, SendDestination, SendScope, admit};
pub use conditions::{DestinationProblem, DestinationState, USED_UP, is_used_up};
pub use gate::{Entrant, Gate, GateLimits, NoTurn, Turn};
pub use leases::RENEWAL;
pub use windows::RateStatus;
