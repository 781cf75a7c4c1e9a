//! Billing for services: the plan and its seats, what they cost, invoices.

use crate::{
    clock::Timestamp,
    config::plans::Plan,
    domain::{
        Email, Invalid, TextRule,
        nouns::billing::{
            change::{self, Proposal, Wanted},
            collect,
            cost::Terms,
            line::Line,
            list::{self, Billing, Invoice, IssuedInvoice},
            profile::{self, Details, GrowTo, PostalAddress, Profile, TaxNumber},
            seats::Seats,
        },
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input,
            part::Part,
            reply::Ok200,
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What the workspace pays for, from a moment on.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingTerms)]
pub struct TermsBody {
    /// The slug of the plan.
    plan: String,
    plan_name: String,
    currency: String,
    /// What a seat costs for a whole month.
    seat_price: i64,
    /// How many seats are paid for. `null` for a plan without a price.
    seats: Option<i64>,
    /// For how many people the plan is at most. `null` for any number.
    max_seats: Option<i64>,
    /// Credits that come with each month.
    credits: i64,
    /// What a whole month costs.
    monthly: i64,
    /// From when on. `null` where no plan was ever chosen.
    starts_at: Option<Timestamp>,
}

impl From<Terms> for TermsBody {
    fn from(terms: Terms) -> Self {
        Self {
            monthly: terms.monthly(),
            starts_at: Some(terms.starts_at).filter(|at| *at != Timestamp::default()),
            plan: terms.plan,
            plan_name: terms.plan_name,
            currency: terms.currency,
            seat_price: terms.seat_price,
            seats: terms.seats,
            max_seats: terms.max_seats,
            credits: terms.credits,
        }
    }
}

/// Seats. Each active person takes one, and each pending invitation reserves one.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingSeats)]
pub struct SeatsBody {
    active: i64,
    reserved: i64,
    /// For how many people there are seats. `null` for any number.
    limit: Option<i64>,
    /// Up to how many seats in all inviting people adds some. `null` for not at all.
    grow_to: Option<i64>,
}

impl From<Seats> for SeatsBody {
    fn from(seats: Seats) -> Self {
        Self { active: seats.active, reserved: seats.reserved, limit: seats.limit, grow_to: seats.grow_to }
    }
}

/// What stands on invoices, and where they are mailed to.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingDetails)]
pub struct DetailsBody {
    /// An e-mail address. `null` for everyone who can manage billing.
    contact: Option<String>,
    address: String,
    tax_number: String,
}

impl From<Profile> for DetailsBody {
    fn from(profile: Profile) -> Self {
        Self {
            contact: Some(profile.contact).filter(|contact| !contact.is_empty()),
            address: profile.address,
            tax_number: profile.tax_number,
        }
    }
}

/// Billing of the workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = Billing)]
pub struct BillingBody {
    current: TermsBody,
    /// What begins later. `null` for nothing.
    next: Option<TermsBody>,
    seats: SeatsBody,
    /// What the present month costs if nothing changes in it any more.
    month_total: i64,
    details: DetailsBody,
}

pub async fn show(cx: ApiRequest<perm::ReadBilling>) -> ApiResult<Ok200<BillingBody>> {
    let found = list::billing(&cx.scope).await?;
    let month_total = found.month_total();
    let Billing { current, next, seats, profile, .. } = found;
    Ok(Ok200(BillingBody {
        current: current.into(),
        next: next.map(TermsBody::from),
        seats: seats.into(),
        month_total,
        details: profile.into(),
    }))
}

/// A plan that can be chosen.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanBody {
    slug: String,
    name: String,
    description: String,
    currency: String,
    /// What a seat costs for a whole month.
    seat_price: i64,
    /// For how many people it is at most. `null` for any number.
    max_seats: Option<i64>,
    /// Credits that come with each month.
    credits: i64,
}

