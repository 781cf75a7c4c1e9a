//! People and how they prove who they are: sign-up, sign-in, sessions, passwords, addresses.
//!
//! None of this needs a workspace; a handle here is a [`Person`], made only from a live session.

mod email;
mod password;
pub(super) mod presence;
mod sessions;
mod sign_up;

pub use email::{
    change_email, confirm_email, forgot_password, resend_confirmation, reset_is_valid, reset_password,
};
pub(super) use password::NO_PASSWORD;
pub use password::{Password, Passwords};
pub use sessions::{
    Listed, change_password, rename, revoke_other_sessions, revoke_session, security_events, sessions,
    sign_in, sign_out, who,
};
pub use sign_up::{SignUp, SignedUp, sign_up};

use super::audit::Actor;
use uuid::Uuid;

/// Somebody who is signed in, at the moment the session was read.
#[derive(Clone, Debug)]
pub struct Person {
    pub session_id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub email: String,
    /// The address was confirmed.
    pub is_verified: bool,
}

impl Person {
    pub(super) fn audited(&self) -> Actor {
        Actor::user(self.user_id, self.name.clone())
    }
}
