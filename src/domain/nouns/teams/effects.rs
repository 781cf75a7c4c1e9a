//! How a change of a team's roles affects its people.

use crate::{
    domain::{
        base::{
            principal::Actor,
            refused::Refused,
            role::{self, Role},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::teams::Team,
        records::named::NamedMember,
    },
    policy::HoldingsChange,
};
use sea_orm::{FromQueryResult, Value};

/// People of a team with equal holdings, before and after.
pub(in crate::domain) struct Group {
    pub shift: HoldingsChange,
    /// The actor is among them.
    pub is_yours: bool,
    role_set: String,
    kept: String,
}

#[derive(FromQueryResult)]
struct GroupRow {
    role_set: String,
    kept: String,
    people: i64,
    yours: i64,
}

/// The active people of the team `$2`, each with what they hold and, of the roles that it no longer
/// carries, what they keep: as their own, or by another team. Returns the values from `$2` on, too.
fn people(team: &Team, taken: &[&Role]) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = vec![team.id.into()];
    let mut kept = "''".to_owned();
    if !taken.is_empty() {
        let places: Vec<String> = (3..taken.len() + 3).map(|n| format!("${n}")).collect();
        values.extend(taken.iter().map(|role| Value::from(role.id)));
        kept = format!(
            "COALESCE((SELECT string_agg(r.slug, ' ' ORDER BY r.slug) FROM roles r
                WHERE r.workspace_id = m.workspace_id AND r.id IN ({}) AND (
                    EXISTS (SELECT 1 FROM member_roles o WHERE o.workspace_id = m.workspace_id
                        AND o.member_id = m.id AND o.role_id = r.id)
                    OR EXISTS (SELECT 1 FROM team_members p CROSS JOIN team_roles c
                        WHERE p.workspace_id = m.workspace_id AND p.member_id = m.id
                            AND p.team_id <> tm.team_id AND c.workspace_id = p.workspace_id
                            AND c.team_id = p.team_id AND c.role_id = r.id))), '')",
            places.join(", ")
        );
    }
    let sql = format!(
        "SELECT m.id, m.user_id, m.listed_as, m.role_set, {kept} AS kept
        FROM team_members tm CROSS JOIN members m WHERE tm.workspace_id = $1 AND tm.team_id = $2
            AND m.workspace_id = tm.workspace_id AND m.id = tm.member_id AND m.status || '' = 'active'"
    );
    (sql, values)
}

fn without<'a>(these: &'a [Role], others: &[Role]) -> Vec<&'a Role> {
    these.iter().filter(|role| others.iter().all(|other| other.id != role.id)).collect()
}

impl Team {
    /// Groups its people by their holdings before and after, if the team has its roles in place of `before`.
    /// One SQL statement.
    pub(in crate::domain) async fn groups<P>(
        &self,
        scope: &ReadScope<P>,
        actor: &Actor,
        before: &[Role],
    ) -> Result<Vec<Group>, Refused>
    where
        ReadScope<P>: Scoped,
    {
        let taken = without(before, &self.roles);
        let (people, mut values) = people(self, &taken);
        values.push(actor.member_id.into());
        let sql = format!(
            "SELECT g.role_set, g.kept, COUNT(*) AS people,
                CAST(SUM(CASE WHEN g.id = ${} THEN 1 ELSE 0 END) AS BIGINT) AS yours
            FROM ({people}) AS g GROUP BY g.role_set, g.kept ORDER BY g.role_set, g.kept",
            values.len() + 1
        );
        let rows: Vec<GroupRow> = scope.all(&sql, values).await?;
        let group = |row: GroupRow| {
            let (held, kept) =
                (actor.all_roles.parse_slugs(&row.role_set), actor.all_roles.parse_slugs(&row.kept));
            let stays = |role: &&Role| {
                kept.iter().any(|other| other.id == role.id) || taken.iter().all(|other| other.id != role.id)
            };
            let after: Vec<&Role> = held.iter().copied().filter(stays).chain(&self.roles).collect();
            let change = HoldingsChange {
                people: row.people,
                before: role::holdings(&held),
                after: role::holdings(&after),
            };
            Group { shift: change, is_yours: row.yours > 0, role_set: row.role_set, kept: row.kept }
        };
        Ok(rows.into_iter().map(group).collect())
    }

    /// The first `max` people of the given groups, by name. One SQL statement.
    pub(in crate::domain) async fn named_members<'a, P>(
        &self,
        scope: &ReadScope<P>,
        before: &[Role],
        of: &[&'a Group],
        max: usize,
    ) -> Result<Vec<(&'a Group, NamedMember)>, Refused>
    where
        ReadScope<P>: Scoped,
    {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let (people, mut values) = people(self, &without(before, &self.roles));
        let mut nth = String::new();
        // Each group has at least one person, so as many groups as names are enough.
        for (place, group) in of.iter().take(max).enumerate() {
            let (set, kept) = (values.len() + 2, values.len() + 3);
            values.extend([group.role_set.as_str().into(), group.kept.as_str().into()]);
            nth.push_str(&format!(" WHEN g.role_set = ${set} AND g.kept = ${kept} THEN {place}"));
        }
        let sql = format!(
            "SELECT f.nth, f.id, f.user_id, u.name FROM
                (SELECT CASE{nth} END AS nth, g.id, g.user_id, g.listed_as FROM ({people}) AS g) AS f
            JOIN users u ON u.id = f.user_id WHERE f.nth IS NOT NULL ORDER BY f.listed_as, f.id LIMIT {max}"
        );
        let members: Vec<NamedMember> = scope.list(&["nth", "id", "user_id", "name"], &sql, values).await?;
        Ok(members.into_iter().filter_map(|one| Some((of.get(one.nth).copied()?, one))).collect())
    }
}
