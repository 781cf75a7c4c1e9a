//! What a person changes about themselves shows in every workspace that they belong to, so it is recorded there.

use crate::domain::{
    base::event::{Actor, AuditEvent, RecordedEvent, Target},
    enforce::{audit::ChainHead, workspace::lock_workspaces_of_user},
    records::members::MEMBER,
};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

/// An event in each workspace that the actor is a member of, suspended or not. The workspaces are locked until
/// the end of the transaction, before any row of a member.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn in_each_workspace<E: AuditEvent>(
    tx: &DatabaseTransaction,
    actor: &Actor,
    event: impl Fn() -> E,
) -> Result<Vec<(ChainHead, RecordedEvent)>, DbErr> {
    let locked = lock_workspaces_of_user(tx, actor.id.unwrap_or_default()).await?;
    let record = |member: Uuid| {
        let target = Target::new(MEMBER, member, &actor.name).of(actor.id, &actor.email);
        RecordedEvent::new(event(), target)
    };
    Ok(locked.into_iter().map(|(head, member)| (head, record(member))).collect())
}
