//! Who may do what. Pure: no clock, no database, no HTTP.
//!
//! In layers, each of which uses those before it: [`builtin`] names the roles that every workspace starts
//! with, [`catalogue`] the scopes that guard Bailiwick itself, [`scope`] is the language in which rights are
//! written, [`grants`] an index of scopes, [`right`] one of them. [`holdings`] says what a principal holds, what it may hand on, and on whom
//! it may act, [`intersection`] what two hold both, and [`own`] what follows from whose a thing is. On top, beside each other: [`mod@why`] explains where that comes from, [`can`] offers it to
//! templates, and [`patterns`] are roles to start from.

pub mod builtin;
pub mod can;
pub mod catalogue;
mod grants;
pub mod holdings;
pub mod intersection;
pub mod own;
pub mod patterns;
pub mod right;
pub mod scope;
pub mod why;

pub use builtin::BuiltIn;
pub use can::Can;
pub use catalogue::{Access, GRANTABLE, Group, Needs, Permission, SEPARATED, Setup, perm};
pub use holdings::{Ceiling, Holdings};
pub use own::Belonging;
pub use patterns::Pattern;
pub use right::Right;
pub use scope::{Scope, ScopeError};
pub use why::{HoldingsChange, Why, reach, why};
