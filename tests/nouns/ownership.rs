//! Ownership: offered to one member, answered or taken back.

use crate::walk::*;

pub struct Ownership;

#[async_trait(?Send)]
impl Noun for Ownership {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        const ANSWERED: &str = "an offer is answered by the person it was made to";
        vec![
            form("/w/{workspace}/members/{member}/ownership-offer", one(P::UpdateMemberRoles))
                // Whether one is an Owner at all comes before the question to whom.
                .first(|at| (!at.is_owner()).then_some(Verdict::Audited(403)))
                // To an Owner; else, there is an offer already.
                .verdict(|at| Verdict::Audited(if at.is_above() { 403 } else { 409 }))
                .also_reads(&["account"])
                .offered(may_offer)
                .unlike_any_call("ownership goes from one person to another"),
            form("/w/{workspace}/ownership-offers/{offer}/acceptance", MEMBER)
                .verdict(answered)
                .offered(is_to_me)
                .unlike_any_call(ANSWERED),
            form("/w/{workspace}/ownership-offers/{offer}/decline", MEMBER)
                .verdict(answered)
                .offered(is_to_me)
                .unlike_any_call(ANSWERED),
            form("/w/{workspace}/ownership-offers/{offer}/withdrawal", MEMBER)
                .verdict(|at| at.done_if(at.is_owner()))
                .offered(|at| offer(at)["from_member_id"] == at.me.id.as_str() || at.my().is_owner())
                .like("DELETE /api/sso/v1/ownership-offers/{offer}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/ownership-offers", one(P::ReadMembers)),
            call("DELETE /api/sso/v1/ownership-offers/{offer}", MEMBER)
                .verdict(|at| at.done_if(at.is_owner())),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![
            Param::new("offer")
                .every(|facts| open(facts).map(|offer| text(offer, "id").to_owned()).collect()),
        ]
    }

    /// Open; in acme, to the Developer.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let to = match plot.home {
            None => plot.person(BuiltIn::Developer).member_id,
            Some(_) => plot.id("member"),
        };
        plot.put("offer", add_offer(plot.app, plot.slug(), plot.owner.member_id, to).await);
    }

    /// There is one offer at most: pages are counted with none.
    async fn grow(&self, app: &TestApp, world: &mut World, _n: usize) {
        let acme = app.id(world.acme.id);
        app.execute(&format!("DELETE FROM ownership_offers WHERE workspace_id = {acme}")).await;
    }

    fn crowd(&self) -> &'static [&'static str] {
        &["INSERT INTO ownership_offers (id, workspace_id, from_member_id, to_member_id, status, created_at, expires_at)
            SELECT {id}, workspace_id, id, id, 'declined', 0, 0 FROM members"]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, admin) = (tour.owner.clone(), tour.admin.clone());
        let to = member_id(tour.app, "member-2@seed-1.example.com", "seed-1").await;
        for (by, verb) in [(&owner, "withdrawal"), (&admin, "decline"), (&admin, "acceptance")] {
            tour.post(&owner, &format!("{HOME}/members/{to}/ownership-offer"), &[], 303).await;
            let offer = "SELECT id FROM ownership_offers WHERE status = 'pending'";
            let offer = tour.app.scalar_uuid(offer).await;
            tour.call("ownership-offers").await;
            tour.get(&admin, HOME, 200).await;
            tour.post(by, &format!("{HOME}/ownership-offers/{offer}/{verb}"), &[], 303).await;
        }
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let owner = &demo.owner;
        let page = owner.get(&demo.member("developer")).await;
        let offered = submit(owner, &page, "/ownership-offer", &[]).await;
        pictures.add("member-offered", 200, offered);
        pictures.add("overview-offered", 200, demo.developer.get(&demo.base).await);
        pictures.add("members-offered", 200, owner.get(&demo.at("/members")).await);
    }
}

fn answered(at: &Attempt) -> Verdict {
    at.done_if(at.caller.member == Some(at.world.person(BuiltIn::Developer).member_id))
}

/// Those that are pending and have not expired.
fn open(facts: &Facts) -> impl Iterator<Item = &Value> {
    let is_open =
        |offer: &&Value| offer["status"] == "pending" && offer["expires_at"].as_i64().unwrap() > facts.now_ms;
    facts.rows("ownership_offers").iter().filter(is_open)
}

fn offer<'a>(at: &'a Offer) -> &'a Value {
    at.facts.row("ownership_offers", at.id("offer"))
}

fn is_to_me(at: &Offer) -> bool {
    offer(at)["to_member_id"] == at.me.id.as_str()
}

/// I am an Owner, nothing is offered yet, and it would be to an active person who is none.
fn may_offer(at: &Offer) -> bool {
    let to = at.member();
    at.my().is_owner()
        && open(at.facts).next().is_none()
        && to.is_active
        && to.key.is_none()
        && !to.holdings.is_owner()
}

pub async fn add_offer(app: &TestApp, slug: &str, from: Uuid, to: Uuid) -> Uuid {
    let (id, now) = (new_id(), app.clock.now().as_millis());
    let sql = format!(
        "INSERT INTO ownership_offers
            (id, workspace_id, from_member_id, to_member_id, status, created_at, expires_at)
         SELECT {}, id, {}, {}, 'pending', {now}, {} FROM workspaces WHERE slug = {}",
        app.id(id),
        app.id(from),
        app.id(to),
        now + 7 * DAY,
        quoted(slug)
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}
