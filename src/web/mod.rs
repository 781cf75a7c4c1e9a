//! The pages and the API. There is no SQL here: everything goes through a handle that [`guard`] creates.

pub mod access;
mod api;
pub mod app;
mod assets;
pub mod bearer;
pub mod calls;
pub mod checks;
mod chrome;
mod cookies;
mod draft;
pub mod errors;
pub mod face;
mod form;
pub mod guard;
mod known_browser;
pub mod link;
pub mod list;
mod matched;
pub mod middleware;
pub mod nav;
mod origin;
pub mod path;
pub mod preview;
mod problem;
mod refill;
mod rejection;
mod role_choices;
pub mod route;
pub mod route_index;
pub mod routes;
#[cfg(feature = "bench")]
pub mod samples;
pub mod selection;
mod session;
mod turns;
mod when;
pub mod wire;
pub mod words;

pub use calls::Calls;
pub(crate) use middleware::pieces::in_pieces;
pub(crate) use session::middleware as session_middleware;
