//! Validation of forms and bodies: each field is parsed once, and every complaint is collected.

use crate::{
    clock::{SECOND, Timestamp},
    domain::{Invalid, SearchText},
};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use time::{Date, macros::format_description};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// A form or a body whose fields have rules.
pub trait Validate {
    /// The parsed values, once every field is valid.
    type Valid;

    /// Parses each field, and collects what is wrong. `None` if anything is.
    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid>;
}

/// A form or a body, validated when it is extracted. The parsed values are in `valid`; a form that is drawn
/// again shows what was `sent`.
pub struct Checked<T: Validate> {
    pub sent: T,
    pub valid: Result<T::Valid, Invalid>,
}

impl<T: Validate> Checked<T> {
    fn new(sent: T) -> Self {
        let mut invalid = Invalid::default();
        let valid = match sent.validate(&mut invalid) {
            Some(valid) if invalid.is_empty() => Ok(valid),
            _ => Err(invalid),
        };
        Self { sent, valid }
    }
}

impl<'de, T: Validate + Deserialize<'de>> Deserialize<'de> for Checked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

impl<T: Validate + PartialSchema> PartialSchema for Checked<T> {
    fn schema() -> RefOr<Schema> {
        T::schema()
    }
}

impl<T: Validate + ToSchema> ToSchema for Checked<T> {
    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
    }
}

/// The text to search for, from the field `q`.
pub(in crate::web) fn search(text: &str) -> Result<String, Invalid> {
    SearchText::parse(text).map(String::from).map_err(|complaint| Invalid::field("q", complaint))
}

/// The midnight (UTC) that starts a day such as 2026-11-21.
pub(in crate::web) fn date(field: &str, text: &str) -> Result<Option<Timestamp>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    match day(text) {
        Some(midnight) => Ok(Some(midnight)),
        None => Err(Invalid::field(field, "Enter a date such as 2026-11-21.")),
    }
}

/// [`date`], without a complaint.
pub fn day(text: &str) -> Option<Timestamp> {
    let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    Some(Timestamp::from_millis(date.midnight().assume_utc().unix_timestamp() * SECOND))
}
