//! Which members services mean.

use crate::domain::{
    base::{refused::Refused, subject::Subject},
    enforce::rows::Scoped,
};
use sea_orm::{FromQueryResult, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    iter, mem,
};
use uuid::Uuid;

/// A member with the id by which they are meant.
#[derive(FromQueryResult)]
struct Meant {
    /// Which of the kinds of subjects.
    place: i32,
    id: Option<Uuid>,
    text: Option<String>,
    member_id: Uuid,
}

const BY_USER: &[&str] = &[
    "m.user_id AS id, CAST(NULL AS TEXT) AS text, m.id AS member_id
        FROM members m WHERE m.workspace_id = $1 AND m.user_id IN ({})",
    // By the id that a user had when a service entered them, before they accepted.
    "m.provisioned_as AS id, CAST(NULL AS TEXT) AS text, m.id AS member_id
        FROM members m WHERE m.workspace_id = $1 AND m.provisioned_as IN ({})",
];

const BY_EMAIL: &[&str] = &[
    // Beginning with the address: SQLite takes the tables of a CROSS JOIN in their order.
    "CAST(NULL AS UUID) AS id, u.email AS text, m.id AS member_id FROM users u CROSS JOIN members m
        WHERE u.email IN ({}) AND u.email_verified_at IS NOT NULL
            AND m.workspace_id = $1 AND m.user_id = u.id",
    // Whom a service of this workspace entered under this address.
    "CAST(NULL AS UUID) AS id, u.awaited_email AS text, m.id AS member_id FROM users u CROSS JOIN members m
        WHERE u.awaited_email IN ({}) AND m.workspace_id = $1 AND m.user_id = u.id",
];

const BY_EXTERNAL_ID: &[&str] = &["CAST(NULL AS UUID) AS id, m.external_id AS text, m.id AS member_id
        FROM members m WHERE m.workspace_id = $1 AND m.external_id IN ({})"];

const BY_API_KEY: &[&str] = &["m.api_key_id AS id, CAST(NULL AS TEXT) AS text, m.id AS member_id
        FROM members m WHERE m.workspace_id = $1 AND m.api_key_id IN ({})"];

/// The SQL that finds the members of this kind, whose ids are at `{}`.
const fn lookups(of: &Subject) -> &'static [&'static str] {
    match of {
        Subject::User(_) => BY_USER,
        Subject::Email(_) => BY_EMAIL,
        Subject::External(_) => BY_EXTERNAL_ID,
        Subject::ApiKey(_) => BY_API_KEY,
        Subject::Nobody => &[],
    }
}

fn value(of: &Subject) -> Value {
    match of {
        Subject::User(id) | Subject::ApiKey(id) => (*id).into(),
        Subject::Email(text) | Subject::External(text) => text.as_str().into(),
        Subject::Nobody => Value::String(None),
    }
}

/// The memberships of those who are meant, whether they are active or not. Whoever could be two members is nobody.
/// One SQL statement, or none.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn member_ids<'a>(
    scope: &impl Scoped,
    subjects: impl IntoIterator<Item = &'a Subject>,
) -> Result<BTreeMap<Subject, Uuid>, Refused> {
    let subjects: BTreeSet<&Subject> = subjects.into_iter().collect();
    let mut ways: Vec<Vec<&Subject>> = Vec::new();
    for subject in subjects.into_iter().filter(|subject| !lookups(subject).is_empty()) {
        match ways.iter_mut().find(|way| mem::discriminant(way[0]) == mem::discriminant(subject)) {
            Some(way) => way.push(subject),
            None => ways.push(vec![subject]),
        }
    }
    if ways.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (mut values, mut parts): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for (place, way) in ways.iter().enumerate() {
        // As many as a power of two, so that there are few statements to prepare.
        let padded = way.iter().chain(iter::repeat(&way[0])).take(way.len().next_power_of_two());
        let places: Vec<String> = padded
            .map(|subject| {
                values.push(value(subject));
                format!("${}", values.len() + 1)
            })
            .collect();
        let places = places.join(", ");
        let lookup = |sql: &&str| format!("SELECT {place} AS place, {}", sql.replace("{}", &places));
        parts.extend(lookups(way[0]).iter().map(lookup));
    }
    let rows: Vec<Meant> = scope.all(&parts.join(" UNION ALL "), values).await?;
    let mut members: BTreeMap<Subject, BTreeSet<Uuid>> = BTreeMap::new();
    for row in rows {
        let way = usize::try_from(row.place).ok().and_then(|place| ways.get(place));
        let subject = match (way.map(|way| way[0]), row.id, row.text) {
            (Some(Subject::User(_)), Some(id), _) => Subject::User(id),
            (Some(Subject::ApiKey(_)), Some(id), _) => Subject::ApiKey(id),
            (Some(Subject::Email(_)), _, Some(text)) => Subject::Email(text),
            (Some(Subject::External(_)), _, Some(text)) => Subject::External(text),
            _ => continue,
        };
        members.entry(subject).or_default().insert(row.member_id);
    }
    let only = |(subject, ids): (Subject, BTreeSet<Uuid>)| match ids.len() {
        1 => Some((subject, ids.into_iter().next()?)),
        _ => None,
    };
    Ok(members.into_iter().filter_map(only).collect())
}

/// The membership of whoever is meant.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn member_id(
    scope: &impl Scoped,
    subject: &Subject,
) -> Result<Option<Uuid>, Refused> {
    Ok(member_ids(scope, [subject]).await?.remove(subject))
}
