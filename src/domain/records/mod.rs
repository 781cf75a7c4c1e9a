//! A noun's rows, read and written without asking who does it: the nouns above ask.

pub mod accounts;
pub mod headcounts;
pub mod invitations;
pub mod key_rows;
pub mod keys;
pub mod members;
pub mod named;
pub mod offers;
pub mod roles;
pub mod workspaces;
