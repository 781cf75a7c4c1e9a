//! The ceiling: what actix-web, askama and the database's own client can do at best with the
//! product's rows. One prepared statement a request; no login, no rules, no layout, no log.
//!
//!     ceiling sqlite:///path/to.db        ceiling postgres://user@host/database
//!
//! It listens on a free port of 127.0.0.1 and prints its address.

mod postgres;
mod sqlite;

use actix_web::{
    App, HttpResponse, HttpServer,
    error::{ErrorInternalServerError, ErrorNotFound},
    get,
    http::header::{ContentType, LOCATION},
    post, web,
};
use askama::Template;
use serde::Deserialize;
use std::sync::Arc;
use uuid::Uuid;

/// A row of the members page.
pub struct Member {
    pub name: String,
    pub email: String,
    pub roles: String,
    pub status: String,
    pub joined_at: i64,
    pub last_active_at: Option<i64>,
}

/// One worker's way to the database.
enum Store {
    Sqlite(Box<sqlite::Store>),
    Postgres(Box<postgres::Store>),
}

#[derive(Template)]
#[template(path = "members.html")]
struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Roles {
    role: String,
}

#[derive(Deserialize)]
struct Question {
    user: Uuid,
    scope: String,
}

type Answer = actix_web::Result<HttpResponse>;

#[get("/w/{workspace}/members")]
async fn members(store: web::Data<Store>, workspace: web::Path<String>) -> Answer {
    let members = match &**store {
        Store::Sqlite(store) => store.members(&workspace),
        Store::Postgres(store) => store.members(&workspace).await,
    };
    let page = Members { members: members.map_err(ErrorInternalServerError)? };
    let body = page.render().map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().insert_header(ContentType::html()).body(body))
}

#[post("/w/{workspace}/members/{member}/roles")]
async fn change(store: web::Data<Store>, path: web::Path<(String, Uuid)>, form: web::Form<Roles>) -> Answer {
    let (workspace, member) = path.into_inner();
    let location = (LOCATION, format!("/w/{workspace}/members/{member}"));
    let role = form.into_inner().role;
    let changed = match &**store {
        Store::Sqlite(store) => {
            let writer = store.writer();
            // It waits for the disk, and others would wait with it.
            web::block(move || writer.change(&workspace, member, &role)).await?
        }
        Store::Postgres(store) => store.change(&workspace, member, &role).await,
    };
    match changed.map_err(ErrorInternalServerError)? {
        1 => Ok(HttpResponse::SeeOther().insert_header(location).finish()),
        _ => Err(ErrorNotFound("no such member")),
    }
}

#[get("/w/{workspace}/decision")]
async fn decide(
    store: web::Data<Store>,
    workspace: web::Path<String>,
    asked: web::Query<Question>,
) -> Answer {
    let allowed = match &**store {
        Store::Sqlite(store) => store.decide(&workspace, asked.user, &asked.scope),
        Store::Postgres(store) => store.decide(&workspace, asked.user, &asked.scope).await,
    };
    let allowed = allowed.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(format!("{{\"decision\":{allowed}}}")))
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let writer = match url.strip_prefix("sqlite://") {
        Some(path) => Some(Arc::new(sqlite::Writer::open(path)?)),
        None => None,
    };
    let factory = move || {
        let (url, writer) = (url.clone(), writer.clone());
        App::new()
            .data_factory(move || {
                let (url, writer) = (url.clone(), writer.clone());
                async move {
                    anyhow::Ok(match (url.strip_prefix("sqlite://"), writer) {
                        (Some(path), Some(writer)) => {
                            Store::Sqlite(Box::new(sqlite::Store::open(path, writer)?))
                        }
                        _ => Store::Postgres(Box::new(postgres::Store::open(&url).await?)),
                    })
                }
            })
            .service(members)
            .service(change)
            .service(decide)
    };
    let server = HttpServer::new(factory).bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("The ceiling is at http://{address}");
    }
    Ok(server.run().await?)
}
