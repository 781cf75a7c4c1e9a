//! Signed checkpoints, as the command line makes and uses them.

use super::*;
use crate::support::{
    product::note,
    program::{self, Program},
};
use std::{path::Path, process::Output};

/// Runs a command of the program on the database of an app, with the secret of its server.
async fn command(app: &TestApp, dir: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut settings: Vec<(String, String)> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    settings.push(("BAILIWICK_DATABASE_URL".into(), app.database.url.clone()));
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let dir = dir.to_owned();
    let run = move || {
        let settings: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        let arguments: Vec<_> = arguments.iter().map(|argument| &**argument).collect();
        program::run(&dir, &arguments, &settings)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

both! {
    async fn the_command_line_signs_and_verifies_against_a_file(app: TestApp) {
        let (owner, viewer) = filled(&app).await;
        let dir = tempfile::tempdir().unwrap();
        let secret = "07".repeat(32);
        let own = [("BAILIWICK_SECRET_KEY", &*secret), ("BAILIWICK_DATA_DIR", "keys")];
        let made = command(&app, dir.path(), &["checkpoint"], &own).await;
        let key = command(&app, dir.path(), &["audit-key"], &own).await;
        let key = said(&key).trim().to_owned();
        assert!(note::verified(&said(&made), &[key.parse().unwrap()]).is_some(), "{made:?}");
        std::fs::write(dir.path().join("elsewhere"), &made.stdout).unwrap();
        let against = ["verify-audit", "--against", "elsewhere"];
        let suspension = format!("/w/acme/members/{}/suspension", viewer.member_id);
        owner.client.post_form(&suspension, &[]).await.assert_status(303);

        let whole = command(&app, dir.path(), &against, &own).await;
        assert!(whole.status.success() && said(&whole).contains("1 events after it are not signed yet"), "{whole:?}");
        // The key is known by the file of the data folder, by a setting, or is given.
        let elsewhere = [("BAILIWICK_DATA_DIR", "elsewhere-too")];
        let given = command(&app, dir.path(), &["verify-audit", "--key", &key], &elsewhere).await;
        assert!(given.status.success() && !said(&given).contains("not verified"), "{given:?}");
        let unknown = command(&app, dir.path(), &against, &elsewhere).await;
        assert!(unknown.status.success() && said(&unknown).contains("Signatures were not verified"), "{unknown:?}");
        let another = "08".repeat(32);
        let wrong = [("BAILIWICK_SECRET_KEY", &*another), ("BAILIWICK_DATA_DIR", "elsewhere-too")];
        let refused = command(&app, dir.path(), &against, &wrong).await;
        assert!(!refused.status.success() && said(&refused).contains("not signed with a key"), "{refused:?}");
        let separate = [own[0], ("BAILIWICK_AUDIT_KEY", &*another)];
        let separate = command(&app, dir.path(), &["audit-key"], &separate).await;
        assert_ne!(said(&separate).trim(), key);

        // The same from the folder's own copies, without naming a file: all of the record is gone.
        let record = Record::of(&app).await;
        record.unprotect().await;
        for table in TABLES {
            app.execute(&format!("DELETE FROM {table}")).await;
        }
        for arguments in [&["verify-audit"][..], &against[..]] {
            let found = command(&app, dir.path(), arguments, &own).await;
            assert!(!found.status.success() && said(&found).contains("was set back"), "{found:?}");
        }
    }

    /// So that none keeps others waiting for long.
    async fn what_changed_in_many_chains_takes_several_checkpoints(app: TestApp) {
        let (owner, viewer) = filled(&app).await;
        let record = Record::of(&app).await;
        let open = "SELECT COUNT(*) FROM audit_chains WHERE NOT sealed AND kind <> 'installation' AND seq > 0";
        let changed = app.scalar_i64(open).await;
        assert!(changed > 4, "{changed}");
        let mut signed = 0;
        while checkpoint::due(&record.db).await.unwrap() > 0 {
            checkpoint::sign_at_most(&record.db, &record.signer, 2).await.unwrap();
            record.assert_whole().await;
            signed += 1;
        }
        assert_eq!(signed, (changed + 1) / 2);
        assert_eq!((app.scalar_i64(open).await, record.verify(&[]).await.unsigned), (0, 0));
        // What is recorded next is due again, and nothing else is.
        let suspension = format!("/w/acme/members/{}/suspension", viewer.member_id);
        owner.client.post_form(&suspension, &[]).await.assert_status(303);
        assert_eq!((app.scalar_i64(open).await, checkpoint::due(&record.db).await.unwrap()), (1, 1));
        record.checkpoint().await;
        let heads = "SELECT COUNT(*) FROM audit_checkpoint_heads WHERE checkpoint = (SELECT MAX(seq) FROM audit_checkpoints)";
        assert_eq!(app.scalar_i64(heads).await, 1);
        record.assert_whole().await;
    }

    /// One that ended before it marked what it had signed.
    async fn what_was_signed_and_not_marked_is_not_signed_again(app: TestApp) {
        filled(&app).await;
        let record = Record::of(&app).await;
        record.checkpoint().await;
        record.run("UPDATE audit_chains SET sealed = FALSE WHERE sealed AND seq > 0").await;
        assert_eq!(checkpoint::due(&record.db).await.unwrap(), 0);
        record.checkpoint().await;
        record.assert_whole().await;
    }

    async fn a_server_that_stops_signs_what_was_recorded(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let program = Program::serve(&database, dir.path(), &[]).await;
        let client = program.client();
        let page = client.visit("/sign-up").await;
        let fields =
            [("name", "Owner One"), ("email", "owner-one@example.com"), ("password", PASSWORD), ("workspace", "acme")];
        client.submit(&page, "/sign-up", &fields).await.assert_status(303);
        program.terminate();
        program.ended(WAIT_TIMEOUT).await;
        let copies = std::fs::read_to_string(dir.path().join("data/audit.checkpoints")).unwrap();
        assert_eq!(note::split(&copies).len(), 1, "{copies}");
        let secret = "07".repeat(32);
        let settings =
            [("BAILIWICK_DATABASE_URL", database.url.as_str()), ("BAILIWICK_SECRET_KEY", secret.as_str())];
        let verified = program::run(dir.path(), &["verify-audit"], &settings);
        let said = said(&verified);
        assert!(verified.status.success() && said.contains("0 events after it are not signed yet"), "{said}");
    }
}
