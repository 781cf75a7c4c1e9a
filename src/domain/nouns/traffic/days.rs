//! The requests of each day.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::refused::Refused,
        enforce::{read::ReadScope, rows::Scoped},
    },
    policy::perm,
};
use serde::Deserialize;
use uuid::Uuid;

/// How many days are counted, with today.
pub const CHART_DAYS: usize = 30;

/// The requests of a day, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Day {
    /// Its first moment.
    pub day: Timestamp,
    /// The destination answered with a status below 400.
    pub answered: i64,
    /// The destination answered with a status from 400 to 499.
    pub client_errors: i64,
    /// The destination answered with a status from 500 on, or not to the end.
    pub failed: i64,
    /// They were not sent.
    pub refused: i64,
    pub bytes_in: i64,
    pub bytes_out: i64,
    /// How many of them are not listed, because there were too many at once.
    pub unlisted: i64,
}

/// The columns of a [`Day`], in the order of its fields.
const FIELDS: [&str; 8] =
    ["day", "answered", "client_errors", "failed", "refused", "bytes_in", "bytes_out", "unlisted"];

impl Day {
    /// The number of requests.
    pub fn all(&self) -> i64 {
        self.answered + self.client_errors + self.failed + self.refused
    }
}

/// The last [`CHART_DAYS`] days, the earliest first: of the whole workspace, or of one of its keys or destinations.
///
/// # Errors
/// The database's own.
pub async fn days(
    scope: &ReadScope<perm::ReadDestinations>,
    subject: Option<Uuid>,
) -> Result<Vec<Day>, Refused> {
    let now = scope.now();
    let today = now - now.as_millis().rem_euclid(DAY);
    let ago = |days: usize| today - DAY * i64::try_from(days).unwrap_or_default();
    let first = ago(CHART_DAYS - 1);
    let sql =
        "SELECT d.day, d.answered, d.client_errors, d.failed, d.refused, d.bytes_in, d.bytes_out, d.unlisted
        FROM traffic_days d WHERE d.workspace_id = $1 AND d.subject_id = $2 AND d.day >= $3";
    let values = vec![subject.unwrap_or_default().into(), first.into()];
    let counted: Vec<Day> = scope.list(&FIELDS, sql, values).await?;
    let of = |day: Timestamp| counted.iter().find(|counted| counted.day == day).copied();
    let all = (0..CHART_DAYS).rev().map(ago);
    Ok(all.map(|day| of(day).unwrap_or(Day { day, ..Day::default() })).collect())
}
