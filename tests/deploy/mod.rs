//! What `docs/deploy` and `packaging` hand to whoever installs the product: configurations of proxies, a unit, and settings.
//!
//! Each is used as it is in the repository, but for the names of hosts and files.

mod curl;
mod proxies;
mod proxy;
mod sending;
mod unit;
