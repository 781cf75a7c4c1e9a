//! Complaints by field, as templates ask for them.

use crate::domain::Invalid;

/// Complaints by field, as templates ask for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors(Invalid);

impl Errors {
    /// The complaint about a form whose session is another one by now. `next` says what to do.
    pub(super) fn out_of_date(next: &str) -> Self {
        Invalid::field("form", format!("This page was out of date, so nothing was sent. {next}")).into()
    }

    /// The complaint about a field; empty where there is none.
    pub(super) fn of(&self, field: &str) -> &str {
        self.0.of(field).unwrap_or("")
    }

    /// True if none of the given fields has a complaint.
    pub(super) fn none_of(&self, fields: &[&str]) -> bool {
        fields.iter().all(|field| self.of(field).is_empty())
    }

    /// The complaints, with those about `field` at the field `to`.
    pub(super) fn renamed(&self, field: &str, to: &str) -> Self {
        let mut renamed = Invalid::default();
        for (name, complaint) in self.iter() {
            renamed.add(if name == field { to } else { name }, complaint);
        }
        Self(renamed)
    }

    /// The complaints, and one more.
    pub(super) fn and(mut self, field: &str, complaint: &str) -> Self {
        self.0.add(field, complaint);
        self
    }

    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter()
    }
}

impl From<Invalid> for Errors {
    fn from(invalid: Invalid) -> Self {
        Self(invalid)
    }
}
