use crate::{
    clock::{DAY, HOUR},
    domain::{Invalid, Name, Refused, api_keys::Made},
    web::{
        checks::{self, check},
        chrome::View,
        when::When,
    },
};

use serde::Deserialize;
use validator::Validate;

/// A choice when a key expires: its value, label and note.
pub(in crate::web) type Expiry = (&'static str, &'static str, &'static str);

pub(in crate::web) const EXPIRIES: [Expiry; 5] = [
    ("30", "In 30 days", ""),
    ("90", "In 90 days", ""),
    ("365", "In a year", ""),
    ("date", "On a day", "The one that is entered below."),
    ("never", "Never", "It works until somebody revokes it: best where nothing can be renewed."),
];

/// The box that makes a key one that administers the account.
pub(in crate::web) fn administers(ticked: &str) -> Result<bool, Refused> {
    match ticked {
        "" => Ok(false),
        "yes" => Ok(true),
        _ => Err(Invalid::field("administers", "Tick it, or leave it.").into()),
    }
}

/// The end of a key, from the choice and the day that were sent.
pub(in crate::web) fn expires_at(choice: &str, day: &str, now: i64) -> Result<Option<i64>, Refused> {
    let day = checks::date("expires_at", day)?;
    match (choice, day) {
        ("date", Some(midnight)) => Ok(Some(midnight + DAY)),
        ("date", None) => Err(Invalid::field("expires_at", "Enter the last day.").into()),
        (_, Some(_)) => {
            Err(Invalid::field("expires_at", "Choose “On a day” too, or leave this empty.").into())
        }
        ("never", None) => Ok(None),
        (days, None) => match EXPIRIES.iter().find(|(value, ..)| *value == days) {
            Some((value, ..)) => Ok(value.parse().ok().map(|days: i64| now + days * DAY)),
            None => Err(Invalid::field("expiry", "Choose when the key expires.").into()),
        },
    }
}

/// A secret, and what is said with it. No page is drawn with it but the one that answers its form.
pub(in crate::web) struct Told {
    pub name: String,
    /// The key itself is new, and not its secret alone.
    pub is_new: bool,
    pub secret: String,
    pub curl: String,
    /// Until when the secret before holds; `None` where it is over.
    pub overlap: Option<When>,
    /// Where to go on.
    pub done: String,
}

impl Told {
    pub(in crate::web) fn new(view: &View, made: &Made, done: String) -> Self {
        let (now, secret) = (view.now(), made.secret.expose());
        let url = &view.app.settings.origin;
        Self {
            curl: format!("curl -H \"Authorization: Bearer {secret}\" {url}/api/sso/v1/apikeys/self"),
            overlap: made.overlap_ends_at.filter(|ends| *ends > now).map(|ends| When::new(ends, now)),
            is_new: made.overlap_ends_at.is_none(),
            secret: secret.to_owned(),
            name: made.name.clone(),
            done,
        }
    }
}

/// How long the secret before may go on, in hours.
pub(in crate::web) const OVERLAPS: [(i64, &str); 4] =
    [(0, "No longer: it ends now"), (1, "1 hour"), (24, "24 hours"), (168, "7 days")];

#[derive(Deserialize, Validate, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Called {
    #[validate(custom(function = "checks::name"))]
    pub(in crate::web) name: String,
}

impl Called {
    pub(in crate::web) fn read(&self) -> Result<Name, Invalid> {
        check(self)?;
        Name::parse(&self.name).map_err(|complaint| Invalid::field("name", complaint))
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Rotation {
    /// In hours.
    overlap: String,
    /// Which secret was the newest when the form was drawn.
    pub(in crate::web) version: String,
}

impl Rotation {
    /// How long the secret before goes on, in milliseconds.
    pub(in crate::web) fn overlap(&self) -> Result<i64, Invalid> {
        let hours = OVERLAPS.iter().map(|(hours, _)| *hours).find(|hours| hours.to_string() == self.overlap);
        hours
            .map(|hours| hours * HOUR)
            .ok_or_else(|| Invalid::field("overlap", "Choose how long the present secret goes on."))
    }
}

/// What is said where somebody was faster, or the page was loaded again: no third secret for that.
pub(in crate::web) const ROTATED: &str = "The key has been given another secret since you opened this page, which was shown then. Whoever did not keep it makes another.";
