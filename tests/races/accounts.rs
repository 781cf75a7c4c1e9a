//! Races: the admins of an account, and its people.

use super::*;

both! {
    // Two admins of an account unmake each other: one is first, and stays the only one.
    //
    // Breaks on PostgreSQL when Account::lock (enforce/account/mod.rs) does not lock the
    // account (tried): one change is told twice.
    async fn two_admins_of_an_account_who_unmake_each_other(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = member(&app, &owner, "viewer").await;
        let other = other_node(&app).await;
        let account = account_id(&app, "acme").await;
        let admin = |person: &Person| format!("/a/{account}/people/{}/admin", person.user_id);
        let told = "SELECT count(*) FROM audit_events WHERE kind = 'account.admin-changed' AND account_id IS NOT NULL";
        for n in 0..5 {
            let both = "UPDATE account_people SET is_admin = (1 = 1)";
            app.execute(both).await;
            let first = spread(&owner.client, other.as_ref(), 10).await;
            let mut shots: Vec<_> =
                first.iter().map(|twin| Shot::new(twin, admin(&second), &[("admin", "no")])).collect();
            let twins = spread(&second.client, other.as_ref(), 10).await;
            shots.extend(twins.iter().map(|twin| Shot::new(twin, admin(&owner), &[("admin", "no")])));
            let before = app.scalar_i64(told).await;

            let pages = fire(&turned(shots, n)).await;

            // Ten by the one who stays, of which the first changed something; ten who were let in no more.
            assert_eq!(tally(&pages), BTreeMap::from([(303, 10), (403, 10)]), "round {n}");
            let admins = "SELECT count(*) FROM active_admins";
            assert_eq!(app.scalar_i64(admins).await, 1, "round {n}");
            assert_eq!(app.scalar_i64(told).await - before, 1, "round {n}");
        }
    }

    // Somebody is taken out of the account while they accept an invitation to one of its workspaces, or
    // are added to it: whoever is a member belongs to the account.
    //
    // Breaks on PostgreSQL when remove (domain/nouns/accounts/change.rs) does not lock the person's row, or
    // of_account (domain/nouns/members/add.rs) does not (tried, both).
    async fn out_of_the_account_while_coming_into_a_workspace(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = member(&app, &owner, "viewer").await;
        let other = other_node(&app).await;
        let account = account_id(&app, "acme").await;
        let removal = format!("/a/{account}/people/{}/removal", guest.user_id);
        let user = guest.user_id.to_string();
        for n in 0..10 {
            let member = "DELETE FROM members WHERE user_id =";
            app.execute(&format!("{member} {}", app.id(guest.user_id))).await;
            add_to_account(&app, "acme", guest.user_id).await;
            let invited = n % 2 == 0;
            if invited {
                carry_invitation(&app, &owner, &guest, n / 2 + 2).await;
            }
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            let guests = spread(&guest.client, other.as_ref(), 10).await;
            let shots = (0..20).map(|i| match (i % 2, invited) {
                (0, _) => Shot::new(&twins[i], &removal, &[]),
                (_, true) => Shot::new(&guests[i / 2], "/invitation/acceptance", &[]),
                _ => Shot::new(&twins[i], "/w/acme/members", &[("user", &user)]),
            });

            let pages = fire(&turned(shots.collect(), n)).await;

            tally(&pages);
            let lost = "SELECT count(*) FROM members m JOIN workspaces w ON w.id = m.workspace_id
                WHERE NOT EXISTS (SELECT 1 FROM account_people p
                    WHERE p.account_id = w.account_id AND p.user_id = m.user_id)";
            assert_eq!(app.scalar_i64(lost).await, 0, "round {n}: members who do not belong to the account");
            assert_counted(&app).await;
        }
    }

    // Somebody is taken out of the account, who is there because a service entered them, while they decline.
    //
    // Breaks on PostgreSQL with deadlocks when the lock of the account comes after that of the person
    // (lock_user in domain/records/entries.rs).
    async fn out_of_the_account_while_declining(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = other_node(&app).await;
        let account = account_id(&app, "acme").await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        for n in 0..5 {
            let email = format!("carol-{n}@example.com");
            let new = serde_json::json!({"email": email, "name": "Carol"});
            let entered: Value = api.post("/api/sso/v1/users", &new).await.with_status(201).body;
            let carol = sign_up(&app, "Carol Herself", &email, PASSWORD, &format!("carols {n}")).await;
            verify_email(&app, &carol, &email).await;
            let user = entered["user_id"].as_str().unwrap();
            let sql = "SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.awaited_email IS NOT NULL";
            let decline = format!("/workspaces/waiting/{}/decline", app.scalar_uuid(sql).await);
            let removal = format!("/a/{account}/people/{user}/removal");
            let carols = spread(&carol, other.as_ref(), 5).await;
            let owners = spread(&owner.client, other.as_ref(), 5).await;
            let mut shots: Vec<_> = carols.iter().map(|twin| Shot::new(twin, &decline, &[])).collect();
            shots.extend(owners.iter().map(|twin| Shot::new(twin, &removal, &[])));

            let pages = fire(&turned(shots, n)).await;

            tally(&pages);
            let declined = |page: &&Page| page.path().ends_with("/decline") && page.status == 303;
            assert_eq!(pages.iter().filter(declined).count(), 1, "round {n}");
            let left = "SELECT COUNT(*) FROM users WHERE awaited_email IS NOT NULL";
            assert_eq!(app.scalar_i64(left).await, 0, "round {n}");
            assert_counted(&app).await;
        }
    }
}
