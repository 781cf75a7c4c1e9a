use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::env::var;

async fn may(user: &str, action: &str, kind: &str) -> Option<bool> {
    let question = serde_json::json!({"subject": {"type": "user", "id": user}, "action": {"name": action}, "resource": {"type": kind, "id": "all"}});
    let url = format!("{}/access/v1/evaluation", var("BAILIWICK_URL").ok()?);
    let request = reqwest::Client::new().post(url).bearer_auth(var("BAILIWICK_KEY").ok()?);
    let request = request.header("content-type", "application/json").body(question.to_string());
    let answer = request.send().await.ok()?.bytes().await.ok()?;
    serde_json::from_slice::<serde_json::Value>(&answer).ok()?["decision"].as_bool()
}

async fn posts(request: HttpRequest) -> HttpResponse {
    // Who it is, your own sign-in knows; here a header says so.
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok()).unwrap_or("nobody");
    if may(user, "read", "posts").await == Some(true) {
        HttpResponse::Ok()
    } else {
        HttpResponse::Forbidden()
    }
    .finish()
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000);
    HttpServer::new(|| App::new().default_service(web::to(posts)))
        .workers(1)
        .bind(("127.0.0.1", port))?
        .run()
        .await
}
