//! Credits of the workspace: what there is, the ledger, and holding and using them.

use crate::{
    clock::{SECOND, Timestamp},
    domain::{
        Description, Invalid, Refused, TextRule,
        nouns::credits::{
            self, Amount, Balance, ClientId, DEFAULT_HOLD, Filter, Grant, LedgerTransfer, TransferKind,
            notice::{self, NoticeBelow},
            spend::{self, Hold, HoldAnswer, Request, UseAnswer},
        },
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input,
            reply::{Created, Ok200},
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

/// The credits of the workspace.
#[derive(Serialize, ToSchema)]
pub struct CreditsBody {
    /// What can be held or used.
    available: i64,
    /// What is reserved by holds.
    held: i64,
    /// What is left of each grant, in the order in which they are used: what expires soonest first, and of that what
    /// is included before what was bought. At most 100.
    grants: Vec<GrantBody>,
    /// Below how many credits those who can buy get an e-mail, at most once a day. `null` for never.
    notice_below: Option<i64>,
}

/// What is left of a grant.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditGrant)]
pub struct GrantBody {
    id: Uuid,
    source: SourceWord,
    /// How many credits it had.
    granted: i64,
    /// How many are neither used nor held.
    left: i64,
    note: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditSource)]
pub enum SourceWord {
    Included,
    Bought,
}

impl From<Grant> for GrantBody {
    fn from(grant: Grant) -> Self {
        Self {
            source: if grant.is_bought() { SourceWord::Bought } else { SourceWord::Included },
            id: grant.id,
            granted: grant.granted,
            left: grant.left,
            note: grant.note,
            created_at: grant.created_at,
            expires_at: grant.expires_at,
        }
    }
}

pub async fn show(cx: ApiRequest<perm::ReadCredits>) -> ApiResult<Ok200<CreditsBody>> {
    let Balance { available, held } = credits::balance(&cx.scope).await?;
    let grants = credits::grants_left(&cx.scope).await?.into_iter().map(GrantBody::from).collect();
    let notice_below = notice::get(&cx.scope).await?.get();
    Ok(Ok200(CreditsBody { available, held, grants, notice_below }))
}

/// A movement of credits. One is never changed: a correction is another one.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditTransfer)]
pub struct TransferBody {
    id: Uuid,
    /// Its number in the ledger, from 1.
    number: i64,
    at: Timestamp,
    kind: KindWord,
    /// How many credits moved.
    amount: i64,
    /// What that did to the number of available credits: below zero where there were fewer after it.
    change: i64,
    /// The hold that it belongs to.
    hold_id: Option<Uuid>,
    /// The transfer that it took back.
    reverses_id: Option<Uuid>,
    /// The ID of the request, as the client chose it.
    client_id: Option<String>,
    api_key_id: Option<Uuid>,
    /// The name of the key at that moment. Empty if Bailiwick itself made it.
    api_key_name: String,
    note: String,
}

/// Why credits moved.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditTransferKind)]
pub enum KindWord {
    Grant,
    Usage,
    Hold,
    Settlement,
    Release,
    Expiry,
    Reversal,
}

impl From<TransferKind> for KindWord {
    fn from(kind: TransferKind) -> Self {
        match kind {
            TransferKind::Grant => Self::Grant,
            TransferKind::Usage => Self::Usage,
            TransferKind::Hold => Self::Hold,
            TransferKind::Settlement => Self::Settlement,
            TransferKind::Release => Self::Release,
            TransferKind::Expiry => Self::Expiry,
            TransferKind::Reversal => Self::Reversal,
        }
    }
}

impl From<LedgerTransfer> for TransferBody {
    fn from(transfer: LedgerTransfer) -> Self {
        Self {
            // The database has no other.
            kind: transfer.kind().map_or(KindWord::Reversal, KindWord::from),
            id: transfer.id,
            number: transfer.seq,
            at: transfer.at,
            amount: transfer.amount,
            change: transfer.change,
            hold_id: transfer.hold_id,
            reverses_id: transfer.reverses_id,
            client_id: transfer.client_ref,
            api_key_id: transfer.api_key_id,
            api_key_name: transfer.key_name,
            note: transfer.note,
        }
    }
}

/// Which transfers to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    #[param(schema_with = spec::transfer_kind)]
    kind: String,
    /// The ID of the API key that they were made for.
    key: Option<Uuid>,
    #[param(schema_with = spec::client_id)]
    client_id: String,
    /// From this moment on.
    #[param(schema_with = spec::from)]
    from: Option<Timestamp>,
    /// Before this moment.
    #[param(schema_with = spec::until)]
    until: Option<Timestamp>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

impl ListQuery {
    pub(in crate::web) fn filter(&self) -> ApiResult<Filter> {
        for (field, moment) in [("from", self.from), ("until", self.until)] {
            if moment.is_some_and(|moment| !spec::is_moment(moment)) {
                return Err(Invalid::field(field, "Use milliseconds since 1970.").into());
            }
        }
        Ok(Filter {
            kind: kind(&self.kind)?,
            api_key: self.key,
            client_id: client_id(&self.client_id)?,
            from: self.from,
            until: self.until,
        })
    }
}

/// The kind of this word; `None` for an empty one.
///
/// # Errors
/// [`Refused::Invalid`] on the field `kind`.
pub(super) fn kind(word: &str) -> Result<Option<TransferKind>, Refused> {
    match word {
        "" => Ok(None),
        word => match TransferKind::of_word(word) {
            Some(kind) => Ok(Some(kind)),
            None => Err(Invalid::field("kind", "Choose one of the listed kinds.").into()),
        },
    }
}

/// The client's id of a request; empty for any.
///
/// # Errors
/// [`Refused::Invalid`] on the field `client_id`.
pub(super) fn client_id(text: &str) -> Result<String, Refused> {
    match text {
        "" => Ok(String::new()),
        text => match ClientId::parse_exact(text) {
            Ok(id) => Ok(id.as_str().to_owned()),
            Err(complaint) => Err(Invalid::field("client_id", complaint).into()),
        },
    }
}

pub async fn transfers(
    cx: ApiRequest<perm::ReadCredits, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<TransferBody>>> {
    let query = cx.input.0;
    let filter = query.filter()?;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(credits::transfers(&cx.scope, &filter, &at).await?.into()))
}

/// A reservation of credits.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditHold)]
pub struct HoldBody {
    id: Uuid,
    /// The ID of the request that made it. `null` for a request through the gateway.
    client_id: Option<String>,
    /// How many credits were reserved.
    amount: i64,
    status: HoldStatus,
    /// How many of them were used.
    settled: i64,
    note: String,
    created_at: Timestamp,
    /// When they are available again, if the hold is neither settled nor released before.
    expires_at: Timestamp,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditHoldStatus)]
