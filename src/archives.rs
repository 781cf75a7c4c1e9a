//! Makes the archives of workspaces that people asked for, one at a time on each node.

use crate::{
    archive::create::{CreateError, write},
    config::Config,
    domain::{
        Db,
        backup::snapshot::Snapshot,
        nouns::exports::lease::{self, Lease, Lost, add_part},
    },
};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{runtime::Handle, sync::Notify};

/// How long to wait before looking for the next one.
const PAUSE: Duration = Duration::from_secs(2);

/// Makes archives until it is stopped. One that is cut off is begun again, here or on another node.
pub(crate) async fn make_archives(db: Db, config: Config, stop: Arc<Notify>) {
    let is_stopping = Arc::new(AtomicBool::new(false));
    loop {
        let mut making = pin!(make_next(&db, &config, &is_stopping));
        tokio::select! {
            () = &mut making => {}
            () = stop.notified() => {
                is_stopping.store(true, Ordering::Relaxed);
                return making.await;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.notified() => return,
        }
    }
}

async fn make_next(db: &Db, config: &Config, is_stopping: &Arc<AtomicBool>) {
    let lease = match lease::lease_next(db).await {
        Ok(Some(lease)) => lease,
        Ok(None) => return,
        Err(error) => {
            if !db.note_outage(&error) {
                tracing::warn!(%error, "can't look for archives to make");
            }
            return;
        }
    };
    let (db, config, runtime, is_stopping) =
        (db.clone(), config.clone(), Handle::current(), Arc::clone(is_stopping));
    // Rows come and are compressed on a thread of their own, so that no request waits for it.
    let made =
        tokio::task::spawn_blocking(move || runtime.block_on(make(&db, &config, lease, &is_stopping))).await;
    if let Err(error) = made {
        tracing::error!(%error, "making an archive ended unexpectedly");
    }
}

async fn make(db: &Db, config: &Config, mut lease: Lease, is_stopping: &AtomicBool) {
    let done = fill(db, config, &mut lease, is_stopping).await;
    match &done {
        Ok(rows) => tracing::info!(export = %lease.export, rows, "an archive is ready"),
        Err(error) => tracing::warn!(export = %lease.export, %error, "could not make an archive"),
    }
    let ended = match done {
        Err(_) if is_stopping.load(Ordering::Relaxed) => lease::give_back(db, &lease).await,
        done => lease::end(db, &lease, done.is_ok()).await,
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "could not end an archive");
    }
}

async fn fill(
    db: &Db,
    config: &Config,
    lease: &mut Lease,
    is_stopping: &AtomicBool,
) -> Result<u64, CreateError> {
    let lost = |lost: Lost| CreateError::Sink(lost.to_string());
    let mut snapshot = Snapshot::open(config).await?;
    let (id, slug, name) = (lease.workspace, lease.slug.clone(), lease.name.clone());
    let rows = snapshot.count_of_workspace(id).await?;
    lease::expect(db, lease, rows).await.map_err(lost)?;
    let written = write(&mut snapshot, id, &slug, &name, db.now(), async |part, rows| {
        if is_stopping.load(Ordering::Relaxed) {
            return Err(CreateError::Sink("this node stops".to_owned()));
        }
        add_part(db, lease, &part, rows).await.map_err(lost)
    })
    .await;
    snapshot.close().await?;
    written
}
