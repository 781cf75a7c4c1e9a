//! Health checks for monitoring.

use crate::web::guard::{HandlerResult, Public};
use actix_web::HttpResponse;

/// The process is running. Nothing else is checked.
pub async fn alive(_: Public) -> HandlerResult {
    Ok(HttpResponse::Ok().content_type("text/plain").body("alive\n"))
}

/// The database is available, so requests can be served.
pub async fn ready(cx: Public) -> HandlerResult {
    match cx.view.app.db.ping().await {
        Ok(()) => Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n")),
        Err(error) => {
            tracing::warn!(%error, "not ready: the database is unavailable");
            Ok(HttpResponse::ServiceUnavailable()
                .content_type("text/plain")
                .body("the database is unavailable\n"))
        }
    }
}
