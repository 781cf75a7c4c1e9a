use std::collections::BTreeMap;

/// What was typed, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalid(BTreeMap<String, String>);

impl Invalid {
    pub fn field(name: &str, complaint: impl Into<String>) -> Self {
        Self(BTreeMap::from([(name.to_owned(), complaint.into())]))
    }

    pub fn add(&mut self, name: &str, complaint: impl Into<String>) {
        self.0.entry(name.to_owned()).or_insert_with(|| complaint.into());
    }

    /// The complaint about one field.
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
