//! How many requests in a minute a key sends and a destination gets. Where several nodes share the limits, this one sends
//! no more than it has leased.

use crate::{
    clock::Timestamp,
    domain::{
        base::db::Db,
        gateway::{
            gate::{Entrant, Gate, NoTurn},
            leases::{self, Ask, Got, Limited},
            windows::{RateStatus, Window, chunk, period},
        },
    },
};
use sea_orm::DbErr;
use uuid::Uuid;

/// The most keys and destinations whose requests of a minute are counted by themselves.
const MAX_WINDOWS: usize = 100_000;

/// How often a request asks for more: again where a minute ended meanwhile.
const ROUNDS: usize = 3;

/// A limit on the requests of a minute.
struct Rate {
    limited: Limited,
    policy: &'static str,
    subject: Uuid,
    limit: u32,
}

impl Rate {
    fn key(&self) -> (Limited, Uuid) {
        (self.limited, self.subject)
    }
}

impl Gate {
    /// Counts a request of this minute. Returns what is left to the key and to the destination, where they are limited.
    ///
    /// # Errors
    /// [`NoTurn::Rate`]: then nothing was counted.
    pub async fn count(&self, db: &Db, entrant: &Entrant) -> Result<Vec<RateStatus>, NoTurn> {
        let limits = &self.0.limits;
        let to_destination = entrant.per_minute.unwrap_or(limits.per_minute_to_destination);
        let rates = [
            (Limited::KeyRate, "key", entrant.key, limits.per_minute_of_key),
            (Limited::DestinationRate, "destination", entrant.destination, to_destination),
        ];
        let rates: Vec<Rate> = rates
            .into_iter()
            .filter(|(.., limit)| *limit > 0)
            .map(|(limited, policy, subject, limit)| Rate { limited, policy, subject, limit })
            .collect();
        if let Some(statuses) = self.count_leased(&rates, db.now()) {
            return Ok(statuses);
        }
        if self.is_over(&rates) {
            return Err(NoTurn::Rate(self.used_up(&rates, db.now())));
        }
        let _leasing = self.0.leasing.lock().await;
        for _ in 0..ROUNDS {
            // Somebody else may have leased enough meanwhile, or all that there was.
            if let Some(statuses) = self.count_leased(&rates, db.now()) {
                return Ok(statuses);
            }
            if self.is_over(&rates) {
                break;
            }
            self.lease_rates(db, &rates).await?;
        }
        Err(NoTurn::Rate(self.used_up(&rates, db.now())))
    }

    /// Leases more of those rates that are used up.
    async fn lease_rates(&self, db: &Db, rates: &[Rate]) -> Result<(), DbErr> {
        let mut asks = self.asks(rates);
        let got = match self.0.is_shared {
            true => leases::take(db, self.0.node, &mut asks).await?,
            false => asks.iter().map(|ask| Got { permits: ask.limit, elsewhere: 0 }).collect(),
        };
        let mut state = self.state();
        for (ask, got) in asks.iter().zip(got) {
            let window = state.windows.get_mut(&(ask.limited, ask.subject));
            // What was leased of one minute is not for the next.
            if let Some(window) = window.filter(|window| window.ends_at() == ask.expires_at) {
                (window.leased, window.elsewhere) = (got.permits, got.elsewhere);
            }
        }
        Ok(())
    }

    /// Counts the request, if each of the rates has one left of what was leased.
    fn count_leased(&self, rates: &[Rate], now: Timestamp) -> Option<Vec<RateStatus>> {
        let mut state = self.state();
        if state.windows.len() >= MAX_WINDOWS {
            state.windows.retain(|_, window| window.period >= period(now));
        }
        let windows = &mut state.windows;
        let mut is_left = true;
        for rate in rates {
            let window = windows.entry(rate.key()).or_insert_with(|| Window::new(now));
            window.roll(now);
            is_left &= !window.is_used_up(rate.limit);
        }
        is_left.then(|| {
            let count = |rate: &Rate| {
                let window = windows.get_mut(&rate.key())?;
                window.used += 1;
                Some(window.status(rate.policy, rate.limit, now))
            };
            rates.iter().filter_map(count).collect()
        })
    }

