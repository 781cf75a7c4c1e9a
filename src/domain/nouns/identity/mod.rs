//! People and how they prove who they are: sign-up, sign-in, sessions, passwords, addresses.
//!
//! None of this needs a workspace. The handle is a [`Person`](crate::domain::base::principal::Person),
//! created only from a live session.

pub mod confirmation;
pub mod email;
pub mod events;
pub mod first;
pub mod mail;
mod new_browser;
pub mod own_data;
pub mod sessions;
pub mod sign_up;
pub mod unconfirmed;

pub(in crate::domain) use crate::domain::base::passwords::NO_PASSWORD;
pub use crate::domain::base::passwords::{Password, Passwords};
pub use confirmation::{Browser, Confirmation, Confirmed, confirm_email, confirmation};
pub use email::{
    CONFIRMATION_GONE, RESET_GONE, change_email, forgot_password, resend_confirmation, reset_address,
    reset_password,
};
pub use own_data::own_data;
pub use sessions::{
    BrowserSubject, Session, SignIn, authenticate, browser_subject, change_password, rename,
    revoke_other_sessions, revoke_session, security_events, sessions, sign_in, sign_out,
};
pub use sign_up::{SignUp, SignedUp, sign_up};
