//! What workspaces can have: plans, and packs of credits, with their prices. Built in, or from a file of JSON.

use serde::Deserialize;
use std::{collections::BTreeSet, fs};

/// The most that one seat or pack costs, in the smallest unit of the currency.
const MAX_PRICE: i64 = 100_000_000;

/// The most credits of a plan or a pack.
const MAX_CREDITS: i64 = 1_000_000_000;

/// The most people that a plan can be for.
pub const MAX_SEATS: i64 = 100_000;

/// The longest that bought credits last, in days.
const MAX_DAYS: i64 = 3_650;

/// Plans, packs, and what stands on invoices. All prices are in the smallest unit of one currency.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plans {
    /// Three letters, as ISO 4217 has them.
    pub currency: String,
    /// Who issues invoices, line by line: name, address, tax number.
    #[serde(default)]
    pub seller: Vec<String>,
    /// How invoices are paid, in a sentence.
    #[serde(default)]
    pub payment: String,
    /// How many days an invoice is due after it was issued.
    #[serde(default = "default_due_days")]
    pub due_days: i64,
    /// The most that the credits which a workspace bought, and has not paid for yet, can cost.
    #[serde(default = "default_unpaid")]
    pub unpaid_limit: i64,
    /// The first one is that of a workspace that has chosen none: nothing is paid for it.
    pub plans: Vec<Plan>,
    #[serde(default)]
    pub packs: Vec<Pack>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it is called in addresses and by programs. It stays the same for as long as a workspace has the plan.
    pub slug: String,
    pub name: String,
    /// One sentence.
    #[serde(default)]
    pub sentence: String,
    /// What a seat costs for a whole month.
    pub seat_price: i64,
    /// For how many people it is at most; any number if it is left out.
    pub max_seats: Option<i64>,
    /// Credits that come with each month.
    #[serde(default)]
    pub credits: i64,
}

/// Credits that can be bought.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    pub slug: String,
    pub name: String,
    pub credits: i64,
    pub price: i64,
    /// For how many days they can be used.
    #[serde(default = "default_days")]
    pub days: i64,
}

const fn default_due_days() -> i64 {
    14
}

const fn default_unpaid() -> i64 {
    200_000
}

const fn default_days() -> i64 {
    365
}

impl Default for Plans {
    fn default() -> Self {
        let plan = |slug: &str, name: &str, sentence: &str, seat_price, credits| Plan {
            slug: slug.to_owned(),
            name: name.to_owned(),
            sentence: sentence.to_owned(),
            seat_price,
            max_seats: None,
            credits,
        };
        let pack = |slug: &str, name: &str, credits, price| Pack {
            slug: slug.to_owned(),
            name: name.to_owned(),
            credits,
            price,
            days: default_days(),
        };
        Self {
            currency: "EUR".to_owned(),
            seller: Vec::new(),
            payment: String::new(),
            due_days: default_due_days(),
            unpaid_limit: default_unpaid(),
            plans: vec![
                plan("free", "Free", "For any number of people, without credits.", 0, 0),
                plan("team", "Team", "For each person, with 5,000 credits a month.", 920, 5_000),
                plan("business", "Business", "For each person, with 50,000 credits a month.", 1_840, 50_000),
            ],
            packs: vec![
                pack("small", "1,000 credits", 1_000, 1_000),
                pack("medium", "10,000 credits", 10_000, 9_000),
                pack("large", "100,000 credits", 100_000, 80_000),
            ],
        }
    }
}

