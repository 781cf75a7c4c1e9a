//! A link by which several people can join, as somebody who was given it uses it.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::{FirstStep, Gone, Prerequisite},
            db::Db,
            event::{Recorded, RecordedEvent},
            principal::{Origin, Person},
            refused::Refused,
            role,
            sql::Sql,
            tokens::Token,
            words::signature,
        },
        enforce::{
            rows::{Scoped, Unadmitted},
            workspace::{enter_by_invitation, roles},
        },
        nouns::{
            billing::seats::{self, Asker},
            joining::{
                domain_of,
                enter::{Entry, enter, is_confirmed, is_new},
                events::{JoinLinkUsed, OTHER_DOMAIN, link_target},
            },
        },
        records::{
            inviters::{self, InviterId},
            offered_teams::{self, OfferKind, OfferedTeam, may_offer},
        },
    },
    entity::join_link_use,
    policy::Holdings,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, FromQueryResult};
use uuid::Uuid;

pub const UNKNOWN_LINK: Gone =
    Gone::new("join-link", "This link isn't known here. Ask the person who gave it to you for a new one.");

const REVOKED: Gone = Gone::new(
    "join-link-revoked",
    "This link was revoked. If you still want to join, ask for a new one, or for an invitation.",
);

const EXPIRED: Gone =
    Gone::new("join-link-expired", "This link has expired. Ask the person who gave it to you for a new one.");

const USED_UP: Gone = Gone::new(
    "join-link-used-up",
    "As many people as this link is for have joined by it. Ask the person who gave it to you for a new one.",
);

const INVITER_GONE: Gone = Gone::new(
    "join-link-inviter-gone",
    "This link is no longer valid because the person who answers for it can no longer invite people with its roles. Ask someone else in the workspace for a new one.",
);

/// A link that works, as whoever has it may see it.
#[derive(Clone, Debug)]
pub struct LinkOffer {
    id: Uuid,
    workspace_id: Uuid,
    account_id: Uuid,
    pub workspace: String,
    pub slug: String,
    name: String,
    /// Who answers for it: name and address; for a key, the address of the user who is accountable for it.
    pub inviter: String,
    pub inviter_email: String,
    pub roles: Vec<String>,
    pub teams: Vec<String>,
    /// The domains of the addresses that may use it; empty for all.
    pub domains: Vec<String>,
    pub expires_at: Timestamp,
    inviter_id: InviterId,
    inviter_holdings: Holdings,
    role_ids: Vec<Uuid>,
    offered_teams: Vec<OfferedTeam>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    workspace_id: Uuid,
    account_id: Uuid,
    workspace: String,
    slug: String,
    is_closed: bool,
    name: String,
    inviter_id: Uuid,
    inviter_key_id: Option<Uuid>,
    domains: String,
    max_uses: i64,
    uses: i64,
    expires_at: Timestamp,
    is_revoked: bool,
    roles: Option<String>,
}

const LINK: &str = "SELECT l.id, l.workspace_id, w.account_id, w.name AS workspace, w.slug,
        (w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL) AS is_closed, l.name,
        l.inviter_id, l.inviter_key_id, l.domains, l.max_uses, l.uses, l.expires_at,
        l.revoked_at IS NOT NULL AS is_revoked,
        (SELECT string_agg(r.slug, ' ') FROM join_link_roles lr
            JOIN roles r ON r.workspace_id = lr.workspace_id AND r.id = lr.role_id
            WHERE lr.workspace_id = l.workspace_id AND lr.link_id = l.id) AS roles
    FROM join_links l JOIN workspaces w ON w.id = l.workspace_id AND w.deleted_at IS NULL
    JOIN accounts a ON a.id = w.account_id
    WHERE l.token_hash = $1";

impl Row {
    fn over(&self, now: Timestamp) -> Result<(), Refused> {
        match () {
            () if self.is_revoked => Err(REVOKED.into()),
            () if self.expires_at <= now => Err(EXPIRED.into()),
            () if self.uses >= self.max_uses => Err(USED_UP.into()),
            () if self.is_closed => Err(Refused::Suspended("This workspace")),
            () => Ok(()),
        }
    }
}

/// What a link offers. This does not use it.
///
/// # Errors
/// [`Refused::Gone`] with the reason, [`Refused::Suspended`].
pub async fn offer_of(db: &Db, token: &Token) -> Result<LinkOffer, Refused> {
    load(db.read(), token, db.now()).await
}

