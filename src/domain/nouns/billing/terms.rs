//! What a workspace agreed to, from when on: rows that are read by the clock, so that what begins next month needs nobody
//! to begin it.

use crate::{
    clock::Timestamp,
    config::plans::{Plan, Plans},
    domain::{
        enforce::rows::Scoped,
        nouns::{
            billing::cost::{Month, Terms},
            credits::book::InTransaction,
        },
    },
};
use sea_orm::{DbErr, FromQueryResult};

/// What is agreed at a moment, and what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    pub current: Terms,
    pub next: Option<Terms>,
}

const SELECT: &str =
    "SELECT t.starts_at, t.plan, t.plan_name, t.currency, t.seat_price, t.seats, t.max_seats, t.credits
    FROM billing_terms t WHERE t.workspace_id = $1
        AND t.starts_at >= COALESCE((SELECT MAX(b.starts_at) FROM billing_terms b
            WHERE b.workspace_id = $1 AND b.starts_at <= $2), 0)";

/// A plan as terms. A plan with a price takes a number of seats.
pub fn of_plan(plans: &Plans, plan: &Plan, seats: i64, starts_at: Timestamp) -> Terms {
    Terms {
        starts_at,
        plan: plan.slug.clone(),
        plan_name: plan.name.clone(),
        currency: plans.currency.clone(),
        seat_price: plan.seat_price,
        seats: (plan.seat_price > 0).then_some(seats),
        max_seats: plan.max_seats,
        credits: plan.credits,
    }
}

/// What is agreed at this moment. Without anything it is the first plan.
pub(in crate::domain) async fn load(
    scope: &impl Scoped,
    plans: &Plans,
    now: Timestamp,
) -> Result<Agreement, DbErr> {
    let sql = format!("{SELECT} ORDER BY t.starts_at LIMIT 2");
    let rows: Vec<Terms> = scope.all(&sql, vec![now.into()]).await?;
    let (current, next): (Vec<Terms>, Vec<Terms>) =
        rows.into_iter().partition(|terms| terms.starts_at <= now);
    let first = || of_plan(plans, &plans.first(), 1, Timestamp::default());
    let mut current = current.into_iter().next().unwrap_or_else(first);
    // It may be older than the currency of the file, and what is bought beside it has that.
    if current.seat_price == 0 {
        current.currency.clone_from(&plans.currency);
    }
    Ok(Agreement { current, next: next.into_iter().next() })
}

/// The moment at which something else is agreed: after whatever another node has agreed whose clock is ahead. What was to
/// begin later begins at the first moment of a month, and is not meant.
pub(in crate::domain) async fn moment(scope: &impl Scoped, now: Timestamp) -> Result<Timestamp, DbErr> {
    #[derive(FromQueryResult)]
    struct Start {
        starts_at: Timestamp,
    }
    let sql = "SELECT t.starts_at FROM billing_terms t WHERE t.workspace_id = $1 AND t.starts_at >= $2";
    let rows: Vec<Start> = scope.all(sql, vec![now.into()]).await?;
    let starts = rows.into_iter().map(|row| row.starts_at);
    let latest = starts.filter(|at| *at != Month::of(*at).start()).max();
    Ok(latest.map_or(now, |latest| latest + 1))
}

/// What was agreed in a month, and at its end, in order.
pub(in crate::domain) async fn of_month(scope: &impl Scoped, month: Month) -> Result<Vec<Terms>, DbErr> {
    let sql = format!("{SELECT} AND t.starts_at <= $3 ORDER BY t.starts_at");
    scope.all(&sql, vec![month.start().into(), month.end().into()]).await
}

/// Writes terms; of two of the same moment the later one stays.
pub(in crate::domain) async fn agree<S: InTransaction>(s: &S, terms: &Terms) -> Result<(), DbErr> {
    let sql = "INSERT INTO billing_terms (workspace_id, starts_at, plan, plan_name, currency, seat_price, seats, max_seats,
            credits)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (workspace_id, starts_at) DO UPDATE SET plan = excluded.plan, plan_name = excluded.plan_name,
            currency = excluded.currency, seat_price = excluded.seat_price, seats = excluded.seats,
            max_seats = excluded.max_seats, credits = excluded.credits";
    let values = vec![
        terms.starts_at.into(),
        terms.plan.as_str().into(),
        terms.plan_name.as_str().into(),
        terms.currency.as_str().into(),
        terms.seat_price.into(),
        terms.seats.into(),
        terms.max_seats.into(),
        terms.credits.into(),
    ];
    s.run(sql, values).await.map(drop)
}

/// Takes back what was to begin after this moment.
pub(in crate::domain) async fn forget_after<S: InTransaction>(s: &S, now: Timestamp) -> Result<(), DbErr> {
    let sql = "DELETE FROM billing_terms WHERE workspace_id = $1 AND starts_at > $2";
    s.run(sql, vec![now.into()]).await.map(drop)
}

/// In what begins after this moment there are no fewer seats, as far as they have a price.
pub(in crate::domain) async fn grow_later<S: InTransaction>(
    s: &S,
    seats: i64,
    now: Timestamp,
) -> Result<(), DbErr> {
    let sql = "UPDATE billing_terms SET seats = $3 WHERE workspace_id = $1 AND starts_at > $2 AND seats < $3";
    s.run(sql, vec![now.into(), seats.into()]).await.map(drop)
}
