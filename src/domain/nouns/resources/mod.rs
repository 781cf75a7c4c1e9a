//! Resources of the customer's own applications: registered, so that a search has something to list, and so that it is
//! known whose they are. Access to a resource depends only on its type, and for scopes such as `write:own` on its owner:
//! see [`owners`].

pub mod events;
pub mod owners;

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{Recorded, RecordedEvent, Target},
            invalid::Invalid,
            paging::{Cursor, Key, Page, Position, invalid_cursor},
            refused::Refused,
            text_rule::{Complaint, TextRule},
            values::Title,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            members::{has_text, like, like_exactly},
            resources::{
                events::{RESOURCE, ResourceForgotten, ResourceRegistered},
                owners::{NewOwner, may_change_owner, owner_changed},
            },
        },
    },
    entity::resource,
    policy::{
        Scope, perm,
        scope::{MAX_LENGTH, PART},
    },
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter, Value, sea_query::Expr};
use serde::Deserialize;
use uuid::Uuid;

/// The most resources that a workspace can register.
pub const MAX_RESOURCES: i64 = 100_000;

/// A resource as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, FromQueryResult)]
pub struct Resource {
    pub kind: String,
    pub id: String,
    pub name: String,
    pub created_at: Timestamp,
    /// The membership to which it belongs.
    owner_id: Option<Uuid>,
    owner_external_id: Option<String>,
    owner_user_id: Option<Uuid>,
    owner_key_id: Option<Uuid>,
}

/// Whom a resource belongs to, as services know them: by the external id, where they have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub is_key: bool,
    pub id: String,
}

impl Resource {
    pub fn owner(&self) -> Option<Owner> {
        let id = self.owner_user_id.or(self.owner_key_id)?;
        let id = self.owner_external_id.clone().unwrap_or_else(|| id.to_string());
        Some(Owner { is_key: self.owner_key_id.is_some(), id })
    }
}

/// The rows of resources of a workspace.
const ROWS: &str = "SELECT r.workspace_id, r.kind, r.id, r.name, r.created_at, r.owner_id FROM resources r
    WHERE r.workspace_id = $1";

/// A statement that selects resources, with the owners of these rows alone.
fn with_owners(rows: &str, order: &str) -> String {
    format!(
        "SELECT r.kind, r.id, r.name, r.created_at, m.id AS owner_id, m.external_id AS owner_external_id,
            m.user_id AS owner_user_id, m.api_key_id AS owner_key_id
        FROM ({rows}) r LEFT JOIN members m ON m.workspace_id = r.workspace_id AND m.id = r.owner_id{order}"
    )
}

/// A type of the customer's own resources: the second part of a scope.
pub struct ResourceType(String);

impl ResourceType {
    /// The most characters.
    pub const MAX: usize = MAX_LENGTH - "read:".len();
}

impl TextRule for ResourceType {
    const MIN: usize = 1;
    const MAX: usize = Self::MAX;
    const DESCRIPTION: &'static str = "A type of your own resources, written like a part of a scope.";

    fn pattern() -> String {
        format!("^{PART}$")
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        if text.contains([':', '*']) || Scope::parse(&format!("read:{text}")).is_err() {
            return Err("Use only lower-case letters, digits, “-”, “_” or “.”.");
        }
        Ok(Self(text.to_owned()))
    }
}

/// The id of a resource in the application that it comes from.
pub struct ResourceId(String);

impl TextRule for ResourceId {
    const MIN: usize = 1;
    const MAX: usize = 200;
    const DESCRIPTION: &'static str = "The ID your own applications use.";

    fn pattern() -> String {
        r"^[^\u0000-\u001f\u007f-\u009f]+$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        if text.is_empty() || text.chars().count() > Self::MAX || text.chars().any(char::is_control) {
            return Err("Use 1 to 200 visible characters.");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Type and id of a resource, in the customer's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceKey {
    pub kind: String,
    pub id: String,
}

impl ResourceKey {
    /// # Errors
    /// What is wrong with either, as a sentence.
    pub fn parse(kind: &str, id: &str) -> Result<Self, Invalid> {
        let mut invalid = Invalid::default();
        let kind = invalid.check("type", ResourceType::parse(kind));
        let id = invalid.check("id", ResourceId::parse(id));
        match (kind, id) {
            (Some(ResourceType(kind)), Some(ResourceId(id))) => Ok(Self { kind, id }),
            _ => Err(invalid),
        }
    }

