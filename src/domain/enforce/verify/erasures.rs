//! Compares what was erased with what the installation's chain says that was.

use crate::domain::{
    base::{
        event::{self, AuditEvent},
        refused::Refused,
        sql::Sql,
    },
    enforce::{
        chain::Chain,
        erasure,
        events::AuditNamesErased,
        verify::{Report, walk::Walk},
    },
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::collections::BTreeSet;
use uuid::Uuid;

impl Report {
    /// The list of each erasure is as its event says, and there is no other. That the names of an event are erased
    /// if and only if they are listed, shows while its chain is read.
    pub(super) async fn judge_erasures(
        &mut self,
        db: &impl ConnectionTrait,
        installation: &Walk,
    ) -> Result<(), Refused> {
        let said = &installation.says.erasures;
        for (seq, AuditNamesErased { names, erasure, digest }) in said {
            if erasure::digest_of(db, *erasure).await? != (*names, digest.clone()) {
                self.find(Chain::Installation, *seq, "the list of what this erased was altered");
            }
        }
        let mut others = listed(db).await?;
        for AuditNamesErased { erasure, .. } in said.values() {
            others.remove(erasure);
        }
        if !others.is_empty() {
            // What was erased meanwhile has its event by now.
            let newer = erased_after(db, installation.head.seq).await?;
            for erasure in others.difference(&newer) {
                let what = format!("names are listed as erased by {erasure}, of which there is no event");
                self.find(Chain::Installation, None, what);
            }
        }
        Ok(())
    }
}

/// The erasures that have a list.
async fn listed(db: &impl ConnectionTrait) -> Result<BTreeSet<Uuid>, Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        erasure: Uuid,
    }
    let sql = "SELECT DISTINCT erasure FROM audit_erasures";
    let rows: Vec<Row> = db.all(sql, Vec::new()).await?;
    Ok(rows.into_iter().map(|row| row.erasure).collect())
}

/// The erasures whose events are later than that of this number.
async fn erased_after(db: &impl ConnectionTrait, seq: i64) -> Result<BTreeSet<Uuid>, Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        payload: String,
    }
    let chain = Chain::Installation;
    let sql = format!(
        "SELECT e.payload FROM audit_events e WHERE {} AND e.seq > $2 AND e.kind = $3",
        chain.condition()
    );
    let values = vec![chain.id().into(), seq.into(), AuditNamesErased::KIND.into()];
    let rows: Vec<Row> = db.all(&sql, values).await?;
    let erasure = |row: Row| event::read::<AuditNamesErased>(&row.payload).map(|event| event.erasure);
    Ok(rows.into_iter().filter_map(erasure).collect())
}
