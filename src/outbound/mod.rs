//! Requests to hosts of the internet. Nothing else in the program connects out, but for mail, the database, and traces.
//!
//! A host is a name that somebody of a workspace typed, so where it leads to is checked for each connection:
//! [`connect`] looks it up once, refuses it if any address is not public ([`address`]), and connects to an address
//! that was checked and to nothing else. Redirects are answers like any other, and no proxy is asked.

pub mod address;
pub mod body;
pub mod client;
mod connect;
pub mod connection_fields;
pub mod counts;
pub mod failure;
pub mod limits;
pub mod loops;
mod names;
mod progress;
pub mod rules;
pub mod settings;
mod tls;
