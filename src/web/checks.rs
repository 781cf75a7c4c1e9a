use crate::domain::{Complaint, Description, Email, Message, Name, Slug, search_text};
use crate::domain::{Invalid, Refused};

use time::{Date, macros::format_description};
use validator::ValidationError;
use validator::{Validate, ValidationErrors};

/// Runs a form's checks.
///
/// # Errors
/// One complaint a field.
pub(super) fn check(form: &impl Validate) -> Result<(), Invalid> {
    form.validate().map_err(|errors| complaints(&errors))
}

fn complaints(errors: &ValidationErrors) -> Invalid {
    let mut invalid = Invalid::default();
    for (field, errors) in errors.field_errors() {
        let said = errors.first().and_then(|error| error.message.clone());
        invalid.add(&field, said.unwrap_or_else(|| "Check this field.".into()));
    }
    invalid
}

// Checks of single fields, for `#[validate(custom(function = …))]`: the domain's own readers, asked for
// their complaint.

fn verdict<T>(read: Result<T, Complaint>) -> Result<(), ValidationError> {
    read.map(drop).map_err(|complaint| ValidationError::new("invalid").with_message(complaint.into()))
}

pub fn email(text: &str) -> Result<(), ValidationError> {
    verdict(Email::parse(text))
}
pub fn name(text: &str) -> Result<(), ValidationError> {
    verdict(Name::parse(text))
}
pub fn description(text: &str) -> Result<(), ValidationError> {
    verdict(Description::parse(text))
}
pub fn slug(text: &str) -> Result<(), ValidationError> {
    verdict(Slug::parse(text))
}
pub fn message(text: &str) -> Result<(), ValidationError> {
    verdict(Message::parse(text))
}
pub fn search(text: &str) -> Result<(), ValidationError> {
    verdict(search_text(text))
}

/// The midnight (UTC) that starts a day such as 2026-11-21.
pub(in crate::web) fn date(field: &str, text: &str) -> Result<Option<i64>, Refused> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| Invalid::field(field, "Write a day such as 2026-11-21."))?;
    Ok(Some(date.midnight().assume_utc().unix_timestamp() * 1_000))
}
