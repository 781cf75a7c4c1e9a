//! The first page of a workspace: how many, what changed, what needs care and the link that mends it.

use crate::support::*;

/// What needs care, each with where its link leads.
fn care(page: &Page) -> Vec<(String, String)> {
    let what = page.select("[aria-labelledby=care] .rows strong");
    what.into_iter().zip(page.attributes("[aria-labelledby=care] .rows a", "href")).collect()
}

async fn grant(app: &TestApp, role: &str, scope: &str) {
    let sql = format!(
        "INSERT INTO grants (workspace_id, role_id, scope)
         SELECT workspace_id, id, {} FROM roles WHERE slug = {}",
        quoted(scope),
        quoted(role)
    );
    assert_eq!(app.execute(&sql).await, 1);
}

both! {
    async fn what_needs_care_comes_with_the_link_that_mends_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let look = async || care(&owner.client.visit("/w/acme").await);
        let single = ("There's only one Owner".to_owned(), "/w/acme/members".to_owned());
        assert_eq!(look().await, [single]);

        grant(&app, "editor", "delete:organization").await;
        app.execute("DELETE FROM grants WHERE scope IN ('cancel:invitations', 'read:audit')").await;
        // Seen, but longer ago than 90 days.
        let long_ago = format!("UPDATE members SET last_active_at = 1, joined_at = 1 WHERE id = {}", app.id(viewer.member_id));
        app.execute(&long_ago).await;

        let found = look().await;
        let words: Vec<&str> = found.iter().map(|(what, _)| what.as_str()).collect();
        assert_eq!(words, [
            "There's only one Owner",
            "“Delete organization” is granted to Editor",
            "Only Owners have “Cancel invitations” and 1 more",
            "1 member hasn't been active for 90 days",
        ]);
        let links: Vec<&str> = found.iter().map(|(_, link)| link.as_str()).collect();
        assert_eq!(links[1..3], ["/w/acme/security#p-delete-organization", "/w/acme/security#p-cancel-invitations"]);
        let page = owner.client.visit("/w/acme/security").await;
        for row in ["#p-delete-organization", "#p-cancel-invitations"] {
            assert!(page.has(row), "{row} is where the link leads");
        }
        let page = owner.client.visit(links[3]).await;
        assert_eq!(page.select("#results tbody .name a")[0], "Viewer One", "the longest absent comes first");

        app.execute("DELETE FROM grants WHERE scope = 'delete:organization'").await;
        for scope in ["cancel:invitations", "read:audit"] {
            grant(&app, "admin", scope).await;
        }
        let path = format!("/w/acme/members/{}/roles", viewer.member_id);
        owner.client.post_form(&path, &[("role", "owner")]).await.assert_status(303);
        app.clock.advance(std::time::Duration::from_secs(3_600));
        viewer.client.visit("/w/acme").await;
        // That somebody was here is written down a little later.
        let seen = format!("SELECT COUNT(*) FROM members WHERE last_active_at > 1 AND id = {}", app.id(viewer.member_id));
        until("the visit was not written down", async || app.scalar_i64(&seen).await == 1).await;
        assert_eq!(look().await, [], "all of it is mended");
    }

    async fn a_second_owner_is_asked_for_of_owners_alone(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        owner.client.visit("/w/acme").await.assert_says("There's only one Owner");
        admin.client.visit("/w/acme").await.assert_silent_about("There's only one Owner");
    }

    async fn the_counts_are_of_this_moment(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        invite(&owner.client, "acme", "a@example.com b@example.com", &["viewer"]).await;
        let figures = async || owner.client.visit("/w/acme").await.select(".tile .figure");
        assert_eq!(figures().await, ["2", "0", "2"]);
        let path = format!("/w/acme/members/{}/suspension", viewer.member_id);
        owner.client.post_form(&path, &[]).await.assert_status(303);
        assert_eq!(figures().await, ["1", "1", "2"]);
        app.clock.advance(std::time::Duration::from_secs(6 * 86_400));
        owner.client.visit("/w/acme").await.assert_says("2 expire within 2 days");
        app.clock.advance(std::time::Duration::from_secs(2 * 86_400));
        assert_eq!(figures().await, ["1", "1", "0"]);
    }
}
