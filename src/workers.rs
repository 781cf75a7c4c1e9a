//! What the program does between requests: it sends mail, writes and deletes what housekeeping says, and signs audit
//! checkpoints.

use crate::{
    archives,
    config::Config,
    domain::{
        Db, Refused,
        base::outbox,
        enforce::checkpoint,
        gateway::{Gate, RENEWAL},
        housekeeping,
        nouns::{billing::reconcile, invitations, traffic},
    },
    mail::Mailer,
    note::Signer,
    outbound::client::Outbound,
    payments, private,
    stripe::client::Stripe,
    webhooks,
};
use sea_orm::DbErr;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore},
    task::{JoinHandle, JoinSet},
};
use tracing::Instrument;
use uuid::Uuid;

/// The tasks of a running server.
pub(crate) struct Workers {
    mail: JoinHandle<()>,
    stop_mail: Arc<Notify>,
    events: JoinHandle<()>,
    stop_events: Arc<Notify>,
    housekeeping: JoinHandle<()>,
    traffic: JoinHandle<()>,
    stop_traffic: Arc<Notify>,
    checkpoints: Checkpoints,
    leases: JoinHandle<()>,
    archives: JoinHandle<()>,
    stop_archives: Arc<Notify>,
    /// Where Stripe collects what invoices amount to.
    payments: Option<JoinHandle<()>>,
    stop_payments: Arc<Notify>,
}

impl Workers {
    pub(crate) fn start(
        db: &Db,
        mailer: Mailer,
        outbound: Outbound,
        stripe: Option<Stripe>,
        checkpoints: Checkpoints,
        gate: Gate,
        config: &Config,
    ) -> Self {
        let (stop_mail, stop_events, stop_traffic, stop_archives) =
            (Arc::default(), Arc::default(), Arc::default(), Arc::<Notify>::default());
        let stop_payments = Arc::<Notify>::default();
        Self {
            mail: tokio::spawn(send_mail(db.clone(), mailer, Arc::clone(&stop_mail))),
            stop_mail,
            events: tokio::spawn(webhooks::send_events(db.clone(), outbound, Arc::clone(&stop_events))),
            stop_events,
            traffic: tokio::spawn(record_traffic(db.clone(), Arc::clone(&stop_traffic))),
            stop_traffic,
            housekeeping: tokio::spawn(run_housekeeping(db.clone(), checkpoints.clone())),
            checkpoints,
            leases: tokio::spawn(renew_leases(db.clone(), gate)),
            archives: tokio::spawn(archives::make_archives(
                db.clone(),
                config.clone(),
                Arc::clone(&stop_archives),
            )),
            stop_archives,
            payments: stripe.map(|stripe| {
                tokio::spawn(payments::collect(db.clone(), stripe, Arc::clone(&stop_payments)))
            }),
            stop_payments,
        }
    }

    /// Ends them: running deliveries are finished, and what is only in memory is written.
    pub(crate) async fn stop(self, db: &Db) {
        self.housekeeping.abort();
        self.leases.abort();
        self.stop_mail.notify_one();
        self.stop_events.notify_one();
        self.stop_traffic.notify_one();
        self.stop_archives.notify_one();
        self.stop_payments.notify_one();
        // A turn that is under way ends first: what it has taken would be lost.
        if let Err(error) = self.traffic.await {
            tracing::error!(%error, "recording traffic ended unexpectedly");
        }
        if let Err(error) = self.mail.await {
            tracing::error!(%error, "sending e-mail ended unexpectedly");
        }
        if let Err(error) = self.events.await {
            tracing::error!(%error, "sending events ended unexpectedly");
        }
        if let Err(error) = self.archives.await {
            tracing::error!(%error, "making archives ended unexpectedly");
        }
        if let Some(payments) = self.payments
            && let Err(error) = payments.await
        {
            tracing::error!(%error, "collecting payments ended unexpectedly");
        }
        if let Err(error) = housekeeping::last_housekeeping(db).await {
            log(db, "could not save the last activity times", &error);
        }
        self.checkpoints.sign_if_due(db).await;
    }
}

