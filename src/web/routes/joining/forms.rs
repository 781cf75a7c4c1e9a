//! The forms of the page with links and domains, as they were typed.

use crate::{
    domain::{Invalid, Title, nouns::joining::NewLink},
    web::checks::Validate,
};
use serde::Deserialize;
use uuid::Uuid;

/// A link to make, as it was typed.
#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct LinkForm {
    pub(super) name: String,
    pub(super) role: Vec<String>,
    pub(super) team: Vec<Uuid>,
    pub(super) days: String,
    pub(super) max_uses: String,
    pub(super) domains: String,
}

impl LinkForm {
    /// The form before anything was typed.
    pub(super) fn empty() -> Self {
        Self { days: "7".into(), max_uses: "10".into(), ..Self::default() }
    }
}

impl Validate for LinkForm {
    type Valid = NewLink;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewLink> {
        let name = invalid.check("name", Title::parse(&self.name));
        let number = |text: &str| text.trim().parse::<i64>().map_err(|_| "Enter a whole number.");
        let days = invalid.check("days", number(&self.days));
        let max_uses = invalid.check("max_uses", number(&self.max_uses));
        let (roles, teams) = (self.role.clone(), self.team.clone());
        let domains = self.domains.clone();
        Some(NewLink { name: name?, roles, teams, days: days?, max_uses: max_uses?, domains })
    }
}

/// A domain to add, as it was typed.
#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct DomainForm {
    pub(super) domain: String,
    /// The slug of the role that its people get.
    pub(super) role: String,
}
