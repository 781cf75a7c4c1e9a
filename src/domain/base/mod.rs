//! The ground: connections, values and types that know no noun of the product.

pub mod account;
pub mod conflict;
pub mod connect;
pub mod db;
pub mod event;
pub mod idempotency;
pub mod invalid;
pub mod invariants;
pub mod limits;
pub mod outbox;
pub mod paging;
pub mod passwords;
pub mod presence;
pub mod principal;
pub mod read_pool;
pub mod reason;
pub mod refused;
pub mod role;
pub mod role_cache;
pub mod selection;
pub mod sql;
pub mod statements;
pub mod text_rule;
pub mod tokens;
pub mod values;
pub mod words;
