use crate::domain::base::{db::Db, outbox::Mail, tokens::Token};
use askama::Template;

#[derive(Template)]
#[template(path = "mail/confirm_email.txt", whitespace = "preserve")]
struct ConfirmEmail<'a> {
    url: &'a str,
    token: &'a str,
}

#[derive(Template)]
#[template(path = "mail/reset_password.txt", whitespace = "preserve")]
struct ResetPassword<'a> {
    url: &'a str,
    token: &'a str,
}

#[derive(Template)]
#[template(path = "mail/already_signed_up.txt", whitespace = "preserve")]
struct AlreadySignedUp<'a> {
    url: &'a str,
    email: &'a str,
}

#[derive(Template)]
#[template(path = "mail/password_changed.txt", whitespace = "preserve")]
struct PasswordChanged<'a> {
    url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/address_changed.txt", whitespace = "preserve")]
struct AddressChanged<'a> {
    url: &'a str,
    after: &'a str,
}

impl Mail {
    pub(in crate::domain) fn confirm_email(db: &Db, to: &str, token: &Token) -> Self {
        let body = ConfirmEmail { url: db.public_url(), token: token.expose() };
        Self::new(to, "Confirm your e-mail address".into(), &body)
    }
}

impl Mail {
    pub(in crate::domain) fn reset_password(db: &Db, to: &str, token: &Token) -> Self {
        let body = ResetPassword { url: db.public_url(), token: token.expose() };
        Self::new(to, "Choose a new password".into(), &body)
    }
}

impl Mail {
    pub(in crate::domain) fn already_signed_up(db: &Db, to: &str) -> Self {
        let body = AlreadySignedUp { url: db.public_url(), email: to };
        Self::new(to, "You have an account already".into(), &body)
    }
}

impl Mail {
    pub(in crate::domain) fn password_changed(db: &Db, to: &str) -> Self {
        Self::new(to, "Your password was changed".into(), &PasswordChanged { url: db.public_url() })
    }
}

impl Mail {
    pub(in crate::domain) fn address_changed(db: &Db, to: &str, after: &str) -> Self {
        let body = AddressChanged { url: db.public_url(), after };
        Self::new(to, "Your e-mail address was changed".into(), &body)
    }
}
