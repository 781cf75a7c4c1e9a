//! Telling those who can buy that credits run low.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            event::Recorded,
            invalid::Invalid,
            outbox::Mail,
            refused::Refused,
            words::{inert, pluralize},
        },
        enforce::{read::ReadScope, rows::Scoped, workspace::roles, write::WriteScope},
        nouns::credits::{
            MAX_AMOUNT, book,
            book::InTransaction,
            events::{CreditNoticeChanged, target},
            mail::CreditsLowMail,
        },
        records::holders,
    },
    policy::{Permission, perm},
};
use sea_orm::{DbErr, FromQueryResult};

/// From which balance on those who can buy are notified; `None` for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticeBelow(Option<i64>);

impl NoticeBelow {
    /// # Errors
    /// On the field `below`, unless it is from 1 to [`MAX_AMOUNT`].
    pub fn parse(below: Option<i64>) -> Result<Self, Invalid> {
        match below.is_none_or(|below| (1..=MAX_AMOUNT).contains(&below)) {
            true => Ok(Self(below)),
            false => Err(Invalid::field(
                "below",
                format!("Enter a whole number from 1 to {MAX_AMOUNT}, or nothing."),
            )),
        }
    }

    pub const fn get(self) -> Option<i64> {
        self.0
    }
}

#[derive(FromQueryResult)]
struct Below {
    notice_below: Option<i64>,
}

async fn stored(scope: &impl Scoped) -> Result<NoticeBelow, DbErr> {
    let sql = "SELECT l.notice_below FROM credit_ledgers l WHERE l.workspace_id = $1";
    let stored: Option<Below> = scope.first(sql, Vec::new()).await?;
    Ok(NoticeBelow(stored.and_then(|stored| stored.notice_below)))
}

/// From which balance on those who can buy are notified.
///
/// # Errors
/// The database's own.
pub async fn get(scope: &ReadScope<perm::ReadCredits>) -> Result<NoticeBelow, Refused> {
    Ok(stored(scope).await?)
}

/// Changes it.
///
/// # Errors
/// [`Refused::Forbidden`] without "Purchase credits" and "Manage billing".
pub async fn set(
    s: &mut WriteScope<perm::ReadCredits>,
    below: NoticeBelow,
) -> Result<Recorded<NoticeBelow>, Refused> {
    if !s.actor().holdings.has(Permission::ManageBilling) {
        s.require(Permission::PurchaseCredits).await?;
    }
    let before = stored(s).await?;
    if before == below {
        return Ok(Recorded::unchanged(below));
    }
    book::create(s, s.now()).await?;
    // The next time is not the day after the last mail, which was about another balance.
    let sql = "UPDATE credit_ledgers SET notice_below = $2, mailed_at = NULL WHERE workspace_id = $1";
    s.run(sql, vec![below.0.into()]).await?;
    let event = CreditNoticeChanged { below_before: before.0, below_after: below.0 };
    Ok(Recorded::new(below, event, target(None)))
}

#[derive(FromQueryResult)]
struct Low {
    name: String,
    slug: String,
    notice_below: i64,
}

/// Notifies those who can buy, if this is less than the workspace wants to have, and nobody was notified for a day.
///
/// # Errors
/// The database's own.
pub(super) async fn send_if_low<S: InTransaction>(
    db: &Db,
    s: &S,
    left: i64,
    now: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE credit_ledgers SET mailed_at = $2 WHERE workspace_id = $1 AND notice_below > $3
        AND (mailed_at IS NULL OR mailed_at <= $4)";
    if s.run(sql, vec![now.into(), left.into(), (now - DAY).into()]).await? == 0 {
        return Ok(());
    }
    let sql = "SELECT w.name, w.slug, l.notice_below FROM credit_ledgers l
        JOIN workspaces w ON w.id = l.workspace_id WHERE l.workspace_id = $1";
    let low: Option<Low> = s.first(sql, Vec::new()).await?;
    let Some(Low { name, slug, notice_below }) = low else { return Ok(()) };
    let page = format!("{}/w/{slug}/credits", db.public_url());
    let (workspace, left) = (inert(&name), pluralize(left, "credit", "credits"));
    let all = roles::load(s).await?;
    for address in holders::addresses(s, &all, Permission::PurchaseCredits).await? {
        let mail = CreditsLowMail { workspace: &workspace, left: &left, below: notice_below, page: &page };
        Mail::new(&address, &mail).queue(db, s.connection(), now).await?;
    }
    Ok(())
}
