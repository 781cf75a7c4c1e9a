//! Purchases of credits for services: packs, buying, what was bought, and the limits of the workspace.

use crate::{
    clock::Timestamp,
    config::plans::Pack,
    domain::{
        Invalid, Slug,
        nouns::{
            credits::ClientId,
            purchases::{
                Purchase,
                buy::{self, Order},
                list,
                rules::{self, Rules},
            },
        },
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input,
            part::Part,
            reply::{Created, Ok200},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Credits that can be bought.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditPack)]
pub struct PackBody {
    slug: String,
    name: String,
    credits: i64,
    price: i64,
    currency: String,
    /// For how many days they can be used.
    days: i64,
}

pub async fn packs(
    cx: ApiRequest<perm::PurchaseCredits, Query<Part>>,
) -> ApiResult<Ok200<PageBody<PackBody>>> {
    let currency = buy::currency_of(&cx.scope);
    let body = |pack: Pack| PackBody {
        slug: pack.slug,
        name: pack.name,
        credits: pack.credits,
        price: pack.price,
        currency: currency.clone(),
        days: pack.days,
    };
    let packs = buy::packs(&cx.scope).into_iter().map(body);
    Ok(Ok200(cx.input.0.of(packs, |pack: &PackBody| pack.slug.clone())?))
}

/// A purchase, or a request for one.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditPurchase)]
pub struct PurchaseBody {
    id: Uuid,
    /// The ID of the request, as the client chose it.
    client_id: String,
    /// The slug of the pack.
    pack: String,
    name: String,
    credits: i64,
    price: i64,
    currency: String,
    status: StatusWord,
    /// The slug of the role whose limit it counts against.
    role: String,
    requested_at: Timestamp,
    /// Until when it waits for approval, where it does.
    expires_at: Option<Timestamp>,
    /// When it was bought, declined or withdrawn.
    decided_at: Option<Timestamp>,
    /// The transfer of the ledger by which the credits came in.
    transfer_id: Option<Uuid>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditPurchaseStatus)]
pub enum StatusWord {
    Pending,
    Bought,
    Declined,
    Withdrawn,
    Expired,
}

impl From<Purchase> for PurchaseBody {
    fn from(purchase: Purchase) -> Self {
        Self {
            status: match purchase.status.as_str() {
                "pending" => StatusWord::Pending,
                "bought" => StatusWord::Bought,
                "declined" => StatusWord::Declined,
                "withdrawn" => StatusWord::Withdrawn,
                _ => StatusWord::Expired,
            },
            expires_at: purchase.expires_at.filter(|_| purchase.is_pending()),
            id: purchase.id,
            client_id: purchase.client_ref,
            pack: purchase.pack,
            name: purchase.name,
            credits: purchase.credits,
            price: purchase.price,
            currency: purchase.currency,
            role: purchase.role,
            requested_at: purchase.requested_at,
            decided_at: purchase.decided_at,
            transfer_id: purchase.transfer_id,
        }
    }
}

/// Which page of the purchases.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

pub async fn index(
    cx: ApiRequest<perm::PurchaseCredits, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<PurchaseBody>>> {
    let query = cx.input.0;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(list::list(&cx.scope, &at).await?.into()))
}

pub async fn show(cx: ApiRequest<perm::PurchaseCredits, Target>) -> ApiResult<Ok200<PurchaseBody>> {
    Ok(Ok200(list::get(&cx.scope, cx.input.0).await?.into()))
}

/// A pack to buy.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCreditPurchase)]
pub struct NewPurchase {
    #[schema(schema_with = spec::text::<ClientId>)]
    id: String,
    #[schema(schema_with = spec::pack)]
    pack: String,
}

impl Validate for NewPurchase {
    type Valid = Order;

    fn validate(&self, invalid: &mut Invalid) -> Option<Order> {
        let client_id = invalid.check("id", buy::program_id(&self.id));
        Some(Order { client_id: client_id?, pack: self.pack.clone(), seen_price: None })
    }
}

pub async fn purchase(
    cx: ApiRequest<perm::PurchaseCredits, Json<Checked<NewPurchase>>>,
) -> ApiResult<Created<PurchaseBody>> {
    let order = cx.input.0.valid?;
    let done = cx.scope.write(async |s| buy::buy(s, &order).await).await?;
    let location = format!("/api/sso/v1/credits/purchases/{}", done.id);
    Ok(Created { body: done.into(), location })
}

/// What everyone with a role can buy in a month, together.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PurchaseCeiling)]
pub struct CeilingBody {
    #[schema(schema_with = spec::text::<Slug>)]
    role: String,
    #[schema(schema_with = spec::limit_of_purchases)]
    amount: i64,
}

/// The limits of purchases, as a whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PurchaseLimits)]
pub struct Limits {
    /// What costs more needs approval. `null`: nothing does.
    #[schema(schema_with = spec::maybe_limit_of_purchases)]
    approve_above: Option<i64>,
    /// Roles that are not named have no limit.
    #[schema(max_items = 200)]
    ceilings: Vec<CeilingBody>,
}

impl Validate for Limits {
    type Valid = Rules;

    fn validate(&self, invalid: &mut Invalid) -> Option<Rules> {
        let mut ceilings = BTreeMap::new();
        for ceiling in &self.ceilings {
            if ceilings.insert(ceiling.role.clone(), ceiling.amount).is_some() {
                invalid.add("ceilings", "Name each role once.");
            }
        }
        invalid.check_all(Rules { approve_above: self.approve_above, ceilings }.check())
    }
}

/// The limits of purchases.
#[derive(Serialize, ToSchema)]
#[schema(as = PurchaseLimitsResult)]
pub struct LimitsBody {
    /// What costs more needs approval. `null`: nothing does.
    approve_above: Option<i64>,
    ceilings: Vec<CeilingBody>,
}

impl From<Rules> for LimitsBody {
    fn from(rules: Rules) -> Self {
        let ceiling = |(role, amount)| CeilingBody { role, amount };
        Self {
            approve_above: rules.approve_above,
            ceilings: rules.ceilings.into_iter().map(ceiling).collect(),
        }
    }
}

pub async fn limits(cx: ApiRequest<perm::ReadBilling>) -> ApiResult<Ok200<LimitsBody>> {
    Ok(Ok200(rules::get(&cx.scope).await?.into()))
}

pub async fn set_limits(
    cx: ApiRequest<perm::ManageBilling, Json<Checked<Limits>>>,
) -> ApiResult<Ok200<LimitsBody>> {
    let to = cx.input.0.valid?;
    let done = cx.scope.write(async |s| rules::set(s, &to).await).await?;
    Ok(Ok200(done.into()))
}
