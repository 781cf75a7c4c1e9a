//! What the owner of the database does to the record, and what finds it.

use super::*;
use crate::support::product::erasure::{self, Whom};

/// Another value for a column, as SQL: of its type, and allowed by the table's own checks.
fn another(app: &TestApp, table: &str, column: &str) -> String {
    let bytes = match app.backend {
        Backend::Sqlite => "X'00'",
        Backend::Postgres => "'\\x00'::bytea",
    };
    match column {
        "outcome" => "CASE outcome WHEN 'done' THEN 'refused' ELSE 'done' END".to_owned(),
        "actor_kind" => "'operator'".to_owned(),
        "via" => "'command'".to_owned(),
        "kind" if table != "audit_events" => "'account'".to_owned(),
        "part" => "CASE part WHEN 'actor' THEN 'payload' ELSE 'actor' END".to_owned(),
        "seq" | "at" | "checkpoint" => format!("{column} + 1000000"),
        "hash" => bytes.to_owned(),
        _ if column.ends_with("_commitment") || column.ends_with("_salt") => bytes.to_owned(),
        _ if column.ends_with("id") || column.ends_with("_subject") || column == "erasure" => {
            app.id(Uuid::from_u128(7))
        }
        _ => format!("COALESCE({column}, '') || 'x'"),
    }
}

