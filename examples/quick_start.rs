use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::env::var;

async fn may(user: &str, action: &str, kind: &str) -> Option<bool> {
    let (subject, resource) = (json!({"type": "user", "id": user}), json!({"type": kind, "id": "all"}));
    let question = json!({"subject": subject, "action": {"name": action}, "resource": resource});
    let url = format!("{}/access/v1/evaluation", var("BAILIWICK_URL").ok()?);
    let request = reqwest::Client::new().post(url).bearer_auth(var("BAILIWICK_KEY").ok()?);
    let request = request.header("content-type", "application/json").body(question.to_string());
    let answer = request.send().await.ok()?.bytes().await.ok()?;
    serde_json::from_slice::<Value>(&answer).ok()?["decision"].as_bool()
}

async fn posts(request: HttpRequest) -> HttpResponse {
    // Your own sign-in knows who the user is. Here, a header says so.
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok()).unwrap_or("nobody");
    match may(user, "read", "posts").await {
        Some(true) => HttpResponse::Ok().finish(),
        _ => HttpResponse::Forbidden().finish(),
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000);
    let server = HttpServer::new(|| App::new().default_service(web::to(posts))).workers(1);
    server.bind(("127.0.0.1", port))?.run().await
}
