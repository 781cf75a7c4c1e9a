//! The mails to people about themselves. `url` is the public URL of this installation.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// A link that confirms an address.
#[derive(Template)]
#[template(path = "mail/confirm_email.txt", whitespace = "preserve")]
pub(in crate::domain) struct ConfirmEmailMail<'a> {
    pub url: &'a str,
    pub token: &'a str,
}

impl MailTemplate for ConfirmEmailMail<'_> {
    fn subject(&self) -> String {
        "Confirm your e-mail address".to_owned()
    }
}

/// A link to choose a new password.
#[derive(Template)]
#[template(path = "mail/reset_password.txt", whitespace = "preserve")]
pub(in crate::domain) struct ResetPasswordMail<'a> {
    pub url: &'a str,
    pub token: &'a str,
}

impl MailTemplate for ResetPasswordMail<'_> {
    fn subject(&self) -> String {
        "Choose a new password".to_owned()
    }
}

/// To an address that has a user, where somebody signs up with it or changes theirs to it.
#[derive(Template)]
#[template(path = "mail/already_signed_up.txt", whitespace = "preserve")]
pub(in crate::domain) struct AlreadySignedUpMail<'a> {
    pub url: &'a str,
    pub email: &'a str,
}

impl MailTemplate for AlreadySignedUpMail<'_> {
    fn subject(&self) -> String {
        "You already have a sign-in".to_owned()
    }
}

/// After a change of the password.
#[derive(Template)]
#[template(path = "mail/password_changed.txt", whitespace = "preserve")]
pub(in crate::domain) struct PasswordChangedMail<'a> {
    pub url: &'a str,
}

impl MailTemplate for PasswordChangedMail<'_> {
    fn subject(&self) -> String {
        "Your password was changed".to_owned()
    }
}

/// To the address before, after a change of it.
#[derive(Template)]
#[template(path = "mail/address_changed.txt", whitespace = "preserve")]
pub(in crate::domain) struct AddressChangedMail<'a> {
    pub url: &'a str,
    /// The new address.
    pub after: &'a str,
}

impl MailTemplate for AddressChangedMail<'_> {
    fn subject(&self) -> String {
        "Your e-mail address was changed".to_owned()
    }
}

/// After a sign-in in a browser that was not used for it before.
#[derive(Template)]
#[template(path = "mail/new_browser.txt", whitespace = "preserve")]
pub(super) struct NewBrowserMail<'a> {
    pub url: &'a str,
    /// The moment.
    pub when: &'a str,
    /// Such as "Firefox on Linux".
    pub browser: &'a str,
    /// The network address.
    pub address: &'a str,
}

impl MailTemplate for NewBrowserMail<'_> {
    fn subject(&self) -> String {
        "Sign-in in a new browser".to_owned()
    }
}
