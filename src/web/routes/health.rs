//! Health checks for monitoring.

use crate::web::{
    guard::{HandlerResult, Public},
    problem::OUTAGE_RETRY_AFTER,
};
use actix_web::{HttpResponse, http::header};

/// The process is running. Nothing else is checked.
pub async fn alive(_: Public) -> HandlerResult {
    Ok(HttpResponse::Ok().content_type("text/plain").body("alive\n"))
}

/// The database is available, so requests can be served.
pub async fn ready(cx: Public) -> HandlerResult {
    match cx.view.app.db.ping().await {
        Ok(()) => Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n")),
        Err(error) => {
            if !cx.view.app.db.note_outage(&error) {
                tracing::error!(%error, "not ready: the database failed");
            }
            Ok(HttpResponse::ServiceUnavailable()
                .insert_header((header::RETRY_AFTER, OUTAGE_RETRY_AFTER))
                .content_type("text/plain")
                .body("the database is unavailable\n"))
        }
    }
}
