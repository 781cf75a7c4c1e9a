//! Races: what roles hold, and the end of one.

use super::*;

both! {
    // Breaks without `if requested.version != version(…)` in security::set (tried).
    async fn of_twenty_toggles_with_one_version_one_is_saved(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        for n in 0..3 {
            let page = owner.client.visit("/w/acme/security").await;
            let form = page.form("/security/create:teams");
            let version = form.values("version")[0].to_owned();
            let held: Vec<_> = form.values("role").into_iter().map(str::to_owned).collect();
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            // Twenty sets, all unlike each other and unlike what is there.
            let sets = (0..20).map(|i| {
                let mut set: Vec<(&'static str, &str)> = role_set(i);
                if set.iter().map(|(_, role)| *role).eq(held.iter().map(String::as_str)) {
                    set = vec![("role", "admin"), ("role", "developer"), ("role", "viewer")];
                }
                set.push(("version", version.as_str()));
                set
            });
            let shots: Vec<_> =
                iter::zip(&twins, sets).map(|(twin, set)| Shot::new(twin, "/w/acme/security/create:teams", &set)).collect();
            let shots = turned(shots, n);

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            assert_eq!(tally(&pages), BTreeMap::from([(303, 1), (409, 19)]), "round {n}");
            let winner = iter::zip(&shots, &pages).find(|(_, page)| page.status == 303).unwrap().0;
            let mut wanted: Vec<_> =
                winner.fields.iter().filter(|(name, _)| *name == "role").map(|(_, role)| role.clone()).collect();
            let page = owner.client.visit("/w/acme/security").await;
            let form = page.form("/security/create:teams");
            let mut saved: Vec<_> = form.values("role").into_iter().map(str::to_owned).collect();
            wanted.sort();
            saved.sort();
            assert_eq!(saved, wanted, "round {n}");
            assert_eq!(round.kinds().await, ["permission.changed"]);
            round.end(&pages).await;
        }
    }

    // Breaks without `if requested.version != role.scopes_version()` in roles::set_scopes (tried).
    async fn of_twenty_edits_of_a_role_with_one_version_one_is_saved(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        add_role(&app, "acme", "helper", "Helper", &["read:members"]).await;
        for n in 0..3 {
            let page = owner.client.visit("/w/acme/roles/helper").await;
            let version = page.form("/scopes").values("version")[0].to_owned();
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            let scopes: Vec<String> = (0..20).map(|i| format!("read:thing-{n}-{i} write:thing-{n}-{i}")).collect();
            let shot = |(twin, scopes): (&Client, &String)| {
                let fields = [("permission", "read:members"), ("scopes", scopes), ("version", &version)];
                Shot::new(twin, "/w/acme/roles/helper/scopes", &fields)
            };
            let shots = turned(iter::zip(&twins, &scopes).map(shot).collect(), n);

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            assert_eq!(tally(&pages), BTreeMap::from([(303, 1), (409, 19)]), "round {n}");
            let winner = iter::zip(&shots, &pages).find(|(_, page)| page.status == 303).unwrap().0;
            let page = owner.client.visit("/w/acme/roles/helper").await;
            let saved = page.form("/scopes").values("scopes")[0].split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(saved, winner.fields[1].1, "round {n}");
            assert_eq!(round.kinds().await, ["role.scopes-changed"]);
            round.end(&pages).await;
        }
    }

    // Breaks without `.ok_or(ROLE_IN_USE)` in roles::delete, which then leaves whoever was given
    // the role a moment before without any (tried).
    async fn a_role_is_deleted_while_it_is_given(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let give = format!("/w/acme/members/{}/roles", viewer.member_id);
        for n in 0..6 {
            let slug = format!("helper-{n}");
            add_role(&app, "acme", &slug, &slug, &["read:members"]).await;
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            let (givers, deleters) = twins.split_at(10);
            let gives = givers.iter().map(|twin| Shot::new(twin, &give, &[("role", &slug)]));
            let path = format!("/w/acme/roles/{slug}/deletion");
            let deletes = deleters.iter().map(|twin| Shot::new(twin, &path, &[]));
            let shots = turned(gives.chain(deletes).collect(), n);

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            let of = |path: &str| {
                let those = iter::zip(&shots, &pages).filter(|(shot, _)| shot.path == path);
                tally(&those.map(|(_, page)| page.clone()).collect::<Vec<_>>())
            };
            let is_there = format!("SELECT count(*) FROM roles WHERE slug = '{slug}'");
            if app.scalar_i64(&is_there).await == 1 {
                assert_eq!(of(&path), BTreeMap::from([(409, 10)]), "round {n}: given first");
                assert_eq!(of(&give), BTreeMap::from([(303, 10)]), "round {n}: given first");
                assert_eq!(round.kinds().await, ["member.roles-changed"]);
                round.end_with(1, 10).await;
            } else {
                assert_eq!(of(&path), BTreeMap::from([(303, 1), (404, 9)]), "round {n}: deleted first");
                assert_eq!(of(&give), BTreeMap::from([(422, 10)]), "round {n}: deleted first");
                assert_eq!(round.kinds().await, ["role.deleted"]);
                round.end_with(1, 0).await;
            }
            assert_counted(&app).await;
            owner.client.post_form(&give, &[("role", "viewer")]).await.assert_status(303);
        }
    }
}