pub enum HoldStatus {
    Open,
    Settled,
    Released,
    Expired,
}

impl From<Hold> for HoldBody {
    fn from(hold: Hold) -> Self {
        Self {
            status: match hold.status.as_str() {
                "open" => HoldStatus::Open,
                "settled" => HoldStatus::Settled,
                "released" => HoldStatus::Released,
                _ => HoldStatus::Expired,
            },
            id: hold.id,
            client_id: hold.client_id,
            amount: hold.amount,
            settled: hold.settled,
            note: hold.note,
            created_at: hold.created_at,
            expires_at: hold.expires_at,
        }
    }
}

/// A hold, and what is left.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditHoldResult)]
pub struct HoldAnswerBody {
    hold: HoldBody,
    /// How many credits could be held or used after it.
    available: i64,
}

impl From<HoldAnswer> for HoldAnswerBody {
    fn from(answer: HoldAnswer) -> Self {
        Self { hold: answer.hold.into(), available: answer.available }
    }
}

pub async fn hold(cx: ApiRequest<perm::ReadCredits, Target>) -> ApiResult<Ok200<HoldBody>> {
    Ok(Ok200(credits::hold(&cx.scope, cx.input.0).await?.into()))
}

/// The id and the note of a request.
fn request(invalid: &mut Invalid, id: &str, note: Option<&str>) -> Option<Request> {
    let client_id = invalid.check("id", ClientId::parse_exact(id));
    let note = invalid.check("note", Description::parse_exact(note.unwrap_or_default()));
    Some(Request { client_id: client_id?, note: note? })
}

/// Credits to reserve.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCreditHold)]
pub struct NewHold {
    #[schema(schema_with = spec::text::<ClientId>)]
    id: String,
    #[schema(schema_with = spec::amount)]
    amount: i64,
    /// How long the hold lasts, in seconds.
    #[schema(schema_with = spec::maybe_hold)]
    expires_in: Option<i64>,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    note: Option<String>,
}

impl Validate for NewHold {
    type Valid = (Request, Amount, i64);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let amount = invalid.check_all(Amount::parse("amount", self.amount));
        let request = request(invalid, &self.id, self.note.as_deref());
        let lasts = self.expires_in.map_or(DEFAULT_HOLD, |seconds| seconds.saturating_mul(SECOND));
        Some((request?, amount?, lasts))
    }
}

