//! A noun's rows, read and written without permission checks. The nouns above check.

pub mod accounts;
pub mod awaited;
pub mod entries;
pub mod headcounts;
pub mod holders;
pub mod invitations;
pub mod key_rows;
pub mod keys;
pub mod mail;
pub mod members;
pub mod named;
pub mod offers;
pub mod requests;
pub mod roles;
pub mod workspaces;