    /// Whether one of the rates is used up on all nodes.
    fn is_over(&self, rates: &[Rate]) -> bool {
        let state = self.state();
        rates
            .iter()
            .any(|rate| state.windows.get(&rate.key()).is_some_and(|window| window.is_over(rate.limit)))
    }

    /// What to ask for: more of those rates that are used up.
    fn asks(&self, rates: &[Rate]) -> Vec<Ask> {
        let state = self.state();
        let ask = |rate: &Rate| {
            let window = state.windows.get(&rate.key())?;
            window.is_used_up(rate.limit).then_some(Ask {
                limited: rate.limited,
                subject: rate.subject,
                limit: rate.limit,
                wanted: window.leased.saturating_add(chunk(rate.limit)).min(rate.limit),
                expires_at: window.ends_at(),
            })
        };
        rates.iter().filter_map(ask).collect()
    }

    /// The rate that nothing is left of: on all nodes or, if there is none, of what this one has leased.
    fn used_up(&self, rates: &[Rate], now: Timestamp) -> RateStatus {
        let state = self.state();
        let status = |rate: &Rate, is_over: bool| {
            let window = state.windows.get(&rate.key())?;
            let is_it = if is_over { window.is_over(rate.limit) } else { window.is_used_up(rate.limit) };
            is_it.then(|| RateStatus { remaining: 0, ..window.status(rate.policy, rate.limit, now) })
        };
        let of = |is_over| rates.iter().find_map(|rate| status(rate, is_over));
        of(true).or_else(|| of(false)).unwrap_or(RateStatus {
            policy: "key",
            limit: 0,
            remaining: 0,
            seconds: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::gateway::GatewaySettings,
        domain::gateway::gate::tests::{entrant, gate},
    };
    use std::time::Duration;

    #[tokio::test]
    async fn a_minute_has_so_many_requests_of_a_key_and_to_a_destination() {
        let settings = GatewaySettings {
            requests_per_key: 3,
            requests_per_destination: 0,
            ..GatewaySettings::default()
        };
        let (gate, db, _folder) = gate(settings).await;
        for left in [2, 1, 0] {
            let statuses = gate.count(&db, &entrant(1, 1, Some(4))).await.expect("it is counted");
            let remaining: Vec<_> = statuses.iter().map(|rate| (rate.policy, rate.remaining)).collect();
            assert_eq!(remaining[0], ("key", left));
        }
        let refused = gate.count(&db, &entrant(1, 2, None)).await;
        assert!(
            matches!(&refused, Err(NoTurn::Rate(rate)) if rate.policy == "key" && rate.seconds == 60),
            "{refused:?}"
        );
        // Another key, to the destination that has one left.
        assert!(gate.count(&db, &entrant(2, 1, Some(4))).await.is_ok());
        let refused = gate.count(&db, &entrant(2, 1, Some(4))).await;
        assert!(matches!(&refused, Err(NoTurn::Rate(rate)) if rate.policy == "destination"), "{refused:?}");
        // Nor has a key the blame that has sent nothing.
        let refused = gate.count(&db, &entrant(3, 1, Some(4))).await;
        assert!(matches!(&refused, Err(NoTurn::Rate(rate)) if rate.policy == "destination"), "{refused:?}");
        // What was refused did not count for the key.
        let statuses = gate.count(&db, &entrant(2, 3, None)).await.expect("it has more");
        assert_eq!(statuses[0].remaining, 1);
        db.clock().advance(Duration::from_secs(60));
        assert!(gate.count(&db, &entrant(1, 1, Some(4))).await.is_ok(), "the next minute");
    }
}