pub async fn plans(cx: ApiRequest<perm::ReadBilling, Query<Part>>) -> ApiResult<Ok200<PageBody<PlanBody>>> {
    let currency = list::currency(&cx.scope);
    let body = |plan: Plan| PlanBody {
        slug: plan.slug,
        name: plan.name,
        description: plan.sentence,
        currency: currency.clone(),
        seat_price: plan.seat_price,
        max_seats: plan.max_seats,
        credits: plan.credits,
    };
    let plans = list::plans(&cx.scope).into_iter().map(body);
    Ok(Ok200(cx.input.0.of(plans, |plan: &PlanBody| plan.slug.clone())?))
}

/// What a change costs.
#[derive(Serialize, ToSchema)]
#[schema(as = PlanProposal)]
pub struct ProposalBody {
    before: TermsBody,
    after: TermsBody,
    /// It begins at once, and not with the next month.
    is_immediate: bool,
    /// It is another plan, or another number of seats.
    is_change: bool,
    /// What the present month costs without it.
    month_before: i64,
    /// What the present month costs with it.
    month_after: i64,
    /// Credits that come at once.
    credits: i64,
}

impl From<Proposal> for ProposalBody {
    fn from(proposal: Proposal) -> Self {
        Self {
            is_immediate: proposal.is_immediate,
            is_change: proposal.is_change,
            month_before: proposal.month_before,
            month_after: proposal.month_after,
            credits: proposal.credits,
            before: proposal.before.into(),
            after: proposal.after.into(),
        }
    }
}

/// Which change to compute.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PreviewQuery {
    #[param(schema_with = spec::plan)]
    plan: String,
    #[param(schema_with = spec::seats)]
    seats: Option<i64>,
}

pub async fn preview(
    cx: ApiRequest<perm::ManageBilling, Query<PreviewQuery>>,
) -> ApiResult<Ok200<ProposalBody>> {
    let PreviewQuery { plan, seats } = cx.input.0;
    Ok(Ok200(change::preview(&cx.scope, &Wanted { plan, seats }).await?.into()))
}

/// The plan to change to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlanChange)]
pub struct NewPlan {
    #[schema(schema_with = spec::plan)]
    plan: String,
    #[schema(schema_with = spec::maybe_seats)]
    seats: Option<i64>,
}

pub async fn set_plan(cx: ApiRequest<perm::ManageBilling, Json<NewPlan>>) -> ApiResult<Ok200<ProposalBody>> {
    let Json(NewPlan { plan, seats }) = cx.input;
    let wanted = Wanted { plan, seats };
    let done = cx.scope.write(async |s| change::set(s, &wanted, "").await).await?;
    Ok(Ok200(done.into()))
}

/// What stands on invoices. A field that is left out becomes empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBillingDetails)]
pub struct NewDetails {
    #[schema(schema_with = spec::maybe_text::<Email>)]
    contact: Option<String>,
    #[schema(schema_with = spec::maybe_text::<PostalAddress>)]
    address: Option<String>,
    #[schema(schema_with = spec::maybe_text::<TaxNumber>)]
    tax_number: Option<String>,
}

impl Validate for NewDetails {
    type Valid = Details;

    fn validate(&self, invalid: &mut Invalid) -> Option<Details> {
        let contact = invalid.check("contact", input::optional::<Email>(&self.contact));
        let address = self.address.as_deref().unwrap_or_default();
        let address = invalid.check("address", PostalAddress::parse_exact(address));
        let tax_number = self.tax_number.as_deref().unwrap_or_default();
        let tax_number = invalid.check("tax_number", TaxNumber::parse_exact(tax_number));
        Some(Details { contact: contact?, address: address?, tax_number: tax_number? })
    }
}

pub async fn set_details(
    cx: ApiRequest<perm::ManageBilling, Json<Checked<NewDetails>>>,
) -> ApiResult<Ok200<DetailsBody>> {
    let details = cx.input.0.valid?;
    let done = cx.scope.write(async |s| profile::set_details(s, &details).await).await?;
    Ok(Ok200(done.into()))
}

/// Whether inviting people adds seats.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SeatGrowth)]
pub struct Growth {
    /// Up to how many seats in all. `null` for not at all.
    #[schema(schema_with = spec::grow_to)]
    grow_to: Option<i64>,
}