/// The plans of a file; those that are built in if none is named.
///
/// # Errors
/// What is wrong with the file, as a sentence.
pub fn read(path: &str) -> Result<Plans, String> {
    if path.is_empty() {
        return Ok(Plans::default());
    }
    let text = fs::read_to_string(path).map_err(|error| format!("can't read it: {error}"))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Plans, String> {
    let plans: Plans = serde_json::from_str(text).map_err(|error| error.to_string())?;
    plans.check()?;
    Ok(plans)
}

impl Plans {
    pub fn plan(&self, slug: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.slug == slug)
    }

    pub fn pack(&self, slug: &str) -> Option<&Pack> {
        self.packs.iter().find(|pack| pack.slug == slug)
    }

    /// The plan of a workspace that has chosen none. Its price is nothing.
    pub fn first(&self) -> Plan {
        let none = || Plan {
            slug: String::new(),
            name: String::new(),
            sentence: String::new(),
            seat_price: 0,
            max_seats: None,
            credits: 0,
        };
        self.plans.first().cloned().unwrap_or_else(none)
    }

    fn check(&self) -> Result<(), String> {
        if self.currency.len() != 3 || !self.currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(format!("the currency {:?} is not three letters such as EUR", self.currency));
        }
        if !(0..=365).contains(&self.due_days) {
            return Err("due_days is not from 0 to 365".to_owned());
        }
        if !(0..=MAX_PRICE).contains(&self.unpaid_limit) {
            return Err(format!("unpaid_limit is not from 0 to {MAX_PRICE}"));
        }
        match self.plans.first() {
            None => return Err("there is no plan".to_owned()),
            Some(first) if first.seat_price != 0 || first.credits != 0 => {
                return Err(format!("the first plan, {}, must have no price and no credits", first.slug));
            }
            Some(_) => {}
        }
        let slugs = self.plans.iter().map(|plan| (&plan.slug, &plan.name, "plan"));
        let mut seen = BTreeSet::new();
        for (slug, name, kind) in slugs.chain(self.packs.iter().map(|pack| (&pack.slug, &pack.name, "pack")))
        {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if !(1..=40).contains(&slug.len()) || !slug.chars().all(is_plain) {
                return Err(format!(
                    "the slug {slug:?} is not 1 to 40 lower-case letters, digits and hyphens"
                ));
            }
            if !seen.insert((kind, slug)) {
                return Err(format!("two {kind}s have the slug {slug}"));
            }
            if !(1..=60).contains(&name.chars().count()) || name.chars().any(char::is_control) {
                return Err(format!("the name of the {kind} {slug} is not 1 to 60 characters on one line"));
            }
        }
        let within = |what: &str, slug: &str, number: i64, least: i64, most: i64| {
            if (least..=most).contains(&number) {
                return Ok(());
            }
            Err(format!("{what} of {slug} is not from {least} to {most}"))
        };
        for plan in &self.plans {
            within("seat_price", &plan.slug, plan.seat_price, 0, MAX_PRICE)?;
            within("credits", &plan.slug, plan.credits, 0, MAX_CREDITS)?;
            within("max_seats", &plan.slug, plan.max_seats.unwrap_or(MAX_SEATS), 1, MAX_SEATS)?;
        }
        for pack in &self.packs {
            within("price", &pack.slug, pack.price, 1, MAX_PRICE)?;
            within("credits", &pack.slug, pack.credits, 1, MAX_CREDITS)?;
            within("days", &pack.slug, pack.days, 1, MAX_DAYS)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_plans_follow_the_rules_of_a_file() {
        assert_eq!(Plans::default().check(), Ok(()));
        assert_eq!(read(""), Ok(Plans::default()));
        assert!(read("/there/is/no/such/file.json").is_err());
    }

    #[test]
    fn a_file_says_what_is_wrong_with_it() {
        let file = |plans: &str, packs: &str| {
            parse(&format!(r#"{{"currency":"EUR","plans":[{plans}],"packs":[{packs}]}}"#))
        };
        let free = r#"{"slug":"free","name":"Free","seat_price":0,"max_seats":5}"#;
        let team = r#"{"slug":"team","name":"Team","seat_price":500,"credits":100}"#;
        let read = file(&format!("{free},{team}"), "").unwrap();
        assert_eq!((read.first().max_seats, read.plan("team").unwrap().credits), (Some(5), 100));
        for (plans, packs, expected) in [
            ("", "", "there is no plan"),
            (team, "", "the first plan, team, must have no price and no credits"),
            (format!("{free},{free}").as_str(), "", "two plans have the slug free"),
            (free.replace(":5", ":0").as_str(), "", "max_seats of free is not from 1 to 100000"),
            (free.replace("\"free\"", "\"Free plan\"").as_str(), "", "the slug \"Free plan\" is not"),
            (free, r#"{"slug":"s","name":"S","credits":5,"price":0}"#, "price of s is not from 1"),
            (free, r#"{"slug":"s","name":"S","credits":5,"price":5,"until":5}"#, "unknown field `until`"),
        ] {
            let error = file(plans, packs).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