/// Logs what a task could not do; an outage of the database is logged once for all of them.
fn log(db: &Db, what: &'static str, error: &DbErr) {
    if !db.note_outage(error) {
        tracing::warn!(%error, "{what}");
    }
}

/// The most messages that are delivered at once. One recipient's server that hangs does not hold up the others.
const MAX_DELIVERIES: usize = 8;

/// How long deliveries may take to end when the server stops.
const LAST_DELIVERIES: Duration = Duration::from_secs(10);

/// Sends what waits in the outbox, until it is stopped; then lets running deliveries end, so that no other node
/// sends the same message again.
async fn send_mail(db: Db, mailer: Mailer, stop: Arc<Notify>) {
    let (mailer, permits) = (Arc::new(mailer), Arc::new(Semaphore::new(MAX_DELIVERIES)));
    let mut deliveries = JoinSet::new();
    let leasing = async {
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            while deliveries.try_join_next().is_some() {}
            match outbox::lease_next(&db).await {
                Ok(Some(message)) => {
                    let (db, mailer) = (db.clone(), Arc::clone(&mailer));
                    deliveries.spawn(async move {
                        let span = tracing::info_span!("deliver_mail", mail = %message.id, attempts = message.attempts);
                        deliver(&db, &mailer, message).instrument(span).await;
                        drop(permit);
                    });
                }
                Ok(None) => outbox::wait(&db).await,
                Err(error) => {
                    log(&db, "can't read the outbox", &error);
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        }
    };
    tokio::select! {
        () = leasing => {}
        () = stop.notified() => {}
    }
    let all = async { while deliveries.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_DELIVERIES, all).await;
}

async fn deliver(db: &Db, mailer: &Mailer, message: outbox::OutgoingMail) {
    let noted = match invitations::mail::is_wanted(db, &message).await {
        Ok(true) => match mailer.send(&message).await {
            Ok(()) => {
                db.counters().mail.sent.increment();
                remove_sent(db, message.id).await
            }
            Err(error) => {
                tracing::warn!(?error, "could not send e-mail");
                outbox::mark_failed(db, &message, &error).await
            }
        },
        Ok(false) => {
            db.counters().mail.dropped.increment();
            outbox::remove(db, message.id).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        log(db, "can't update the outbox", &error);
    }
}

/// Removes a message that was sent. A database that is away for a moment must not cause a second copy, so it is tried
/// again for as long as the message is leased.
async fn remove_sent(db: &Db, id: Uuid) -> Result<(), DbErr> {
    let mut done = outbox::remove(db, id).await;
    for _ in 0..REMOVAL_ATTEMPTS {
        if done.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        done = outbox::remove(db, id).await;
    }
    done
}

/// How often the removal of a message that was sent is tried again.
const REMOVAL_ATTEMPTS: u32 = 10;

/// Signs audit checkpoints, and keeps a copy of each outside the database.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    pub(crate) signer: Signer,
    /// The file with the copies.
    pub(crate) copies: PathBuf,
}

impl Checkpoints {
    /// Signs a checkpoint if anything was recorded since the one before, or as many as it takes. What goes wrong is
    /// logged.
    async fn sign_if_due(&self, db: &Db) {
        let signed = self.sign_due(db).await;
        db.counters().checkpoints.count(&signed);
        match signed {
            Ok(()) => {}
            Err(Refused::Failed(error)) => log(db, "could not sign an audit checkpoint", &error),
            Err(error) => tracing::warn!(%error, "could not sign an audit checkpoint"),
        }
    }

    async fn sign_due(&self, db: &Db) -> Result<(), Refused> {
        for _ in 0..checkpoint::due(db).await? {
            keep_copy(&self.copies, &checkpoint::sign(db, &self.signer).await?);
        }
        Ok(())
    }
}

/// Adds a signed checkpoint to the copies outside the database. What goes wrong is logged: the database has it.
pub fn keep_copy(copies: &Path, note: &str) {
    let folder = copies.parent().map_or(Ok(()), private::make_folder);
    if let Err(error) = folder.and_then(|()| private::append(copies, note)) {
        tracing::warn!(path = %copies.display(), %error, "could not keep a copy of an audit checkpoint");
    }
}

/// How often traffic is written.
const TRAFFIC: Duration = Duration::from_secs(1);

/// Writes the requests that went through the gateway, until it is stopped.
async fn record_traffic(db: Db, stop: Arc<Notify>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TRAFFIC) => {}
            () = stop.notified() => return,
        }
        if let Err(error) = traffic::flush(&db).await {
            log(&db, "could not record traffic", &error);
        }
    }
}

