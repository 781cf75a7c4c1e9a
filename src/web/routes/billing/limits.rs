//! The limits of purchases, as a form on the page of billing has them.

use crate::{
    domain::{
        Invalid,
        base::{
            money::{parse, plain},
            role::Role,
        },
        enforce::read::ReadScope,
        nouns::{
            billing::list::currency,
            purchases::rules::{Rules, can_buy},
        },
    },
    policy::perm,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A role, and what everybody with it can buy in a month.
pub(super) struct RoleLimit {
    pub slug: String,
    pub name: String,
    /// Empty for no limit.
    pub ceiling: String,
}

/// The form, as the page shows it.
pub(super) struct Limits {
    pub approve_above: String,
    /// The roles that can buy, and those that have a ceiling for when they can again: the form sends the limits as a whole.
    pub roles: Vec<RoleLimit>,
}

impl Limits {
    pub(super) fn new(
        scope: &ReadScope<perm::ReadBilling>,
        stored: &Rules,
        sent: Option<&LimitsForm>,
    ) -> Self {
        let currency = currency(scope);
        let shown = |amount: i64| plain(amount, &currency);
        let ceiling = |slug: &str| match sent {
            Some(sent) => sent.of_role(slug).unwrap_or_default().to_owned(),
            None => stored.ceilings.get(slug).map(|amount| shown(*amount)).unwrap_or_default(),
        };
        let is_shown = |role: &&Role| can_buy(role) || stored.ceilings.contains_key(&role.slug);
        let shown_roles = scope.actor().all_roles.iter().filter(is_shown);
        Self {
            approve_above: match sent {
                Some(sent) => sent.approve_above.clone(),
                None => stored.approve_above.map(shown).unwrap_or_default(),
            },
            roles: shown_roles
                .map(|role| RoleLimit {
                    ceiling: ceiling(&role.slug),
                    slug: role.slug.clone(),
                    name: role.name.clone(),
                })
                .collect(),
        }
    }

    /// Nothing is limited.
    pub(super) fn is_empty(&self) -> bool {
        self.approve_above.is_empty() && self.roles.iter().all(|role| role.ceiling.is_empty())
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsForm {
    /// An amount; empty if nothing needs approval.
    approve_above: String,
    /// Slugs of roles, each with its ceiling at the same place.
    role: Vec<String>,
    ceiling: Vec<String>,
}

impl LimitsForm {
    fn of_role(&self, slug: &str) -> Option<&str> {
        let at = self.role.iter().position(|role| role == slug)?;
        self.ceiling.get(at).map(String::as_str)
    }

    pub(super) fn read(&self, currency: &str) -> Result<Rules, Invalid> {
        let mut invalid = Invalid::default();
        let amount = |text: &str| match text.trim() {
            "" => Ok(None),
            text => parse(text, currency).map(Some).ok_or("Enter an amount such as 50 or 49.90, or nothing."),
        };
        let approve_above = invalid.check("approve_above", amount(&self.approve_above));
        if self.role.len() != self.ceiling.len() {
            invalid.add("ceiling", "Enter an amount for each role, or nothing.");
        }
        let mut ceilings = BTreeMap::new();
        for (role, typed) in self.role.iter().zip(&self.ceiling) {
            if let Some(Some(ceiling)) = invalid.check("ceiling", amount(typed)) {
                ceilings.insert(role.clone(), ceiling);
            }
        }
        match approve_above {
            Some(approve_above) if invalid.is_empty() => Rules { approve_above, ceilings }.check(),
            _ => Err(invalid),
        }
    }
}
