//! `bailiwick backup` and `bailiwick restore`. `file` is the form of a backup, `keys` what of it is sealed.

mod create;
mod file;
mod keys;
mod passphrase;
mod restore;

pub use create::{CreateError, Made, create};
pub use restore::{Options, RestoreError, Restored, restore};
