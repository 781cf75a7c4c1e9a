//! The credits of a request on its way: held before it is sent, and paid when it reached its host.

use crate::{
    domain::{Db, Refused, nouns::credits::charge::Charge},
    web::app::App,
};

/// The price of a request, while it is not known whether the request reaches its host. Dropped in between, because the
/// caller is gone, it is paid: the host may have been sent the request.
pub(super) struct Payment {
    db: Db,
    charge: Option<Charge>,
}

impl Payment {
    pub(super) fn new(app: &App, charge: Option<Charge>) -> Self {
        Self { db: app.db.clone(), charge }
    }

    pub(super) async fn settle(mut self) {
        let Some(charge) = self.charge.clone() else { return };
        let done = charge.settle(&self.db).await;
        self.charge = None;
        self.note(done);
    }

    pub(super) async fn release(mut self) {
        let Some(charge) = self.charge.take() else { return };
        let done = charge.release(&self.db).await;
        self.note(done);
    }

    /// What could not be written ends with the hold.
    fn note(&self, done: Result<(), Refused>) {
        match done {
            Ok(()) => {}
            Err(Refused::Failed(error)) if self.db.note_outage(&error) => {}
            Err(error) => tracing::warn!(%error, "the credits of a request could not be settled"),
        }
    }
}

impl Drop for Payment {
    fn drop(&mut self) {
        if let Some(charge) = self.charge.take() {
            charge.settle_in_background(&self.db);
        }
    }
}
