//! Who may do what. Pure: no clock, no database, no HTTP.
//!
//! [`scope`] is the language in which rights are written, [`catalogue`] names the scopes that guard
//! Bailiwick itself, [`roles`] the bundles that every workspace starts with, and [`holdings`] says
//! what a principal holds, what it may hand on, and on whom it may act, and [`why`] where that comes
//! from.

pub mod catalogue;
pub mod holdings;
pub mod roles;
pub mod scope;
pub mod why;

pub use catalogue::{Access, Can, Group, Needs, Permission, perm};
pub use holdings::{Ceiling, Holdings};
pub use roles::{BuiltIn, Pattern};
pub use scope::{Scope, ScopeError};
pub use why::{Right, Shift, Why, reach, why};
