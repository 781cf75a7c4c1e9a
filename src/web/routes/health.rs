//! For whoever watches over the process.

use crate::web::guard::{HandlerResult, Public};
use actix_web::HttpResponse;

/// The process is alive; it asks nobody else.
pub async fn alive(_: Public) -> HandlerResult {
    Ok(HttpResponse::Ok().content_type("text/plain").body("alive\n"))
}

/// The database answers, so requests can be served.
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
