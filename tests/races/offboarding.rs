//! Races: people who are offboarded.

use super::*;

both! {
    // Breaks without `ensure_owner_remains` at the end of a transaction that removes an Owner.
    async fn two_owners_offboard_each_other_and_one_stays(app: TestApp) {
        let people = owners(&app, 2).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        for n in 0..4 {
            let [first, second] = &people[..] else { unreachable!() };
            let firsts = spread(&first.client, other.as_ref(), 10).await;
            let seconds = spread(&second.client, other.as_ref(), 10).await;
            let shots = firsts.iter().map(|twin| Shot::new(twin, at_member(second, "offboarding"), &[]));
            let shots = shots.chain(seconds.iter().map(|twin| Shot::new(twin, at_member(first, "offboarding"), &[])));
            let shots = turned(shots.collect(), n);

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            let tally = tally(&pages);
            assert_eq!(tally.get(&200), Some(&1), "round {n}: {tally:?}");
            assert_eq!(round.kinds().await, ["member.removed", "member.offboarded"]);
            round.assert_sound().await;
            restore(&app, &[(first, "owner"), (second, "owner")]).await;
        }
    }

    async fn a_person_is_offboarded_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        for n in 0..3 {
            let editor = invite_and_join(&app, &owner.client, "acme", &format!("editor-{n}@example.com"), &["editor"]).await;
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            let path = at_member(&editor, "offboarding");
            let fields = [("account", "yes")];
            let shots: Vec<_> = twins.iter().map(|twin| Shot::new(twin, &path, &fields)).collect();

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            assert_eq!(tally(&pages), BTreeMap::from([(200, 1), (404, 19)]), "round {n}");
            assert_eq!(round.kinds().await, ["member.removed", "member.offboarded"]);
            let people = format!("SELECT COUNT(*) FROM account_people WHERE user_id = {}", app.id(editor.user_id));
            assert_eq!(app.scalar_i64(&people).await, 0);
            round.assert_sound().await;
        }
    }
}
