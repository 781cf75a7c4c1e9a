//! Validation errors, field by field.

use std::collections::BTreeMap;

/// The message for each field that is invalid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalid(BTreeMap<String, String>);

impl Invalid {
    pub fn field(name: &str, complaint: impl Into<String>) -> Self {
        Self(BTreeMap::from([(name.to_owned(), complaint.into())]))
    }

    pub fn add(&mut self, name: &str, complaint: impl Into<String>) {
        self.0.entry(name.to_owned()).or_insert_with(|| complaint.into());
    }

    /// The value of a parsed field; an error is collected under its name.
    pub fn check<T>(&mut self, name: &str, parsed: Result<T, impl Into<String>>) -> Option<T> {
        parsed.map_err(|complaint| self.add(name, complaint)).ok()
    }

    /// The value of several fields that were parsed together; their errors
    /// are collected.
    pub fn check_all<T>(&mut self, parsed: Result<T, Self>) -> Option<T> {
        let note = |other: Self| other.iter().for_each(|(name, complaint)| self.add(name, complaint));
        parsed.map_err(note).ok()
    }

    /// The message for one field.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, complaint)| (name.as_str(), complaint.as_str()))
    }
}
