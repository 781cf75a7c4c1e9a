//! Requests at once on several nodes: this one has no more than it has leased of the limits of a key and a workspace.

use crate::{
    clock::Timestamp,
    domain::{
        base::db::Db,
        gateway::{
            gate::{Gate, State},
            leases::{self, Ask, LEASE, LEASE_POLL, Limited},
            slots::{Sender, Slot},
            windows::period,
        },
    },
};
use sea_orm::DbErr;
use tokio::time::Instant;

impl Gate {
    /// Leases more for the key or the workspace, if they need it.
    pub(super) async fn lease_slots(&self, db: &Db, sender: Sender) -> Result<(), DbErr> {
        let _leasing = self.0.leasing.lock().await;
        let (now, at_once) = (db.now(), self.at_once());
        let mut asks: Vec<Ask> = {
            let state = self.state();
            let ask = |limited, subject, slot: Option<&Slot>, limit: u32| {
                let slot = slot.copied().unwrap_or_default();
                if slot.denied_until.is_some_and(|until| Instant::now() < until) {
                    return None;
                }
                let wanted = slot.in_use.max(if slot.expires_at > now { slot.leased } else { 0 });
                (!slot.has_room(now)).then_some(Ask {
                    limited,
                    subject,
                    limit,
                    // A quarter more, so that a node that needs many asks seldom.
                    wanted: (wanted + limit.div_ceil(4)).min(limit),
                    expires_at: now + LEASE,
                })
            };
            let key = state.slots.keys.get(&sender.key);
            let workspace = state.slots.workspaces.get(&sender.workspace);
            let asks = [
                ask(Limited::Key, sender.key, key, at_once.key),
                ask(Limited::Workspace, sender.workspace, workspace, at_once.workspace),
            ];
            asks.into_iter().flatten().collect()
        };
        if asks.is_empty() {
            return Ok(());
        }
        let got = leases::take(db, self.0.node, &mut asks).await?;
        let expires_at = now + LEASE;
        let mut state = self.state();
        for (ask, got) in asks.iter().zip(got) {
            let slots = match ask.limited {
                Limited::Key => &mut state.slots.keys,
                _ => &mut state.slots.workspaces,
            };
            let slot = slots.entry(ask.subject).or_default();
            (slot.leased, slot.expires_at) = (got.permits, expires_at);
            // However many wait, they ask together.
            slot.denied_until = (!slot.has_room(now)).then(|| Instant::now() + LEASE_POLL);
        }
        Ok(())
    }

    /// Renews what this node still needs, and gives back the rest. To be called every [`leases::RENEWAL`].
    ///
    /// # Errors
    /// The database's own. Then the leases end, and are asked for again.
    pub async fn renew(&self, db: &Db) -> Result<(), DbErr> {
        let now = db.now();
        if !self.0.is_shared {
            let mut state = self.state();
            // Without other nodes a lease has no end.
            state.slots.keys.retain(|_, slot| slot.in_use > 0);
            state.slots.workspaces.retain(|_, slot| slot.in_use > 0);
            state.windows.retain(|_, window| window.period >= period(now));
            return Ok(());
        }
        let _leasing = self.0.leasing.lock().await;
        let mut asks = Vec::new();
        {
            let mut state = self.state();
            let State { slots, windows } = &mut *state;
            windows.retain(|_, window| window.period >= period(now));
            for (limited, of) in
                [(Limited::Key, &mut slots.keys), (Limited::Workspace, &mut slots.workspaces)]
            {
                for (subject, slot) in of {
                    // What ended may be somebody else's by now.
                    if slot.leased == 0 || slot.expires_at <= now {
                        continue;
                    }
                    let wanted = slot.peak.max(slot.in_use).min(slot.leased);
                    slot.peak = slot.in_use;
                    // Less at once, and for longer only when it is written.
                    slot.leased = wanted;
                    let expires_at = if wanted > 0 { now + LEASE } else { now };
                    asks.push(Ask { limited, subject: *subject, limit: wanted, wanted, expires_at });
                }
            }
            slots.tidy(now);
        }
        asks.sort_by_key(|ask| (ask.limited, ask.subject));
        for part in asks.chunks(100) {
            leases::renew(db, self.0.node, part).await?;
            self.renewed(part, db.now());
        }
        Ok(())
    }

    /// These are written. A lease that ended before may be somebody else's by now.
    fn renewed(&self, asks: &[Ask], now: Timestamp) {
        let mut state = self.state();
        for ask in asks {
            let slots = match ask.limited {
                Limited::Key => &mut state.slots.keys,
                _ => &mut state.slots.workspaces,
            };
            if let Some(slot) = slots.get_mut(&ask.subject).filter(|slot| slot.expires_at > now) {
                slot.expires_at = ask.expires_at;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::gateway::GatewaySettings,
        domain::gateway::gate::{
            Shared,
            tests::{entrant, gate},
        },
    };
    use std::{sync::Arc, time::Duration};

    #[tokio::test]
    async fn a_lease_that_could_not_be_renewed_ends() {
        let (gate, db, _folder) = gate(GatewaySettings::default()).await;
        let Some(shared) = Arc::into_inner(gate.0) else { panic!("it has no clones") };
        let gate = Gate(Arc::new(Shared { is_shared: true, ..shared }));
        let one = entrant(1, 1, None);
        let turn = gate.enter(&db, &one).await.expect("a turn");
        let ends_at = || gate.state().slots.keys[&one.key].expires_at;
        assert_eq!(ends_at(), db.now() + LEASE);
        db.clock().advance(Duration::from_secs(2));
        gate.renew(&db).await.expect("renewed");
        let renewed = db.now() + LEASE;
        assert_eq!(ends_at(), renewed);
        db.clock().advance(Duration::from_secs(2));
        db.close().await;
        assert!(gate.renew(&db).await.is_err());
        assert_eq!(ends_at(), renewed, "nothing was written");
        drop(turn);
    }
}