both! {
    async fn each_column_is_covered(app: TestApp) {
        let (owner, viewer) = filled(&app).await;
        let editor = member(&app, &owner, "editor").await;
        let record = Record::of(&app).await;
        erasure::erase_names(&record.db, &Whom::User(editor.user_id)).await.unwrap();
        record.checkpoint().await;
        record.assert_whole().await;
        record.unprotect().await;
        record.keep("all").await;
        let event = "SELECT id FROM audit_events WHERE kind = ";
        let accepted = format!("{event}'invitation.accepted' AND actor_id = ");
        let in_workspace = app.scalar_uuid(&format!("{accepted}{}", app.id(viewer.user_id))).await;
        let erased = app.scalar_uuid(&format!("{accepted}{}", app.id(editor.user_id))).await;
        let personal = app.scalar_uuid(&format!("{event}'user.profile-updated'")).await;
        let mut flipped = 0;
        for table in TABLES {
            for column in app.catalogue().await.columns(table) {
                if column == "sealed" {
                    // Whoever says that a checkpoint has it: see a_head_that_is_marked_as_sealed_and_is_not.
                    continue;
                }
                let rows = match table {
                    "audit_events" if column == "user_id" => format!("id = {}", app.id(personal)),
                    "audit_events" => format!("id = {}", app.id(in_workspace)),
                    "audit_identities" => format!("event_id = {}", app.id(in_workspace)),
                    "audit_chains" => format!("id = {}", app.id(record.workspace("acme").await)),
                    "audit_checkpoints" => "1 = 1".to_owned(),
                    "audit_erasures" => format!("event_id = {} AND part = 'actor'", app.id(erased)),
                    _ => format!("id = {}", app.id(record.workspace("acme").await)),
                };
                let value = another(&app, table, column);
                record.run(&format!("UPDATE {table} SET {column} = {value} WHERE {rows}")).await;
                let findings = record.findings(&[]).await;
                assert!(!findings.is_empty(), "{table}.{column} was altered, and nothing was found");
                record.put_back("all", &[table]).await;
                flipped += 1;
            }
        }
        assert!(flipped > 30, "only {flipped} columns were altered");
        record.assert_whole().await;
    }

    async fn what_is_deleted_is_missed(app: TestApp) {
        filled(&app).await;
        let record = Record::of(&app).await;
        record.unprotect().await;
        record.keep("all").await;
        let acme = app.id(record.workspace("acme").await);
        let events = format!("audit_events WHERE workspace_id = {acme}");
        let cases: [(&str, Vec<String>, &str); 8] = [
            ("one", vec![format!("DELETE FROM {events} AND seq = 2")], "an event is missing"),
            ("the first", vec![format!("DELETE FROM {events} AND seq = 1")], "an event is missing"),
            (
                "the last, its head left",
                vec![format!("DELETE FROM {events} AND seq = (SELECT MAX(seq) FROM {events})")],
                "its head says",
            ),
            ("a chain", vec![format!("DELETE FROM {events}")], "it was started, and has no events"),
            (
                "a chain and its head",
                vec![format!("DELETE FROM {events}"), format!("DELETE FROM audit_chains WHERE id = {acme}")],
                "it was started, and has no events",
            ),
            ("all events", vec!["DELETE FROM audit_events".into()], "its head says"),
            (
                "all there is of the record",
                TABLES.map(|table| format!("DELETE FROM {table} WHERE 1 = 1")).to_vec(),
                "it has no events, not even of its creation",
            ),
            ("names", vec!["DELETE FROM audit_identities".into()], "its names are missing"),
        ];
        for (what, statements, text) in cases {
            for sql in &statements {
                app.execute(sql).await;
            }
            record.assert_found(what, text).await;
            record.put_back("all", &TABLES).await;
        }
        // The chain of a workspace that is gone, with all that remembers it but the installation's chain.
        let other = record.workspace("other").await;
        record.run(&format!("UPDATE workspaces SET deleted_at = 1 WHERE id = {}", app.id(other))).await;
        record.run(&format!("DELETE FROM workspaces WHERE id = {}", app.id(other))).await;
        record.assert_whole().await;
        app.execute(&format!("DELETE FROM audit_events WHERE workspace_id = {}", app.id(other))).await;
        app.execute(&format!("DELETE FROM audit_chains WHERE id = {}", app.id(other))).await;
        record.assert_found("a chain of a workspace that is gone", "it was started, and has no events").await;
    }

    /// Without a checkpoint the chain fits again; with one that has seen the tail, in the database or a copy of it
    /// elsewhere, it does not.
    async fn a_tail_that_is_cut_with_its_head_set_back_is_missed_by_a_checkpoint(app: TestApp) {
        let (owner, viewer) = filled(&app).await;
        let record = Record::of(&app).await;
        record.unprotect().await;
        record.keep("before").await;
        let suspension = format!("/w/acme/members/{}/suspension", viewer.member_id);
        owner.client.post_form(&suspension, &[]).await.assert_status(303);
        record.assert_whole().await;
        let copy = record.checkpoint().await;
        record.assert_whole().await;

        let heads = ["audit_events", "audit_identities", "audit_chains"];
        record.keep("after").await;
        record.put_back("before", &heads).await;
        record.assert_found("the checkpoint is left", "a checkpoint has seen").await;
        record.put_back("before", &TABLES).await;
        record.assert_whole().await;
        let findings = record.findings(&[&copy]).await;
        assert!(findings.iter().any(|line| line.contains("was set back")), "{findings:#?}");
        record.put_back("after", &TABLES).await;
        assert_eq!(record.findings(&[&copy]).await, Vec::<String>::new());
    }

    /// Or the heads that it commits to.
    async fn a_checkpoint_that_is_deleted_is_missed(app: TestApp) {
        filled(&app).await;
        let record = Record::of(&app).await;
        record.checkpoint().await;
        record.unprotect().await;
        record.keep("all").await;
        for (statement, text) in [
            ("DELETE FROM audit_checkpoints", "the signature of this checkpoint is missing"),
            ("DELETE FROM audit_checkpoint_heads", "the heads of this checkpoint were altered"),
            (
                "DELETE FROM audit_events WHERE kind = 'audit.checkpoint-signed'",
                "the event of this checkpoint is missing",
            ),
        ] {
            record.run(statement).await;
            record.assert_found(statement, text).await;
            record.put_back("all", &TABLES).await;
        }
        record.assert_whole().await;
    }

    async fn two_workspaces_that_are_swapped_are_told_apart(app: TestApp) {
        filled(&app).await;
        let record = Record::of(&app).await;
        record.unprotect().await;
        let (acme, other) = (app.id(record.workspace("acme").await), app.id(record.workspace("other").await));
        let third = app.id(Uuid::from_u128(3));
        for (table, column) in [("audit_events", "workspace_id"), ("audit_chains", "id")] {
            for (from, to) in [(&acme, &third), (&other, &acme), (&third, &other)] {
                record.run(&format!("UPDATE {table} SET {column} = {to} WHERE {column} = {from}")).await;
            }
        }
        record.assert_found("swapped", "ALTERED at event 1: it was altered").await;
    }

    /// It would be left out of the next checkpoint.
    async fn a_head_that_is_marked_as_sealed_and_is_not_is_missed(app: TestApp) {
        filled(&app).await;
        let record = Record::of(&app).await;
        let mark = format!("UPDATE audit_chains SET sealed = TRUE WHERE id = {}", app.id(record.workspace("acme").await));
        let refused = app.try_execute(&mark).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
        record.unprotect().await;
        record.run(&mark).await;
        record.assert_found("marked", "marked as being in a checkpoint, and none has it").await;
    }

    async fn what_is_seeded_verifies(app: TestApp) {
        let record = Record::of(&app).await;
        let size = seed::Size { workspaces: 2, members: 3, invitations: 0, events: 450, keys: 1 };
        seed::seed(&record.db, &size).await.unwrap();
        record.checkpoint().await;
        let report = record.verify(&[]).await;
        assert!(report.findings.is_empty(), "{report:?}");
        assert!(report.chains.iter().filter(|(_, events)| *events > 450).count() == 2, "{report:?}");
    }

    /// The owner of the database writes another history, all of it in chains that fit. Only what is signed, or was
    /// copied, speaks against it: the key is not in the database.
    async fn a_history_that_is_computed_again_has_no_signature(app: TestApp) {
        let (owner, viewer) = filled(&app).await;
        let record = Record::of(&app).await;
        record.keep("before").await;
        let at = |what: &str| format!("/w/acme/members/{}/{what}", viewer.member_id);
        owner.client.post_form(&at("suspension"), &[]).await.assert_status(303);
        let copy = record.checkpoint().await;
        record.keep("true").await;
        // As if it had never been: from before it on, other events follow, by the program's own hand.
        record.unprotect().await;
        record.put_back("before", &TABLES).await;
        owner.client.post_form(&at("reactivation"), &[]).await.assert_status(303);
        owner.client.post_form(&at("removal"), &[]).await.assert_status(303);
        record.assert_whole().await;
        let forger = Signer::new(checkpoint::ORIGIN, &[7; 32]);
        checkpoint::sign(&record.db, &forger).await.unwrap();
        record.assert_found("signed with another key", "not signed with a key that is known here").await;

        // With the true checkpoint in place of the forged one.
        record.put_back("true", &["audit_checkpoints", "audit_checkpoint_heads"]).await;
        record.assert_found("signed for another history", "it is not the event that").await;

        // Against the copy, whatever is in the database.
        let findings = record.findings(&[&copy]).await;
        assert!(findings.iter().any(|line| line.contains("was rewritten")), "{findings:#?}");
    }
}
