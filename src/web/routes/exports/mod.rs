//! Exports: lists as files.

pub mod archives;
pub mod archives_api;
pub mod download;
pub mod ledger;
pub mod list;
pub mod lists;
pub mod page;
mod stream;