    fn target(&self) -> Target {
        Target::named(RESOURCE, format!("{} {}", self.kind, self.id))
    }
}

/// Registers a resource, or changes its name and its owner. Returns it, and whether it is new.
///
/// # Errors
/// [`Refused::Invalid`] where the workspace has too many, or for an owner who is no member;
/// [`Refused::Ceiling`] for another owner, to whoever may not do everything with it.
pub async fn register(
    s: &mut WriteScope<perm::CheckAccess>,
    address: &ResourceKey,
    name: &Title,
    owner: &NewOwner,
) -> Result<Recorded<(Resource, bool)>, Refused> {
    let present = find(s, address).await?;
    let owner_before = present.as_ref().and_then(|present| present.owner_id);
    let owner = owner.member(s, owner_before).await?;
    let mut events = Vec::new();
    if present.as_ref().is_none_or(|present| present.name != name.as_str()) {
        let event = ResourceRegistered { name: name.to_string() };
        events.push(RecordedEvent::new(event, address.target()));
    }
    if owner != owner_before {
        may_change_owner(s, &address.kind)?;
        events.push(owner_changed(s, address.target(), owner).await?);
    }
    let is_new = present.is_none();
    match present {
        Some(present) if events.is_empty() => return Ok(Recorded::unchanged((present, false))),
        Some(_) => {
            let row = s.open().update::<resource::Entity>().filter(resource::Column::Kind.eq(&address.kind));
            let row = row.filter(resource::Column::Id.eq(&address.id));
            let row = row.col_expr(resource::Column::Name, Expr::value(name.as_str()));
            s.open().apply_to_one(row.col_expr(resource::Column::OwnerId, Expr::value(owner))).await?;
        }
        None => insert(s, address, name, owner).await?,
    }
    let resource = find(s, address).await?.ok_or(Refused::NotFound)?;
    Ok(Recorded::many((resource, is_new), events))
}

async fn insert(
    s: &WriteScope<perm::CheckAccess>,
    address: &ResourceKey,
    name: &Title,
    owner: Option<Uuid>,
) -> Result<(), Refused> {
    let sql = "SELECT COUNT(*) AS resources FROM (SELECT 1 FROM resources r
        WHERE r.workspace_id = $1 LIMIT $2) AS present";
    let count: Option<Count> = s.first(sql, vec![MAX_RESOURCES.into()]).await?;
    if count.is_some_and(|count| count.resources >= MAX_RESOURCES) {
        let sentence =
            format!("The workspace already has {MAX_RESOURCES} registered resources. Remove some first.");
        return Err(Invalid::field("id", sentence).into());
    }
    let row = resource::ActiveModel {
        workspace_id: Set(s.workspace_id()),
        kind: Set(address.kind.clone()),
        id: Set(address.id.clone()),
        name: Set(name.to_string()),
        created_at: Set(s.now()),
        owner_id: Set(owner),
    };
    s.open().insert(row).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Count {
    resources: i64,
}

/// Removes a resource from the register.
///
/// # Errors
/// [`Refused::NotFound`] where it is not registered here; [`Refused::Ceiling`] for one that belongs to somebody, to
/// whoever may not do everything with it.
pub async fn forget(
    s: &mut WriteScope<perm::CheckAccess>,
    address: &ResourceKey,
) -> Result<Recorded<()>, Refused> {
    if find(s, address).await?.is_some_and(|present| present.owner_id.is_some()) {
        may_change_owner(s, &address.kind)?;
    }
    let row = s.open().delete::<resource::Entity>().filter(resource::Column::Kind.eq(&address.kind));
    s.open().apply_to_one(row.filter(resource::Column::Id.eq(&address.id))).await?;
    Ok(Recorded::new((), ResourceForgotten {}, address.target()))
}

/// The resource, if it is registered.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn find(
    scope: &impl Scoped,
    address: &ResourceKey,
) -> Result<Option<Resource>, Refused> {
    let sql = with_owners(&format!("{ROWS} AND r.kind = $2 AND r.id = $3"), "");
    Ok(scope.first(&sql, vec![address.kind.as_str().into(), address.id.as_str().into()]).await?)
}

/// One registered resource.
///
/// # Errors
/// [`Refused::NotFound`] where it is not registered here.
pub async fn get(scope: &ReadScope<perm::CheckAccess>, address: &ResourceKey) -> Result<Resource, Refused> {
    find(scope, address).await?.ok_or(Refused::NotFound)
}

