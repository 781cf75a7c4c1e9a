//! Access that ends: what of a membership and of its roles holds at a moment, as SQL text.
//!
//! Every statement that turns a membership into authority asks this, at the time of the request. Rows whose end has
//! passed are taken away later (`nouns/members/ends.rs`), and nothing that is refused depends on it.

/// The membership `$member` has not ended at the time `$now`, as SQL text.
macro_rules! lasts {
    ($member:literal, $now:expr) => {
        concat!("(", $member, ".access_until IS NULL OR ", $member, ".access_until > ", $now, ")")
    };
}
pub(in crate::domain) use lasts;

/// Slugs of the roles that the membership `$member` holds at the time `$now`, apart by spaces, as SQL text: its
/// `role_set` until the soonest of its ends, and from then on what is put together anew of the roles that have not
/// ended and those of its teams.
macro_rules! held_roles {
    ($member:literal, $now:expr) => {
        concat!(
            "(CASE WHEN ",
            $member,
            ".next_end_at IS NULL OR ",
            $member,
            ".next_end_at > ",
            $now,
            " THEN ",
            $member,
            ".role_set ELSE (SELECT COALESCE(string_agg(held.slug, ' '), '') FROM (
                SELECT hr.slug FROM member_roles hm CROSS JOIN roles hr
                    WHERE hm.workspace_id = ",
            $member,
            ".workspace_id AND hm.member_id = ",
            $member,
            ".id AND (hm.ends_at IS NULL OR hm.ends_at > ",
            $now,
            ") AND hr.workspace_id = hm.workspace_id AND hr.id = hm.role_id
                UNION SELECT tr.slug FROM team_members ht CROSS JOIN team_roles hg CROSS JOIN roles tr
                    WHERE ht.workspace_id = ",
            $member,
            ".workspace_id AND ht.member_id = ",
            $member,
            ".id AND hg.workspace_id = ht.workspace_id AND hg.team_id = ht.team_id
                        AND tr.workspace_id = hg.workspace_id AND tr.id = hg.role_id
                ORDER BY 1) AS held) END)"
        )
    };
}
pub(in crate::domain) use held_roles;
