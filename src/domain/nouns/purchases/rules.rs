//! What a workspace allows: up to which price nothing needs approval, and what everybody with a role can buy in a month.

use crate::{
    config::plans::Plans,
    domain::{
        base::{
            conflict::DetailedConflict,
            event::Recorded,
            invalid::Invalid,
            money::money,
            refused::Refused,
            role::{Role, Roles},
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            billing::{cost::Month, profile},
            purchases::{
                OVER_LIMIT,
                events::{PurchaseRulesChanged, target},
            },
        },
    },
    policy::{Permission, perm},
};
use sea_orm::{DbErr, FromQueryResult};
use std::collections::BTreeMap;

/// The highest limit that can be set, in the smallest unit of the currency.
pub const MAX_LIMIT: i64 = 1_000_000_000_000;

/// What a workspace allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What costs more needs approval; `None`: nothing does.
    pub approve_above: Option<i64>,
    /// What everybody with a role can buy in a month, together, by its slug. Without a ceiling there is no limit.
    pub ceilings: BTreeMap<String, i64>,
}

impl Rules {
    /// # Errors
    /// On `approve_above` or `ceiling`, unless it is from 0 to [`MAX_LIMIT`].
    pub fn check(self) -> Result<Self, Invalid> {
        let is_wrong = |limit: &i64| !(0..=MAX_LIMIT).contains(limit);
        let sentence = "Enter an amount of at most ten billion, or nothing.";
        match () {
            () if self.approve_above.iter().any(is_wrong) => Err(Invalid::field("approve_above", sentence)),
            () if self.ceilings.values().any(is_wrong) => Err(Invalid::field("ceiling", sentence)),
            () => Ok(self),
        }
    }
}

#[derive(FromQueryResult)]
struct Ceiling {
    slug: String,
    amount: i64,
}

pub(super) async fn load(scope: &impl Scoped) -> Result<Rules, DbErr> {
    let sql = "SELECT r.slug, c.amount FROM purchase_ceilings c CROSS JOIN roles r
        WHERE c.workspace_id = $1 AND r.workspace_id = c.workspace_id AND r.id = c.role_id";
    let ceilings: Vec<Ceiling> = scope.all(sql, Vec::new()).await?;
    Ok(Rules {
        approve_above: profile::load(scope).await?.approve_above,
        ceilings: ceilings.into_iter().map(|ceiling| (ceiling.slug, ceiling.amount)).collect(),
    })
}

/// What the workspace allows.
///
/// # Errors
/// The database's own.
pub async fn get<P>(scope: &ReadScope<P>) -> Result<Rules, Refused> {
    Ok(load(scope).await?)
}

/// Whether whoever has this role can buy.
pub fn can_buy(role: &Role) -> bool {
    role.is_owner || role.holdings.has(Permission::PurchaseCredits)
}

/// Changes it, as a whole.
///
/// # Errors
/// [`Refused::Invalid`] on `role` for one that the workspace does not have.
pub async fn set(s: &mut WriteScope<perm::ManageBilling>, to: &Rules) -> Result<Recorded<Rules>, Refused> {
    let all = s.actor().all_roles.clone();
    let before = load(s).await?;
    if let Some(slug) = to.ceilings.keys().find(|slug| all.by_slug(slug).is_none()) {
        return Err(Invalid::field("role", format!("There is no role {slug}.")).into());
    }
    if before == *to {
        return Ok(Recorded::unchanged(before));
    }
    profile::create(s, s.now()).await?;
    let sql = "UPDATE billing_profiles SET approve_above = $2 WHERE workspace_id = $1";
    s.run(sql, vec![to.approve_above.into()]).await?;
    s.run("DELETE FROM purchase_ceilings WHERE workspace_id = $1", Vec::new()).await?;
    for (slug, amount) in &to.ceilings {
        let Some(role) = all.by_slug(slug) else { continue };
        let sql = "INSERT INTO purchase_ceilings (workspace_id, role_id, amount) VALUES ($1, $2, $3)";
        s.run(sql, vec![role.id.into(), (*amount).into()]).await?;
    }
    let currency = s.open().db.plans().currency.clone();
    let event = PurchaseRulesChanged {
        before: in_words(&before, &all, &currency),
        after: in_words(to, &all, &currency),
    };
    Ok(Recorded::new(to.clone(), event, target(None)))
}

/// The rules as texts, for the record.
fn in_words(rules: &Rules, all: &Roles, currency: &str) -> Vec<String> {
    let approval = rules.approve_above.map(|limit| format!("Approval above {}", money(limit, currency)));
    let named = |slug: &String| all.by_slug(slug).map_or(slug.clone(), |role| role.name.clone());
    let ceiling =
        |(slug, amount): (&String, &i64)| format!("{}: {} a month", named(slug), money(*amount, currency));
    approval.into_iter().chain(rules.ceilings.iter().map(ceiling)).collect()
}

#[derive(FromQueryResult)]
struct Bought {
    role: String,
    sum: i64,
}

/// What was bought in the month under each role, by its slug.
async fn bought(scope: &impl Scoped, month: Month) -> Result<BTreeMap<String, i64>, DbErr> {
    let sql = "SELECT p.role, CAST(SUM(p.price) AS BIGINT) AS sum FROM credit_purchases p
        WHERE p.workspace_id = $1 AND p.status = 'bought' AND p.month = $2 GROUP BY p.role";
    let rows: Vec<Bought> = scope.all(sql, vec![month.start().into()]).await?;
    Ok(rows.into_iter().map(|row| (row.role, row.sum)).collect())
}

/// What is left of a role's ceiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The slug of the role.
    pub role: String,
    pub name: String,
    /// `None` for any price.
    pub left: Option<i64>,
}

/// The role under which somebody with these roles can buy most: one without a ceiling, or else the one of whose ceiling
/// most is left. `None` for somebody none of whose roles can buy.
pub(super) async fn room(
    scope: &impl Scoped,
    rules: &Rules,
    roles: &[&Role],
    month: Month,
) -> Result<Option<Room>, DbErr> {
    let buying: Vec<&&Role> = roles.iter().filter(|role| can_buy(role)).collect();
    let is_limited = buying.iter().all(|role| rules.ceilings.contains_key(&role.slug));
    let bought = if is_limited && !buying.is_empty() { bought(scope, month).await? } else { BTreeMap::new() };
    let room = |role: &&Role| Room {
        role: role.slug.clone(),
        name: role.name.clone(),
        left: rules
            .ceilings
            .get(&role.slug)
            .map(|ceiling| ceiling.saturating_sub(bought.get(&role.slug).copied().unwrap_or(0)).max(0)),
    };
    // `None` is no limit, and not the least.
    Ok(buying.into_iter().map(room).max_by_key(|room| room.left.unwrap_or(i64::MAX)))
}

/// The refusal of what is more than is left of a ceiling.
pub(super) fn over_ceiling(room: &Room, price: i64, plans: &Plans) -> Refused {
    let left = money(room.left.unwrap_or(0), &plans.currency);
    let price = money(price, &plans.currency);
    DetailedConflict {
        code: "over-ceiling",
        sentence: format!(
            "This costs {price}, and everyone with the buyer's role together can buy for {left} more this month."
        ),
        notes: vec!["Someone who can manage billing can raise the limit on the page Billing.".to_owned()],
        links: vec![("/credits/purchases".to_owned(), "Purchases".to_owned())],
        reason: OVER_LIMIT,
    }
    .into()
}
