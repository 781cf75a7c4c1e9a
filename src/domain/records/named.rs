//! Names of some members of each combination of roles, however many members it has.

use crate::domain::{
    base::refused::Refused,
    enforce::{read::ReadScope, rows::Scoped},
    nouns::roles::Combination,
};
use serde::Deserialize;
use uuid::Uuid;

/// The most combinations of roles that one statement names members of.
const MAX_COMBINATIONS: usize = 20;

/// A member, with the index of their combination in the request.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::domain) struct NamedMember {
    pub nth: usize,
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub name: String,
}

/// Up to `each` active members of each of the first combinations, by name: enough to name
/// `each`, if there are as many. One SQL statement, which reads no more rows than that.
pub(in crate::domain) async fn named_members<P>(
    scope: &ReadScope<P>,
    of: &[&Combination],
    each: usize,
) -> Result<Vec<NamedMember>, Refused>
where
    ReadScope<P>: Scoped,
{
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let (mut arms, mut values) = (Vec::new(), Vec::new());
    for (nth, some) in of.iter().take(MAX_COMBINATIONS).enumerate() {
        let (kind, set) = (values.len() + 2, values.len() + 3);
        values.extend([some.kind.as_str().into(), some.role_set.as_str().into()]);
        arms.push(format!(
            "SELECT * FROM (SELECT {nth} AS nth, id, user_id, api_key_id, listed_as FROM members WHERE workspace_id = $1
                AND status = 'active' AND kind = ${kind} AND role_set = ${set} LIMIT {each}) AS some_{nth}"
        ));
    }
    let sql = format!(
        "SELECT f.nth, f.id, f.user_id, COALESCE(u.name, k.name) AS name FROM ({}) AS f
        LEFT JOIN users u ON u.id = f.user_id LEFT JOIN api_keys k ON k.id = f.api_key_id
        ORDER BY f.listed_as, f.id",
        arms.join(" UNION ALL ")
    );
    Ok(scope.list(&["nth", "id", "user_id", "name"], &sql, values).await?)
}
