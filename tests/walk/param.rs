//! A parameter of a path, in braces.

use super::{Attempt, Place};
use crate::world::{Facts, UNKNOWN};

pub struct Param {
    pub name: &'static str,
    /// A valid value, which need not exist.
    pub sample: &'static str,
    /// Its values are known without the database: an unknown one is refused before any form is read.
    pub is_closed: bool,
    /// The crawl follows links to those of [`Param::every`] alone.
    pub is_bounded: bool,
    value: Option<fn(&Attempt) -> Option<String>>,
    every: Option<fn(&Facts) -> Vec<String>>,
}

impl Param {
    /// An id that is planted under this name in both workspaces.
    pub const fn new(name: &'static str) -> Self {
        let sample = "00000000-0000-0000-0000-000000000007";
        Self { name, sample, is_closed: false, is_bounded: false, value: None, every: None }
    }

    /// Each of a workspace, for the crawl.
    pub const fn every(self, every: fn(&Facts) -> Vec<String>) -> Self {
        Self { every: Some(every), ..self }
    }

    pub const fn sample(self, sample: &'static str) -> Self {
        Self { sample, ..self }
    }

    /// Its value is not a planted id; `None` if there is nothing to try.
    pub const fn value(self, value: fn(&Attempt) -> Option<String>) -> Self {
        Self { value: Some(value), ..self }
    }

    /// See [`Param::is_closed`].
    pub const fn closed(self) -> Self {
        Self { is_closed: true, ..self }
    }

    /// See [`Param::is_bounded`].
    pub const fn bounded(self) -> Self {
        Self { is_bounded: true, ..self }
    }

    /// The value in a path at this place.
    pub fn value_at(&self, at: &Attempt) -> Option<String> {
        match self.value {
            Some(value) => value(at),
            None => Some(at.planted(self.name)),
        }
    }

    /// All there is of it in a workspace; `None` where the crawl is not to go through all of them.
    pub fn every_in(&self, facts: &Facts) -> Option<Vec<String>> {
        self.every.map(|every| every(facts))
    }
}

impl Attempt<'_> {
    /// What is planted under this name where this place leads.
    pub fn planted(&self, name: &str) -> String {
        let (acme, elsewhere) = (&self.world.acme, &self.world.elsewhere);
        match self.place {
            Place::UnknownIds => UNKNOWN.to_string(),
            Place::ForeignIds | Place::OtherWorkspace => elsewhere.text(name).to_owned(),
            Place::Above => acme.text_above(name).unwrap_or_else(|| acme.text(name)).to_owned(),
            Place::Own | Place::NoWorkspace => acme.text(name).to_owned(),
        }
    }
}