/// Renews what this node has leased of the gateway's limits, and gives back what it does not need.
async fn renew_leases(db: Db, gate: Gate) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = gate.renew(&db).await {
            log(&db, "could not renew the leases of the gateway", &error);
        }
    }
}

/// How often presence is written.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// The number of rounds after which expired data is deleted: ten minutes.
const SWEEP_INTERVAL: u64 = 120;

/// The number of rounds after which a checkpoint is signed: an hour.
const CHECKPOINT_INTERVAL: u64 = 720;

/// The number of rounds after which billing is compared: a day. The first time is a minute after the start.
const RECONCILIATION_INTERVAL: u64 = 17_280;
const FIRST_RECONCILIATION: u64 = 12;

/// One round of housekeeping, by its number from 1.
#[derive(Clone, Copy)]
struct Round(u64);

impl Round {
    /// It deletes what has expired.
    const fn sweeps(self) -> bool {
        self.0.is_multiple_of(SWEEP_INTERVAL)
    }

    /// It signs a checkpoint, if one is due.
    const fn signs(self) -> bool {
        self.0.is_multiple_of(CHECKPOINT_INTERVAL)
    }

    /// It compares what billing says.
    const fn reconciles(self) -> bool {
        self.0 % RECONCILIATION_INTERVAL == FIRST_RECONCILIATION
    }
}

async fn run_housekeeping(db: Db, checkpoints: Checkpoints) {
    for round in (1..).map(Round) {
        tokio::time::sleep(HOUSEKEEPING).await;
        let mut done = housekeeping::housekeeping(&db).await;
        if done.is_ok() && round.sweeps() {
            done = housekeeping::sweep(&db).await;
        }
        if round.signs() {
            checkpoints.sign_if_due(&db).await;
        }
        if round.reconciles() {
            match reconcile::report(&db).await {
                Ok(()) => {}
                Err(Refused::Failed(error)) => log(&db, "could not compare billing", &error),
                Err(error) => tracing::warn!(%error, "could not compare billing"),
            }
        }
        db.counters().housekeeping.count(&done);
        if let Err(error) = done {
            log(&db, "housekeeping failed", &error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of a day, in seconds, at which a round does what it is asked for.
    fn moments(is_due: impl Fn(Round) -> bool) -> Vec<u64> {
        let pause = HOUSEKEEPING.as_secs();
        (1..=24 * 3_600 / pause).filter(|round| is_due(Round(*round))).map(|round| round * pause).collect()
    }

    #[test]
    fn a_checkpoint_is_signed_every_hour_and_expired_data_deleted_every_ten_minutes() {
        assert_eq!(moments(Round::signs), (1..=24).map(|hour| hour * 3_600).collect::<Vec<_>>());
        assert_eq!(moments(Round::sweeps), (1..=144).map(|part| part * 600).collect::<Vec<_>>());
        assert_eq!(moments(Round::reconciles), [60], "once a day");
    }
}
