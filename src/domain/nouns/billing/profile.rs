//! What stands on invoices, whom they are mailed to, and how many seats invitations can add.

use crate::{
    clock::Timestamp,
    config::plans::MAX_SEATS,
    domain::{
        base::{
            event::{Recorded, RecordedEvent},
            invalid::Invalid,
            refused::Refused,
            text_rule::{Complaint, TextRule, line_pattern, lines, lines_pattern, one_line},
            values::Email,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            billing::{
                cost::Month,
                details,
                events::{BillingDetailsChanged, SeatGrowthChanged, target},
            },
            credits::book::InTransaction,
        },
    },
    policy::perm,
};
use sea_orm::{DbErr, FromQueryResult};

/// Name and address of who pays, on several lines; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostalAddress(String);

impl TextRule for PostalAddress {
    const MIN: usize = 0;
    const MAX: usize = 500;
    const DESCRIPTION: &'static str = "Name and postal address, on several lines.";

    fn pattern() -> String {
        lines_pattern()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = lines(text)?;
        let text = text.trim();
        match text.chars().count() {
            ..=Self::MAX => Ok(Self(text.to_owned())),
            _ => Err("Use at most 500 characters."),
        }
    }
}

impl PostalAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number under which tax authorities know who pays; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaxNumber(String);

impl TextRule for TaxNumber {
    const MIN: usize = 0;
    const MAX: usize = 40;
    const DESCRIPTION: &'static str = "A tax number, such as a VAT ID.";

    fn pattern() -> String {
        line_pattern()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = one_line(text)?;
        match text.chars().count() {
            ..=Self::MAX => Ok(Self(text)),
            _ => Err("Use at most 40 characters."),
        }
    }
}

impl TaxNumber {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands on invoices, and who gets them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Without one, those who can manage billing get them.
    pub contact: Option<Email>,
    pub address: PostalAddress,
    pub tax_number: TaxNumber,
}

/// What is stored of a workspace; all of it is empty where it never had anything to do with billing.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct Profile {
    /// An address of e-mail; empty for none.
    pub contact: String,
    pub address: String,
    pub tax_number: String,
    /// Up to how many seats in all invitations can add some; `None` for not at all.
    pub grow_to: Option<i64>,
    /// What costs more than this is bought once somebody else approves it; `None`: nothing needs approval.
    pub approve_above: Option<i64>,
}

const SELECT: &str = "SELECT p.contact, p.address, p.tax_number, p.grow_to, p.approve_above FROM billing_profiles p WHERE p.workspace_id = $1";

pub(in crate::domain) async fn load(scope: &impl Scoped) -> Result<Profile, DbErr> {
    Ok(scope.first(SELECT, Vec::new()).await?.unwrap_or_default())
}

/// What is stored.
///
/// # Errors
/// The database's own.
pub async fn get(scope: &ReadScope<perm::ReadBilling>) -> Result<Profile, Refused> {
    Ok(load(scope).await?)
}

/// Creates what all other rows of billing belong to, if the workspace has none. The present month is the first that is
/// invoiced.
pub(in crate::domain) async fn create<S: InTransaction>(s: &S, now: Timestamp) -> Result<(), DbErr> {
    let sql = "INSERT INTO billing_profiles (workspace_id, contact, address, tax_number, invoiced_until)
        VALUES ($1, '', '', '', $2) ON CONFLICT (workspace_id) DO NOTHING";
    s.run(sql, vec![Month::of(now).start().into()]).await.map(drop)
}

#[derive(FromQueryResult)]
struct Until {
    invoiced_until: Timestamp,
}

/// The moment of a change that costs something. Another node, whose clock is ahead, may have invoiced the month that is
/// over by that: then it is the first moment of the next one.
pub(in crate::domain) async fn billed_at<S: InTransaction>(
    s: &S,
    now: Timestamp,
) -> Result<Timestamp, DbErr> {
    create(s, now).await?;
    let sql = "SELECT p.invoiced_until FROM billing_profiles p WHERE p.workspace_id = $1";
    let until: Option<Until> = s.first(sql, Vec::new()).await?;
    Ok(until.map_or(now, |until| now.max(until.invoiced_until)))
}

/// Changes what stands on the invoices to come.
///
/// # Errors
/// The database's own.
pub async fn set_details(
    s: &mut WriteScope<perm::ManageBilling>,
    to: &Details,
) -> Result<Recorded<Profile>, Refused> {
    let before = load(s).await?;
    let contact = to.contact.as_ref().map(ToString::to_string).unwrap_or_default();
    let (address, tax_number) = (to.address.as_str(), to.tax_number.as_str());
    let fields = [
        ("contact", before.contact != contact),
        ("address", before.address != address),
        ("tax_number", before.tax_number != tax_number),
    ];
    let changed = fields.into_iter().filter(|(_, is_changed)| *is_changed);
    let fields: Vec<String> = changed.map(|(field, _)| field.to_owned()).collect();
    if fields.is_empty() {
        return Ok(Recorded::unchanged(before));
    }
    create(s, s.now()).await?;
    let sql =
        "UPDATE billing_profiles SET contact = $2, address = $3, tax_number = $4 WHERE workspace_id = $1";
    s.run(sql, vec![contact.as_str().into(), address.into(), tax_number.into()]).await?;
    if before.contact != contact {
        details::changed(s, s.now()).await?;
    }
    let (address, tax_number) = (address.to_owned(), tax_number.to_owned());
    let after = Profile { contact, address, tax_number, ..before };
    Ok(Recorded::new(after, BillingDetailsChanged { fields }, target()))
}

/// Whoever has this address is gone, so no invoice is mailed there any more. Returns the event, if it was the contact.
pub(in crate::domain) async fn forget_contact<S: InTransaction>(
    s: &S,
    address: &str,
    now: Timestamp,
) -> Result<Option<RecordedEvent>, DbErr> {
    let sql = "UPDATE billing_profiles SET contact = '' WHERE workspace_id = $1 AND contact = $2";
    if s.run(sql, vec![address.into()]).await? == 0 {
        return Ok(None);
    }
    details::changed(s, now).await?;
    let event = BillingDetailsChanged { fields: vec!["contact".to_owned()] };
    Ok(Some(RecordedEvent::new(event, target())))
}

/// Up to how many seats in all invitations can add some; `None` for not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrowTo(Option<i64>);

impl GrowTo {
    /// # Errors
    /// On the field `grow_to`, unless it is from 1 to [`MAX_SEATS`].
    pub fn parse(seats: Option<i64>) -> Result<Self, Invalid> {
        match seats.is_none_or(|seats| (1..=MAX_SEATS).contains(&seats)) {
            true => Ok(Self(seats)),
            false => Err(Invalid::field(
                "grow_to",
                format!("Enter a whole number from 1 to {MAX_SEATS}, or nothing."),
            )),
        }
    }

    pub const fn get(self) -> Option<i64> {
        self.0
    }
}

/// Changes it.
///
/// # Errors
/// The database's own.
pub async fn set_growth(
    s: &mut WriteScope<perm::ManageBilling>,
    to: GrowTo,
) -> Result<Recorded<GrowTo>, Refused> {
    let before = load(s).await?.grow_to;
    if before == to.0 {
        return Ok(Recorded::unchanged(to));
    }
    create(s, s.now()).await?;
    s.run("UPDATE billing_profiles SET grow_to = $2 WHERE workspace_id = $1", vec![to.0.into()]).await?;
    Ok(Recorded::new(to, SeatGrowthChanged { before, after: to.0 }, target()))
}