/// Resources by type and id, after `after`, at most `limit`.
///
/// # Errors
/// The database's own.
pub async fn list(
    scope: &ReadScope<perm::CheckAccess>,
    kind: Option<&str>,
    after: Option<(&str, &str)>,
    limit: usize,
) -> Result<Vec<Resource>, Refused> {
    let mut values: Vec<Value> = vec![i64::try_from(limit).unwrap_or(i64::MAX).into()];
    let mut filter = String::new();
    if let Some(kind) = kind {
        values.push(kind.into());
        filter.push_str(&format!(" AND r.kind = ${}", values.len() + 1));
    }
    if let Some((kind, id)) = after {
        values.extend([kind.into(), id.into()]);
        let n = values.len();
        filter.push_str(&format!(" AND (r.kind, r.id) > (${n}, ${})", n + 1));
    }
    let order = " ORDER BY r.kind, r.id";
    let sql = with_owners(&format!("{ROWS}{filter}{order} LIMIT $2"), order);
    Ok(scope.all(&sql, values).await?)
}

/// Which resources to list. An empty text matches all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: String,
    /// Part of a name or an id.
    pub text: String,
}

/// Lists resources by type and id, one page at a time.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn page(
    scope: &ReadScope<perm::CheckAccess>,
    filter: &Filter,
    at: &Position,
) -> Result<Page<Resource>, Refused> {
    let mut values: Vec<Value> = Vec::new();
    let mut bound = |value: &str| {
        values.push(value.into());
        format!("${}", values.len() + 1)
    };
    let mut sql = ROWS.to_owned();
    if !filter.kind.is_empty() {
        sql.push_str(&format!(" AND r.kind = {}", bound(&filter.kind)));
    }
    if !filter.text.is_empty() {
        // As it was typed, or without case, as far as the database knows one.
        let (typed, lower) = (bound(&like_exactly(&filter.text)), bound(&like(&filter.text)));
        let columns =
            [("r.name", &typed), ("r.id", &typed), ("LOWER(r.name)", &lower), ("LOWER(r.id)", &lower)];
        let has = columns.map(|(column, pattern)| has_text(column, pattern));
        sql.push_str(&format!(" AND ({})", has.join(" OR ")));
    }
    let (sign, way) = if at.is_backwards() { ('<', "DESC") } else { ('>', "ASC") };
    if let Some(place) = at.text()? {
        // No type has a space in it.
        let (kind, id) = place.split_once(' ').ok_or_else(|| invalid_cursor("after"))?;
        let (kind, id) = (bound(kind), bound(id));
        sql.push_str(&format!(" AND (r.kind, r.id) {sign} ({kind}, {id})"));
    }
    let order = format!(" ORDER BY r.kind {way}, r.id {way}");
    sql.push_str(&format!("{order} LIMIT {}", at.limit() + 1));
    let rows: Vec<Resource> = scope.all(&with_owners(&sql, &order), values).await?;
    Ok(Page::from_rows(rows, at, |row| {
        Cursor::new(Key::Text(format!("{} {}", row.kind, row.id)), Uuid::nil())
    }))
}

#[derive(FromQueryResult)]
struct ResourceName {
    id: String,
}

/// The ids alone, of one type: of all, or of those that belong to a member.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn ids(
    scope: &ReadScope<perm::CheckAccess>,
    kind: &str,
    owner: Option<Uuid>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, Refused> {
    // No type that anybody registered has one, and PostgreSQL takes none.
    if kind.contains('\0') {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![limit.into(), kind.into(), after.unwrap_or_default().into()];
    let mut owned = "";
    if let Some(owner) = owner {
        values.push(owner.into());
        owned = " AND r.owner_id = $5";
    }
    let sql = format!(
        "SELECT r.id FROM resources r WHERE r.workspace_id = $1 AND r.kind = $3{owned} AND r.id > $4
        ORDER BY r.id LIMIT $2"
    );
    let rows: Vec<ResourceName> = scope.all(&sql, values).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_say_what_parsers_accept() {
        fn agrees<T: TextRule>(text: &str) {
            let pattern = regress::Regex::with_flags(&T::pattern(), "u").unwrap();
            let fits = (T::MIN..=T::MAX).contains(&text.chars().count());
            assert_eq!(T::parse_exact(text).is_ok(), fits && pattern.find(text).is_some(), "{text:?}");
        }
        for text in [
            "record",
            "a.b_c-1",
            "1",
            "",
            "A",
            "a:b",
            "*",
            "-a",
            "é",
            "a b",
            &"a".repeat(115),
            &"a".repeat(116),
        ] {
            agrees::<ResourceType>(text);
        }
        for text in ["", "r/1 ü", "a\0b", "a\nb", "a\u{85}b", &"é".repeat(200), &"é".repeat(201)] {
            agrees::<ResourceId>(text);
        }
    }
}