impl Validate for Growth {
    type Valid = GrowTo;

    fn validate(&self, invalid: &mut Invalid) -> Option<GrowTo> {
        invalid.check_all(GrowTo::parse(self.grow_to))
    }
}

/// Whether inviting people adds seats.
#[derive(Serialize, ToSchema)]
#[schema(as = SeatGrowthResult)]
pub struct GrowthBody {
    grow_to: Option<i64>,
}

pub async fn set_growth(
    cx: ApiRequest<perm::ManageBilling, Json<Checked<Growth>>>,
) -> ApiResult<Ok200<GrowthBody>> {
    let to = cx.input.0.valid?;
    let to = cx.scope.write(async |s| profile::set_growth(s, to).await).await?;
    Ok(Ok200(GrowthBody { grow_to: to.get() }))
}

/// An invoice.
#[derive(Serialize, ToSchema)]
#[schema(as = Invoice)]
pub struct InvoiceBody {
    id: Uuid,
    /// What stands on it, such as INV-000042.
    number: String,
    /// The first moment of the month that it is for.
    month_starts_at: Timestamp,
    currency: String,
    total: i64,
    issued_at: Timestamp,
    due_at: Timestamp,
    /// `null` while it is open.
    paid_at: Option<Timestamp>,
    /// What identifies the payment.
    payment_reference: Option<String>,
}

impl From<Invoice> for InvoiceBody {
    fn from(invoice: Invoice) -> Self {
        Self {
            number: invoice.name(),
            id: invoice.id,
            month_starts_at: invoice.month,
            currency: invoice.currency,
            total: invoice.total,
            issued_at: invoice.issued_at,
            due_at: invoice.due_at,
            paid_at: invoice.paid_at,
            payment_reference: invoice.reference,
        }
    }
}

/// Which page of the invoices.
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

pub async fn invoices(
    cx: ApiRequest<perm::ReadBilling, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<InvoiceBody>>> {
    let query = cx.input.0;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(list::invoices(&cx.scope, &at).await?.into()))
}

/// An item of an invoice.
#[derive(Serialize, ToSchema)]
#[schema(as = InvoiceItem)]
pub struct LineBody {
    kind: LineKind,
    /// What the plan or the pack of credits was called.
    name: String,
    quantity: i64,
    /// For a whole month, where it is one of seats.
    unit_price: i64,
    /// From this moment on.
    from: Timestamp,
    /// Before this moment.
    until: Timestamp,
    amount: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvoiceItemKind)]
pub enum LineKind {
    Seats,
    Credits,
}

impl From<Line> for LineBody {
    fn from(line: Line) -> Self {
        Self {
            kind: if line.kind == "seats" { LineKind::Seats } else { LineKind::Credits },
            name: line.name,
            quantity: line.quantity,
            unit_price: line.unit_price,
            from: line.from_at,
            until: line.until_at,
            amount: line.amount,
        }
    }
}

/// An invoice with each item.
#[derive(Serialize, ToSchema)]
#[schema(as = InvoiceDetail)]
pub struct InvoiceDetailBody {
    invoice: InvoiceBody,
    /// Who it is for, line by line.
    customer: String,
    /// Who issued it, line by line.
    seller: String,
    items: Vec<LineBody>,
    /// A page on which it can be paid at once. `null` where there is none, and for keys that can't manage billing.
    payment_page: Option<String>,
}

pub async fn invoice(cx: ApiRequest<perm::ReadBilling, Target>) -> ApiResult<Ok200<InvoiceDetailBody>> {
    let id = cx.input.0;
    let IssuedInvoice { invoice, customer, seller, lines, .. } = list::invoice(&cx.scope, id).await?;
    let payment_page = match cx.scope.duplicate().narrow::<perm::ManageBilling>() {
        Some(scope) => collect::page(&scope, id).await?,
        None => None,
    };
    let items = lines.into_iter().map(LineBody::from).collect();
    Ok(Ok200(InvoiceDetailBody { invoice: invoice.into(), customer, seller, items, payment_page }))
}
