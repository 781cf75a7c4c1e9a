//! A noun's rows, read and written without permission checks. The nouns above check.

pub mod accounts;
pub mod awaited;
pub mod entries;
pub mod given_roles;
pub mod headcounts;
pub mod holders;
pub mod invitations;
pub mod inviters;
pub mod joining;
pub mod key_rows;
pub mod keys;
pub mod mail;
pub mod members;
pub mod named;
pub mod offered_teams;
pub mod offers;
pub mod requests;
pub mod roles;
pub mod subjects;
pub mod workspaces;
