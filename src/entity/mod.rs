//! One file per table, no logic. Times are milliseconds since 1970, ids uuid v7.

pub mod account;
pub mod account_person;
pub mod api_key;
pub mod api_key_secret;
pub mod audit_event;
pub mod email_token;
pub mod grant;
pub mod invitation;
pub mod invitation_role;
pub mod invitation_token;
pub mod member;
pub mod member_role;
pub mod notice;
pub mod outbox_message;
pub mod ownership_offer;
pub mod resource;
pub mod role;
pub mod session;
pub mod team;
pub mod team_member;
pub mod team_role;
pub mod user;
pub mod workspace;
