//! Rows of the roles that members were given one by one: by what, by whom, and until when.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            principal::Principal,
            refused::Refused,
            source::{OwnRole, Source},
        },
        enforce::{rows::Scoped, transaction::Transaction},
    },
    entity::member_role,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, QueryFilter,
    sea_query::{Condition, Expr},
};
use uuid::Uuid;

/// How a role is given.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Gift {
    pub source: Source,
    /// The user who gives it, or who is accountable for the key that does.
    pub by: Uuid,
    pub ends_at: Option<Timestamp>,
}

impl Gift {
    /// By this principal, without an end.
    pub(in crate::domain) fn by(principal: &Principal) -> Self {
        Self { source: source_of(principal), by: principal.accountable_user(), ends_at: None }
    }
}

/// By what this principal gives roles: a person by hand, a key through the API.
pub(in crate::domain) fn source_of(principal: &Principal) -> Source {
    match principal {
        Principal::ApiKey(_) => Source::Api,
        Principal::User(_) | Principal::Support(_) => Source::Hand,
    }
}

/// The roles that a member `m` was given, as a column: [`parse`] reads it.
pub(in crate::domain) const OWN_GRANTS: &str =
    "(SELECT string_agg(gr.slug || ' ' || gm.source || ' ' || COALESCE(CAST(gm.ends_at AS TEXT), ''), ',')
        FROM member_roles gm JOIN roles gr ON gr.workspace_id = gm.workspace_id AND gr.id = gm.role_id
        WHERE gm.workspace_id = m.workspace_id AND gm.member_id = m.id)";

/// Reads [`OWN_GRANTS`]; sorted by slug.
pub(in crate::domain) fn parse(text: &str) -> Vec<OwnRole> {
    let read = |part: &str| {
        let mut words = part.splitn(3, ' ');
        let (slug, source) = (words.next()?.to_owned(), words.next()?.to_owned());
        let ends_at = words.next().and_then(|at| at.parse().ok()).map(Timestamp::from_millis);
        Some(OwnRole { slug, source, ends_at })
    };
    let mut all: Vec<OwnRole> = text.split(',').filter(|part| !part.is_empty()).filter_map(read).collect();
    all.sort();
    all
}

/// Assigns a role to a member, without a permission check.
pub(in crate::domain) async fn insert_role(
    open: &Transaction,
    member: Uuid,
    role: Uuid,
    gift: Gift,
) -> Result<(), Refused> {
    let row = member_role::ActiveModel {
        workspace_id: Set(open.workspace_id()),
        member_id: Set(member),
        role_id: Set(role),
        ends_at: Set(gift.ends_at),
        source: Set(gift.source.word().to_owned()),
        given_by: Set(Some(gift.by)),
        given_at: Set(Some(open.now)),
    };
    Ok(open.insert(row).await?)
}

/// Takes a role from a member, without a permission check.
///
/// # Errors
/// [`Refused::NotFound`] where they were not given it.
pub(in crate::domain) async fn delete_role(
    open: &Transaction,
    member: Uuid,
    role: Uuid,
) -> Result<(), Refused> {
    open.apply_to_one(open.delete::<member_role::Entity>().filter(of(member, role))).await
}

/// Gives a member another role in place of one that they were given, until the same end and by the same source; if they
/// have the other one already, it stays as it is. Without a permission check.
///
/// # Errors
/// [`Refused::NotFound`] where they were not given it.
pub(in crate::domain) async fn replace_role(
    open: &Transaction,
    member: Uuid,
    role: Uuid,
    replacement: Uuid,
) -> Result<(), Refused> {
    let given = open.find::<member_role::Entity>().filter(of(member, role));
    let given = given.one(&open.tx).await?.ok_or(Refused::NotFound)?;
    let present = open.find::<member_role::Entity>().filter(of(member, replacement));
    if present.one(&open.tx).await?.is_none() {
        // The new role is assigned first, so that nobody is without a role for a moment.
        let row = member_role::ActiveModel { role_id: Set(replacement), ..given.into() };
        open.insert(row).await?;
    }
    delete_role(open, member, role).await
}

/// Sets until when a member has a role that they were given, without a permission check.
///
/// # Errors
/// [`Refused::NotFound`] where they were not given it.
pub(in crate::domain) async fn set_role_end(
    open: &Transaction,
    member: Uuid,
    role: Uuid,
    ends_at: Option<Timestamp>,
    by: Uuid,
) -> Result<(), Refused> {
    use member_role::Column;
    let row = open.update::<member_role::Entity>().filter(of(member, role));
    let row = row.col_expr(Column::EndsAt, Expr::value(ends_at));
    // Who extends it answers for it from then on.
    open.apply_to_one(row.col_expr(Column::GivenBy, Expr::value(by))).await
}

fn of(member: Uuid, role: Uuid) -> Condition {
    use member_role::Column;
    Condition::all().add(Column::MemberId.eq(member)).add(Column::RoleId.eq(role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_read_with_its_source_and_its_end() {
        let all = parse("viewer hand ,admin api 1800000000000");
        let read: Vec<_> = all.iter().map(|role| (role.slug.as_str(), role.source(), role.ends_at)).collect();
        let at = Timestamp::from_millis(1_800_000_000_000);
        assert_eq!(read, [("admin", Source::Api, Some(at)), ("viewer", Source::Hand, None)]);
        assert_eq!(parse(""), []);
    }
}