async fn load(
    connection: &impl ConnectionTrait,
    token: &Token,
    now: Timestamp,
) -> Result<LinkOffer, Refused> {
    let row: Option<Row> = connection.first(LINK, vec![token.hash().into()]).await?;
    let row = row.ok_or(UNKNOWN_LINK)?;
    row.over(now)?;
    let there = Unadmitted(connection, row.workspace_id);
    let all = roles::load(&there).await?;
    let offered = all.parse_slugs(row.roles.as_deref().unwrap_or_default());
    let teams = offered_teams::of(&there, OfferKind::Link, row.id, &all).await?;
    let inviter_id = InviterId { user: row.inviter_id, key: row.inviter_key_id };
    let inviter = inviters::load(&there, inviter_id, &all, now).await?;
    // As an invitation, it is valid only as long as whoever answers for it may still offer all of it.
    let holdings = inviter.holdings.filter(|held| may_offer(held, &offered, &teams).is_ok());
    let inviter_holdings = holdings.filter(|_| !offered.is_empty()).ok_or(INVITER_GONE)?;
    Ok(LinkOffer {
        id: row.id,
        workspace_id: row.workspace_id,
        account_id: row.account_id,
        workspace: row.workspace,
        slug: row.slug,
        name: row.name,
        inviter: inviter.name,
        inviter_email: inviter.email,
        roles: role::names(&offered),
        teams: offered_teams::names(&teams),
        domains: row.domains.split_ascii_whitespace().map(str::to_owned).collect(),
        expires_at: row.expires_at,
        inviter_id,
        inviter_holdings,
        role_ids: offered.iter().map(|role| role.id).collect(),
        offered_teams: teams,
    })
}

impl LinkOffer {
    /// Whether the link is for this address.
    pub fn admits(&self, email: &str) -> bool {
        self.domains.is_empty() || self.domains.iter().any(|domain| domain == domain_of(email))
    }
}

/// Refuses an address at a domain that the link is not for.
fn is_for(offer: &LinkOffer, person: &Person) -> Result<(), Refused> {
    is_confirmed(person)?;
    if offer.admits(&person.email) {
        return Ok(());
    }
    Err(Prerequisite {
        headline: "This link is for other addresses",
        sentence: format!(
            "It is for addresses at {}, but you're signed in as {}.",
            offer.domains.join(", "),
            person.email
        ),
        note: "If you have such an address, sign out, then sign in with it.",
        step: FirstStep::SignInWithAnotherAddress,
        then: None,
        reason: OTHER_DOMAIN,
    }
    .into())
}

/// Makes the person a member. Of twenty at its last use, one is; the others find it used up.
///
/// # Errors
/// [`Refused::Gone`], [`Refused::Prerequisite`]; [`ALREADY_MEMBER`](crate::domain::nouns::members::add::ALREADY_MEMBER),
/// [`LEFT`](super::LEFT); a conflict where there is no seat.
pub async fn join_by_link(
    db: &Db,
    person: &Person,
    token: &Token,
    origin: &Origin,
) -> Result<LinkOffer, Refused> {
    let workspace = offer_of(db, token).await?.workspace_id;
    enter_by_invitation(db, workspace, &person.audit_actor(), origin, async |open| {
        let offer = load(&open.tx, token, open.now).await?;
        is_for(&offer, person)?;
        is_new(open, person, offer.inviter_id).await?;
        let sql = "UPDATE join_links SET uses = uses + 1 WHERE workspace_id = $1 AND id = $2
            AND uses < max_uses AND revoked_at IS NULL AND expires_at > $3";
        if open.run(sql, vec![offer.id.into(), open.now.into()]).await? != 1 {
            return Err(USED_UP.into());
        }
        let entry = Entry {
            account: offer.account_id,
            inviter: offer.inviter_id,
            inviter_holdings: &offer.inviter_holdings,
            roles: offer.role_ids.clone(),
            teams: &offer.offered_teams,
        };
        let replaced = enter(open, person, &entry).await?;
        let asker = Asker::Joiner { workspace: &offer.workspace };
        let grown = seats::ensure(open, asker).await?.map(|(_, event)| event);
        let used = join_link_use::ActiveModel {
            workspace_id: Set(open.workspace_id()),
            link_id: Set(offer.id),
            user_id: Set(person.user_id),
            used_at: Set(open.now),
        };
        open.insert(used).await?;
        let event = JoinLinkUsed {
            roles: offer.roles.clone(),
            teams: offer.teams.clone(),
            inviter: match offer.inviter_id.key {
                Some(_) => signature(&offer.inviter, "API key"),
                None => signature(&offer.inviter, &offer.inviter_email),
            },
        };
        let joined =
            RecordedEvent::new(event, link_target(offer.id, &offer.name)).naming(offer.inviter_id.user);
        let events = replaced.into_iter().chain([joined]).chain(grown).collect();
        Ok(Recorded::many(offer, events))
    })
    .await
}
