//! Abuse cases: the record of what happened.

use super::*;
use crate::support::product::page_rows;

both! {
    async fn activity_has_no_write_verb(app: TestApp) {
        let owner = new_owner(&app).await;
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let request = owner.client.request(method.parse().unwrap(), "/w/acme/activity", None);
            ignored(&app, 405, request).await;
        }
        let verbs = page_rows()
            .into_iter()
            .filter(|r| r.path.starts_with("/w/{workspace}/activity") && r.method.as_str() != "GET")
            .count();
        assert_eq!(verbs, 0);
    }

    async fn cr_lf_tab_and_ansi_stay_in_one_row(app: TestApp) {
        let owner = new_owner(&app).await;
        for name in [
            "Two\r\nLines",
            "Tab\tbed",
            "\u{1b}[31mRed",
            "Null\0",
            "Bell\u{7}",
            "Del\u{7f}",
            "Line\u{2028}sep",
            "Right\u{202e}tfel",
        ] {
            app.unchanged_by(owner.client.post_form("/me/profile", &[("name", name)]))
                .await
                .assert_status(422);
            let fields = [("name", name), ("slug", "acme")];
            app.unchanged_by(owner.client.post_form("/w/acme/organization", &fields))
                .await
                .assert_status(422);
        }
        // What a browser says of itself is no text that we chose: control characters are dropped.
        let odd = owner.client.with_header("user-agent", "Odd\tbrowser/1.0 <b>bold</b>");
        odd.post_form("/w/acme/organization", &[("name", "Acme Two"), ("slug", "acme")])
            .await
            .assert_status(303);
        let page = owner.client.visit("/w/acme/activity").await;
        assert!(!page.has(".feed b"), "{}", page.html);
        let rows = app.rows(&format!("SELECT user_agent, actor_name, target_name FROM {AUDIT_RECORD} r")).await;
        assert!(
            !rows.iter().any(|row| row.to_string().contains("\\t") || row.to_string().contains("\\u00")),
            "{rows:?}"
        );
    }

    async fn every_change_is_written_once_with_who_whom_and_from_where(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let changes = [
            (roles_of(&viewer), vec![("role", "editor")], "member.roles-changed"),
            (at(&viewer, "suspension"), vec![], "member.suspended"),
            (at(&viewer, "reactivation"), vec![], "member.reactivated"),
            (
                "/w/acme/organization".into(),
                vec![("name", "Acme Two"), ("slug", "acme")],
                "organization.updated",
            ),
            (at(&viewer, "removal"), vec![], "member.removed"),
        ];
        for (path, fields, kind) in changes {
            let before = app.scalar_i64("SELECT count(*) FROM audit_events").await;
            owner.client.post_form(&path, &fields).await.assert_status(303);
            assert_eq!(app.scalar_i64("SELECT count(*) FROM audit_events").await, before + 1, "{path}");
            let newest = "r WHERE workspace_id IS NOT NULL ORDER BY seq DESC LIMIT 1";
            let row = app.rows(&format!("SELECT * FROM {AUDIT_RECORD} {newest}")).await.remove(0);
            assert_eq!(row["kind"], kind);
            assert_eq!(row["outcome"], "done");
            assert_eq!(row["actor_id"], owner.user_id.to_string());
            assert_eq!(row["actor_name"], "Owner One");
            assert_eq!(row["via"], "browser");
            assert!(row["address"].as_str().unwrap().starts_with("127."), "{row}");
            let whom = if kind.starts_with("member") { "Viewer One" } else { "Acme Two" };
            assert_eq!(row["target_name"], whom);
            assert!(row["payload"].to_string().len() < 1_000);
        }
        // What changes nothing tells nothing.
        let quiet = owner.client.post_form("/w/acme/organization", &[("name", "Acme Two"), ("slug", "acme")]);
        ignored(&app, 303, quiet).await;
    }
}