pub async fn reserve(
    cx: ApiRequest<perm::SpendCredits, Json<Checked<NewHold>>>,
) -> ApiResult<Created<HoldAnswerBody>> {
    let (request, amount, lasts) = cx.input.0.valid?;
    let answer = cx.scope.write(async |s| spend::reserve(s, &request, amount, lasts).await).await?;
    let location = format!("/api/sso/v1/credits/holds/{}", answer.hold.id);
    Ok(Created { body: answer.into(), location })
}

/// How much of a hold was used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreditSettlement)]
pub struct Settlement {
    #[schema(schema_with = spec::text::<ClientId>)]
    id: String,
    /// At most as many credits as are held. The rest is available again.
    #[schema(schema_with = spec::amount)]
    amount: i64,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    note: Option<String>,
}

impl Validate for Settlement {
    type Valid = (Request, Amount);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let amount = invalid.check_all(Amount::parse("amount", self.amount));
        let request = request(invalid, &self.id, self.note.as_deref());
        Some((request?, amount?))
    }
}

pub async fn settle(
    cx: ApiRequest<perm::SpendCredits, (Target, Json<Checked<Settlement>>)>,
) -> ApiResult<Ok200<HoldAnswerBody>> {
    let (Target(id), Json(settlement)) = cx.input;
    let (request, amount) = settlement.valid?;
    let answer = cx.scope.write(async |s| spend::settle(s, id, &request, amount).await).await?;
    Ok(Ok200(answer.into()))
}

/// A hold that is not needed any more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreditRelease)]
pub struct Release {
    #[schema(schema_with = spec::text::<ClientId>)]
    id: String,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    note: Option<String>,
}

impl Validate for Release {
    type Valid = Request;

    fn validate(&self, invalid: &mut Invalid) -> Option<Request> {
        request(invalid, &self.id, self.note.as_deref())
    }
}

pub async fn release(
    cx: ApiRequest<perm::SpendCredits, (Target, Json<Checked<Release>>)>,
) -> ApiResult<Ok200<HoldAnswerBody>> {
    let (Target(id), Json(release)) = cx.input;
    let request = release.valid?;
    let answer = cx.scope.write(async |s| spend::release(s, id, &request).await).await?;
    Ok(Ok200(answer.into()))
}

/// Credits to use at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCreditUse)]
pub struct NewUse {
    #[schema(schema_with = spec::text::<ClientId>)]
    id: String,
    #[schema(schema_with = spec::amount)]
    amount: i64,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    note: Option<String>,
}

impl Validate for NewUse {
    type Valid = (Request, Amount);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let amount = invalid.check_all(Amount::parse("amount", self.amount));
        let request = request(invalid, &self.id, self.note.as_deref());
        Some((request?, amount?))
    }
}

/// Credits that were used.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditUse)]
pub struct UseBody {
    /// The ID of the request.
    client_id: String,
    amount: i64,
    /// The IDs of its transfers: one for each grant that it took from.
    transfers: Vec<Uuid>,
    at: Timestamp,
    /// How many credits could be held or used after it.
    available: i64,
}

impl From<UseAnswer> for UseBody {
    fn from(answer: UseAnswer) -> Self {
        let UseAnswer { client_id, amount, transfers, at, available } = answer;
        Self { client_id, amount, transfers, at, available }
    }
}

pub async fn use_now(cx: ApiRequest<perm::SpendCredits, Json<Checked<NewUse>>>) -> ApiResult<Ok200<UseBody>> {
    let (request, amount) = cx.input.0.valid?;
    let answer = cx.scope.write(async |s| spend::use_now(s, &request, amount).await).await?;
    Ok(Ok200(answer.into()))
}

/// When those who can buy are notified that credits run low.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreditNotice)]
pub struct Notice {
    /// Below this many credits. `null` for never.
    #[schema(schema_with = spec::notice_below)]
    below: Option<i64>,
}

impl Validate for Notice {
    type Valid = NoticeBelow;

    fn validate(&self, invalid: &mut Invalid) -> Option<NoticeBelow> {
        invalid.check_all(NoticeBelow::parse(self.below))
    }
}

/// When those who can buy are notified that credits run low.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditNoticeResult)]
pub struct NoticeBody {
    below: Option<i64>,
}

pub async fn set_notice(
    cx: ApiRequest<perm::ReadCredits, Json<Checked<Notice>>>,
) -> ApiResult<Ok200<NoticeBody>> {
    let below = cx.input.0.valid?;
    let below = cx.scope.write(async |s| notice::set(s, below).await).await?;
    Ok(Ok200(NoticeBody { below: below.get() }))
}
