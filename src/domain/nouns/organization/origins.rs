//! The websites whose pages may call the API for a workspace, from a browser.
//!
//! A browser asks for it before a page of another site may send a call, or read the response. Nobody gets more access by
//! it: a call needs an API key, wherever it is sent from.

use crate::{
    domain::{
        base::{
            conflict::CHANGED,
            db::Db,
            event::{Recorded, Target},
            invalid::Invalid,
            refused::Refused,
            role::fingerprint,
            sql::Sql,
            text_rule::TextRule,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::organization::{events::AllowedOriginsChanged, web_origin::WebOrigin},
        records::workspaces::WORKSPACE,
    },
    entity::allowed_origin,
    policy::{Access, perm},
    visible::is_hidden,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter};
use std::{collections::BTreeSet, fmt::Display};
use uuid::Uuid;

/// The most websites of a workspace.
pub const MAX_ORIGINS: usize = 20;

/// Why a call from a website that the workspace does not name is refused.
pub const NOT_NAMED: Refused = Refused::NotAllowed(
    "The workspace doesn't name the website that sent this call. Nothing was changed. Someone with the “Update organization” permission can add it on the Organization page.",
);

/// The websites that a workspace names, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigins {
    workspace: Uuid,
    pub origins: Vec<String>,
}

impl AllowedOrigins {
    pub fn version(&self) -> String {
        fingerprint(self.workspace.as_bytes(), &self.origins)
    }
}

#[derive(FromQueryResult)]
struct Row {
    origin: String,
}

async fn load(scope: &impl Scoped) -> Result<AllowedOrigins, Refused> {
    let sql = "SELECT o.origin FROM allowed_origins o WHERE o.workspace_id = $1 ORDER BY o.origin";
    let rows: Vec<Row> = scope.all(sql, Vec::new()).await?;
    let origins = rows.into_iter().map(|row| row.origin).collect();
    Ok(AllowedOrigins { workspace: scope.workspace_id(), origins })
}

/// The websites that the workspace names.
///
/// # Errors
/// The database's own.
pub async fn get<P: Access>(scope: &ReadScope<P>) -> Result<AllowedOrigins, Refused> {
    load(scope).await
}

/// [`get`], as it is under the lock.
///
/// # Errors
/// The database's own.
pub async fn under_lock<P>(s: &WriteScope<P>) -> Result<AllowedOrigins, Refused> {
    load(s).await
}

/// Reads a list of websites, each by `read`.
///
/// # Errors
/// On the field `origins`: the first that is wrong, and what is wrong with it; or that there are too many.
pub fn parse<'a, E: Display>(
    texts: impl IntoIterator<Item = &'a str>,
    read: impl Fn(&str) -> Result<WebOrigin, E>,
) -> Result<BTreeSet<WebOrigin>, Invalid> {
    let mut origins = BTreeSet::new();
    for text in texts {
        let origin = read(text).map_err(|complaint| {
            let shown: String = text.chars().filter(|c| !is_hidden(*c)).take(80).collect();
            Invalid::field("origins", format!("“{shown}”: {complaint}"))
        })?;
        origins.insert(origin);
        if origins.len() > MAX_ORIGINS {
            return Err(Invalid::field("origins", format!("Name at most {MAX_ORIGINS} websites.")));
        }
    }
    Ok(origins)
}

/// [`parse`] of what a person typed: split by spaces, commas and lines.
///
/// # Errors
/// As [`parse`].
pub fn parse_typed(text: &str) -> Result<BTreeSet<WebOrigin>, Invalid> {
    let each = text.split(|c: char| c.is_whitespace() || c == ',').filter(|text| !text.is_empty());
    parse(each, WebOrigin::parse)
}

/// Names these websites, and no others. `version` is that of the list which the change is based on.
///
/// # Errors
/// [`CHANGED`] if it is another one by now.
pub async fn set(
    s: &mut WriteScope<perm::UpdateOrganization>,
    origins: &BTreeSet<WebOrigin>,
    version: &str,
) -> Result<Recorded<AllowedOrigins>, Refused> {
    let before = under_lock(s).await?;
    if before.version() != version {
        return Err(CHANGED.into());
    }
    let after: Vec<String> = origins.iter().map(WebOrigin::to_string).collect();
    if before.origins == after {
        return Ok(Recorded::unchanged(before));
    }
    let gone = before.origins.iter().filter(|origin| !after.contains(origin));
    let gone = s
        .delete::<allowed_origin::Entity>()
        .filter(allowed_origin::Column::Origin.is_in(gone.map(String::as_str)));
    s.apply(gone).await?;
    for origin in after.iter().filter(|origin| !before.origins.contains(origin)) {
        let row =
            allowed_origin::ActiveModel { workspace_id: Set(s.workspace_id()), origin: Set(origin.clone()) };
        s.open().insert(row).await?;
    }
    let event = AllowedOriginsChanged { before: before.origins, after: after.clone() };
    let workspace = s.actor().workspace.clone();
    let target = Target::new(WORKSPACE, workspace.id, workspace.name);
    Ok(Recorded::new(AllowedOrigins { workspace: workspace.id, origins: after }, event, target))
}

#[derive(FromQueryResult)]
struct Known {
    #[expect(dead_code, reason = "a row is all that is needed")]
    origin: String,
}

/// Whether this workspace, which the caller was admitted to, names a website.
///
/// # Errors
/// The database's own.
pub async fn names(db: &Db, workspace: Uuid, origin: &str) -> Result<bool, Refused> {
    let sql = "SELECT o.origin FROM allowed_origins o WHERE o.workspace_id = $1 AND o.origin = $2";
    let known: Option<Known> = db.read().first(sql, vec![workspace.into(), origin.into()]).await?;
    Ok(known.is_some())
}

/// Whether any workspace of the installation names a website. Nobody learns which one.
///
/// # Errors
/// The database's own.
pub async fn is_known(db: &Db, origin: &str) -> Result<bool, Refused> {
    let sql = "SELECT o.origin FROM allowed_origins o WHERE o.origin = $1 LIMIT 1";
    let known: Option<Known> = db.read().first(sql, vec![origin.into()]).await?;
    Ok(known.is_some())
}
