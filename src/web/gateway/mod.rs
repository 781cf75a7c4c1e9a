//! The gateway: requests of members' keys to destinations, passed on as they are.
//!
//! [`forward`] answers a request to `/w/{workspace}/out/{host}/{path}`. It reads what the request asks for
//! ([`incoming`]), and [`pass`] takes it through the stages: admission, limits, and then, with the headers that
//! [`rebuild`] leaves, to the host. What Bailiwick itself answers is a [`problem`] that names the stage; everything else
//! is the host's answer. [`record`] notes what became of it, [`body`] passes bodies on.

mod body;
pub(in crate::web) mod echo;
pub(in crate::web) mod forward;
pub(in crate::web) mod incoming;
pub(in crate::web) mod pass;
mod payment;
pub(in crate::web) mod problem;
mod problem_response;
mod rate_headers;
mod rebuild;
pub(in crate::web) mod record;
pub(in crate::web) mod trace;
