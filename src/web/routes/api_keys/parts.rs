//! What the pages of keys share.

use crate::{
    clock::{DAY, HOUR, Timestamp},
    domain::{
        Invalid, Name,
        nouns::api_keys::{CreatedKey, NewApiKey},
    },
    web::{
        checks::{self, Validate},
        chrome::View,
        when::When,
    },
};
use serde::Deserialize;
use uuid::Uuid;

/// A choice when a key expires: its value, label and note.
pub(in crate::web) type Expiry = (&'static str, &'static str, &'static str);

pub(in crate::web) const EXPIRIES: [Expiry; 5] = [
    ("30", "In 30 days", ""),
    ("90", "In 90 days", ""),
    ("365", "In a year", ""),
    ("date", "On a date", "Enter it below."),
    ("never", "Never", "Works until someone revokes it. Use this only where keys can't be renewed."),
];

/// The default of the form, also if the field is missing.
pub(in crate::web) const DEFAULT_EXPIRY: &str = "90";

/// Parses the box that makes a key an account admin.
pub(in crate::web) fn administers(ticked: &str) -> Result<bool, Invalid> {
    match ticked {
        "" => Ok(false),
        "yes" => Ok(true),
        _ => Err(Invalid::field("administers", "Choose whether the key can create workspaces.")),
    }
}

/// When a key expires.
#[derive(Clone, Copy)]
pub enum Ending {
    Never,
    /// This many milliseconds after it is created.
    After(i64),
    At(Timestamp),
}

impl Ending {
    /// Parses the choice and the day that were sent.
    ///
    /// # Errors
    /// A complaint on the field `expiry` or `expires_at`.
    pub(in crate::web) fn parse(choice: &str, day: &str) -> Result<Self, Invalid> {
        let choice = if choice.is_empty() { DEFAULT_EXPIRY } else { choice };
        let wrong = |sentence| Err(Invalid::field("expires_at", sentence));
        match (choice, checks::date("expires_at", day)?) {
            ("date", Some(midnight)) => Ok(Self::At(midnight + DAY)),
            ("date", None) => wrong("Enter a date."),
            (_, Some(_)) => wrong("Choose “On a date” too, or leave this empty."),
            ("never", None) => Ok(Self::Never),
            (days, None) => match EXPIRIES.iter().find(|(value, ..)| *value == days) {
                Some((value, ..)) => {
                    Ok(value.parse().map_or(Self::Never, |days: i64| Self::After(days * DAY)))
                }
                None => Err(Invalid::field("expiry", "Choose when the key expires.")),
            },
        }
    }

    fn moment(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::After(duration) => Some(now + duration),
            Self::At(moment) => Some(moment),
        }
    }
}

/// A new key, as requested by a form.
pub struct NewKey {
    pub name: Name,
    pub roles: Vec<String>,
    pub ending: Ending,
    pub is_admin: bool,
    pub home: Option<Uuid>,
}

impl NewKey {
    /// The key to create, with its expiry computed from `now`.
    pub(in crate::web) fn wanted(self, now: Timestamp) -> NewApiKey {
        let expires_at = self.ending.moment(now);
        let Self { name, roles, is_admin, home, .. } = self;
        NewApiKey { name, roles, expires_at, is_admin, home, only_scope: None, requests: None }
    }
}

/// A secret, for the page that responds to the form. It is shown nowhere else.
pub(in crate::web) struct RevealedSecret {
    pub name: String,
    /// The key itself is new, not only its secret.
    pub is_new: bool,
    pub secret: String,
    pub curl: String,
    /// When the previous secret stops working; `None` if it already has.
    pub overlap: Option<When>,
    /// The address of the next page.
    pub done: String,
}

impl RevealedSecret {
    pub(in crate::web) fn new(view: &View, created: &CreatedKey, done: String) -> Self {
        let (now, secret) = (view.now(), created.secret.expose());
        let url = &view.app.settings.origin;
        Self {
            curl: format!("curl -H \"Authorization: Bearer {secret}\" {url}/api/sso/v1/apikeys/self"),
            overlap: created.overlap_ends_at.filter(|ends| *ends > now).map(|ends| When::new(ends, now)),
            is_new: created.overlap_ends_at.is_none(),
            secret: secret.to_owned(),
            name: created.name.clone(),
            done,
        }
    }
}

/// How long the previous secret can keep working, in hours.
pub(in crate::web) const OVERLAPS: [(i64, &str); 4] =
    [(0, "Stop it now"), (1, "1 hour"), (24, "24 hours"), (168, "7 days")];

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RenameForm {
    pub(in crate::web) name: String,
}

impl Validate for RenameForm {
    type Valid = Name;

    fn validate(&self, invalid: &mut Invalid) -> Option<Name> {
        invalid.check("name", Name::parse(&self.name))
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Rotation {
    /// In hours.
    overlap: String,
    /// Which secret was the newest when the form was drawn.
    pub(in crate::web) version: String,
    /// How many memberships in other workspaces end, as was confirmed.
    ended_memberships: String,
}

impl Rotation {
    /// How long the previous secret keeps working, in milliseconds.
    pub(in crate::web) fn overlap(&self) -> Result<i64, Invalid> {
        let hours = OVERLAPS.iter().map(|(hours, _)| *hours).find(|hours| hours.to_string() == self.overlap);
        hours
            .map(|hours| hours * HOUR)
            .ok_or_else(|| Invalid::field("overlap", "Choose how long the old secret keeps working."))
    }

    pub(in crate::web) fn ended_memberships(&self) -> Result<i64, Invalid> {
        let count = match self.ended_memberships.as_str() {
            "" => Some(0),
            count => count.parse().ok().filter(|count| *count >= 0),
        };
        count.ok_or_else(|| Invalid::field("ended_memberships", "Confirm how many memberships end."))
    }
}

/// The explanation if the key was rotated in the meantime, or the page was reloaded: no further secret is
/// created.
pub(in crate::web) const ROTATED: &str = "The secret was rotated after you opened this page, and the new one was shown then. If nobody saved it, rotate the secret again.";
