//! The lock of a workspace, and workspaces that a change reaches into from elsewhere: each records what was done in it.

use crate::domain::{
    base::event::{Recorded, RecordedEvent},
    enforce::{
        audit::{self, ChainHead, EventContext},
        chain::Chain,
    },
};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

/// The lock of a workspace, and of others that a change in it reaches into.
pub struct LockedWorkspace {
    pub(super) head: ChainHead,
    pub(super) others: AffectedWorkspaces,
}

impl LockedWorkspace {
    pub(super) fn alone(head: ChainHead) -> Self {
        Self { head, others: AffectedWorkspaces::default() }
    }
}

/// Workspaces that a change reaches into: locked, with the events to record in each.
#[derive(Default)]
pub(super) struct AffectedWorkspaces(Vec<(ChainHead, Vec<RecordedEvent>)>);

impl AffectedWorkspaces {
    pub(super) fn of(heads: Vec<ChainHead>) -> Self {
        Self(heads.into_iter().map(|head| (head, Vec::new())).collect())
    }

    pub(super) fn contains(&self, workspace: Uuid) -> bool {
        self.0.iter().any(|(head, _)| head.chain == Chain::Workspace(workspace))
    }

    /// Adds events to the record of one of them.
    pub(super) fn record_in<T>(&mut self, workspace: Uuid, recorded: Recorded<T>) {
        let mut affected = self.0.iter_mut();
        if let Some((_, events)) = affected.find(|(head, _)| head.chain == Chain::Workspace(workspace)) {
            events.extend(recorded.into_parts().1);
        }
    }

    /// Adds these events to the record of each.
    pub(super) fn record_in_each<T>(&mut self, recorded: &Recorded<T>) {
        for (_, events) in &mut self.0 {
            events.extend_from_slice(recorded.events());
        }
    }

    /// Writes the events into the records.
    pub(super) async fn write(
        &mut self,
        tx: &DatabaseTransaction,
        context: &EventContext<'_>,
    ) -> Result<(), DbErr> {
        for (head, events) in &mut self.0 {
            audit::append(tx, head, context, events).await?;
        }
        Ok(())
    }
}
