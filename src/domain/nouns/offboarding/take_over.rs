//! Whoever removes somebody can answer for what that person sent and nobody has answered yet.

use crate::{
    domain::{
        base::{
            event::{Recorded, RecordedEvent},
            refused::Refused,
            role,
            words::signature,
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::{
            invitations::events::{InvitationTakenOver, target},
            joining::events::{JoinDomainTakenOver, JoinLinkTakenOver, domain_target, link_target},
            offboarding::options::PendingOffers,
        },
        records::{
            inviters::InviterId,
            joining,
            members::{MemberRecord, addresses_behind_key},
            offered_teams::{self, OfferKind, may_offer},
        },
    },
    entity::invitation,
    policy::Permission,
};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, Value, sea_query::Expr};
use uuid::Uuid;

/// How many of each the actor answers for from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    pub invitations: i64,
    pub links: i64,
    pub domains: i64,
}

impl TakenOver {
    pub fn sum(self) -> i64 {
        self.invitations + self.links + self.domains
    }
}

/// Makes the actor answer for what a member sent, as far as they could have sent it themselves. What is left ends with the
/// membership.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member; [`Refused::Forbidden`] without the permission to invite.
pub(in crate::domain) async fn take_over<P>(
    s: &WriteScope<P>,
    member: Uuid,
    offers: PendingOffers,
) -> Result<Recorded<TakenOver>, Refused> {
    if offers == PendingOffers::End {
        return Ok(Recorded::unchanged(TakenOver::default()));
    }
    s.require(Permission::InviteMembers).await?;
    let member = MemberRecord::load(s, &s.actor().all_roles, member).await?;
    let (invitations, mut events) = take_invitations(s, &member).await?;
    let (links, more) = take_links(s, &member).await?;
    events.extend(more);
    let (domains, more) = take_domains(s, &member).await?;
    events.extend(more);
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let taken = TakenOver { invitations: count(invitations), links: count(links), domains: count(domains) };
    Ok(Recorded::many(taken, events))
}

/// The name of a member, with what tells them from the same name of another.
fn from(member: &MemberRecord) -> String {
    match member.user_id {
        Some(_) => signature(&member.name, &member.email),
        None => signature(&member.name, "API key"),
    }
}

/// An event whose payload names the member.
fn about(event: RecordedEvent, member: &MemberRecord) -> RecordedEvent {
    match member.user_id {
        Some(user) => event.naming(user),
        None => event,
    }
}

#[derive(FromQueryResult)]
struct Invitation {
    id: Uuid,
    email: String,
    roles: Option<String>,
}

async fn take_invitations<P>(
    s: &WriteScope<P>,
    member: &MemberRecord,
) -> Result<(usize, Vec<RecordedEvent>), Refused> {
    let (theirs, value): (&str, Value) = match (member.user_id, member.api_key_id) {
        // So asked, it is the index of who sent them that finds them, and not that of all of the workspace.
        (Some(user), _) => {
            ("(i.workspace_id = $1) IS TRUE AND i.inviter_id = $2 AND i.inviter_key_id IS NULL", user.into())
        }
        (None, key) => ("i.workspace_id = $1 AND i.inviter_key_id = $2", key.into()),
    };
    let sql = format!(
        "SELECT i.id, i.email, (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
                JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
                WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles
        FROM invitations i WHERE {theirs} AND i.status = 'pending' ORDER BY i.id"
    );
    let pending: Vec<Invitation> = s.all(&sql, vec![value]).await?;
    let behind_key = addresses_behind_key(s).await?;
    let (all, by) = (&s.actor().all_roles, InviterId::of(s.actor()));
    let mut events = Vec::new();
    for one in pending {
        let roles = all.parse_slugs(one.roles.as_deref().unwrap_or_default());
        let teams = offered_teams::of(s, OfferKind::Invitation, one.id, all).await?;
        // A key does not answer for an invitation that it may not send.
        if behind_key.contains(&one.email)
            || roles.is_empty()
            || may_offer(&s.actor().holdings, &roles, &teams).is_err()
        {
            continue;
        }
        use invitation::Column;
        let row = s.open().update::<invitation::Entity>().filter(Column::Id.eq(one.id));
        let row = row
            .col_expr(Column::InviterId, Expr::value(by.user))
            .col_expr(Column::InviterKeyId, Expr::value(by.key));
        s.open().apply_to_one(row).await?;
        let event = InvitationTakenOver { roles: role::names(&roles), from: from(member) };
        events.push(about(RecordedEvent::new(event, target(one.id, &one.email)), member));
    }
    Ok((events.len(), events))
}

#[derive(FromQueryResult)]
struct Link {
    name: String,
    roles: Option<String>,
}

async fn take_links<P>(
    s: &WriteScope<P>,
    member: &MemberRecord,
) -> Result<(usize, Vec<RecordedEvent>), Refused> {
    let (links, _) = joining::ids_of(s, member.user_id, member.api_key_id, s.now()).await?;
    let (all, by) = (&s.actor().all_roles, InviterId::of(s.actor()));
    let sql = "SELECT l.name, (SELECT string_agg(r.slug, ' ') FROM join_link_roles lr
            JOIN roles r ON r.workspace_id = lr.workspace_id AND r.id = lr.role_id
            WHERE lr.workspace_id = l.workspace_id AND lr.link_id = l.id) AS roles
        FROM join_links l WHERE l.workspace_id = $1 AND l.id = $2";
    let mut events = Vec::new();
    for id in links {
        let link: Link = s.first(sql, vec![id.into()]).await?.ok_or(Refused::NotFound)?;
        let roles = all.parse_slugs(link.roles.as_deref().unwrap_or_default());
        let teams = offered_teams::of(s, OfferKind::Link, id, all).await?;
        if roles.is_empty() || may_offer(&s.actor().holdings, &roles, &teams).is_err() {
            continue;
        }
        joining::answer_for(s, "join_links", id, by).await?;
        let event = JoinLinkTakenOver { from: from(member) };
        events.push(about(RecordedEvent::new(event, link_target(id, &link.name)), member));
    }
    Ok((events.len(), events))
}

#[derive(FromQueryResult)]
struct Domain {
    domain: String,
    role_id: Uuid,
}

/// To answer for a domain takes what it takes to add one.
async fn take_domains<P>(
    s: &WriteScope<P>,
    member: &MemberRecord,
) -> Result<(usize, Vec<RecordedEvent>), Refused> {
    let (_, domains) = joining::ids_of(s, member.user_id, member.api_key_id, s.now()).await?;
    let (all, by) = (&s.actor().all_roles, InviterId::of(s.actor()));
    let mut events = Vec::new();
    if !s.actor().holdings.has(Permission::UpdateOrganization) {
        return Ok((0, events));
    }
    for id in domains {
        let sql = "SELECT domain, role_id FROM join_domains WHERE workspace_id = $1 AND id = $2";
        let domain: Domain = s.first(sql, vec![id.into()]).await?.ok_or(Refused::NotFound)?;
        let role = all.iter().find(|role| role.id == domain.role_id);
        if role.is_none_or(|role| may_offer(&s.actor().holdings, &[role], &[]).is_err()) {
            continue;
        }
        joining::answer_for(s, "join_domains", id, by).await?;
        let event = JoinDomainTakenOver { from: from(member) };
        events.push(about(RecordedEvent::new(event, domain_target(id, &domain.domain)), member));
    }
    Ok((events.len(), events))
}
