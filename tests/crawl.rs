//! What the pages offer is what the server allows: for each role, every page that links lead to and
//! every page of the table is opened; a form stands on one of them if and only if policy lets this
//! person send it, and sent as it stands it goes through. The nouns say who may.

use crate::{
    nouns,
    support::{product::Requirement, *},
    walk::{Offer, Row},
    world::*,
};
use reqwest::Method;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use url::Url;

both! {
    async fn a_form_is_on_a_page_if_and_only_if_it_may_be_sent(app: TestApp) {
        let world = World::build(&app).await;
        everybody(&app, &world, "as the workspace was founded").await;

        another_state(&app, &world).await;
        everybody(&app, &world, "with two Owners, no offer and other rules").await;
    }
}

/// No offer is open, so one can be made; a second Owner, so the first may go; and rules that give
/// some people a part of what others have.
async fn another_state(app: &TestApp, world: &World) {
    let acme = app.id(world.acme.id);
    app.execute(&format!("DELETE FROM ownership_offers WHERE workspace_id = {acme}")).await;
    app.execute(&format!(
        "INSERT INTO member_roles (workspace_id, member_id, role_id)
         SELECT r.workspace_id, {}, r.id FROM roles r WHERE r.workspace_id = {acme} AND r.slug = 'owner'",
        app.id(world.acme.id("member"))
    ))
    .await;
    for (role, scope) in [
        ("admin", "update:permissions"),
        ("developer", "suspend:members"),
        ("editor", "update:member-roles"),
        ("editor", "remove:members"),
        ("support", "cancel:invitations"),
        ("billing", "invite:members"),
        ("billing", "delete:organization"),
        ("billing", "manage:roles"),
        ("editor", "manage:roles"),
        ("support", "update:permissions"),
    ] {
        let sql = format!(
            "INSERT INTO grants (workspace_id, role_id, scope)
             SELECT workspace_id, id, {} FROM roles WHERE workspace_id = {acme} AND slug = {}",
            quoted(scope),
            quoted(role)
        );
        assert_eq!(app.execute(&sql).await, 1);
    }
    let taken = "DELETE FROM grants WHERE scope = 'invite:members' AND role_id =
        (SELECT id FROM roles WHERE slug = 'developer' AND workspace_id = ";
    assert_eq!(app.execute(&format!("{taken}{acme})")).await, 1);
    // An offer of the past elsewhere: one that is made here leaves it alone.
    app.execute("UPDATE ownership_offers SET expires_at = 1").await;
    keep(app).await;
}

async fn everybody(app: &TestApp, world: &World, state: &str) {
    let facts = Facts::read(app, world.acme.id).await;
    let elsewhere = rows_of(app, world.elsewhere.id).await;
    for (role, person) in &world.people {
        let who = format!("{role:?} {state}");
        let expected = expected(&facts, facts.member_by_id(&person.member_id.to_string()));
        let forms = crawl(&person.client, &facts, &who).await;
        println!("crawl, {who}: {} forms of {}", forms.len(), expected.len());
        let there: BTreeSet<&str> = forms.keys().map(|(action, _)| action.as_str()).collect();
        let missing: Vec<_> = expected.iter().filter(|action| !there.contains(action.as_str())).collect();
        let refused: Vec<_> = there.iter().filter(|action| !expected.contains(**action)).collect();
        assert!(missing.is_empty(), "{who}: may send these, and no page has the form: {missing:#?}");
        assert!(refused.is_empty(), "{who}: may not send these, and a page has the form: {refused:#?}");
        for ((action, _), (page, form)) in &forms {
            restore(app).await;
            let client = person.client.twin();
            let row = nouns::form_at(action.split('?').next().unwrap());
            let answer = client.send(page, &row.typed(page, form.clone())).await;
            // Who comes back from a preview is asked once more before they lock themselves out.
            let is_confirmed =
                page.path().contains("from=preview") && answer.text().contains("lock yourself out");
            assert!(
                matches!(answer.status.as_u16(), 200 | 303) || is_confirmed,
                "{who}: {action} as {} has it gave {}:\n{}",
                page.path(),
                answer.status,
                answer.text()
            );
            assert_untouched(app, world.elsewhere.id, &elsewhere, &format!("{who}: {action}")).await;
            assert_counted(app).await;
        }
        restore(app).await;
    }
}

/// By where they are sent and what is in them.
type Forms = BTreeMap<(String, Vec<(String, String)>), (Page, FormOnPage)>;

/// Every form that changes something, once, with a page that it is on.
async fn crawl(client: &Client, facts: &Facts, who: &str) -> Forms {
    let mut queue: VecDeque<(String, Option<String>)> = ["/w/acme", "/workspaces", "/me"]
        .iter()
        .map(|path| ((*path).to_owned(), Some("the start".to_owned())))
        .collect();
    queue.extend(pages_of_table(facts).into_iter().map(|path| (path, None)));
    let mut seen: BTreeSet<(String, bool)> = BTreeSet::new();
    let mut forms = Forms::new();
    let mut links: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some((path, linked_from)) = queue.pop_front() {
        if !seen.insert((path.clone(), linked_from.is_some())) {
            continue;
        }
        assert!(seen.len() < 1_000, "{who}: links without end, now {path}");
        let page = client.get(&path).await;
        let status = page.status.as_u16();
        if let Some(from) = &linked_from {
            assert!(matches!(status, 200 | 303), "{who}: {from} links to {path}, which gives {status}");
        }
        if status == 303 {
            links.entry(path.clone()).or_default().push(page.location());
            queue.push_back((page.location(), Some(path)));
            continue;
        }
        if status != 200 {
            continue;
        }
        links.entry(path.clone()).or_default();
        let (on_page, forms_on_page) = page.links_and_forms();
        for link in on_page {
            let to = page.url.join(&link).unwrap();
            assert_eq!(to.origin(), page.url.origin(), "{path} links away, to {link}");
            if is_followed(&to, facts) {
                let to = to[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
                links.entry(path.clone()).or_default().push(to.clone());
                queue.push_back((to, Some(path.clone())));
            }
        }
        for form in forms_on_page.into_iter().filter(|form| form.method == Method::POST) {
            let fields: Vec<_> = form.fields.iter().filter(|(name, _)| name != "csrf").cloned().collect();
            assert!(fields.len() < form.fields.len(), "{who}: a form on {path} has no token: {form:?}");
            let action = action(&page, &form, &fields, facts);
            forms.entry((action, fields)).or_insert_with(|| (page.clone(), form));
        }
    }
    let reached = reached(&links);
    for page in pages_without_ids().filter(|page| links.contains_key(page)) {
        assert!(
            reached.contains(&*page),
            "{who}: may open {page}, and no link leads there: see `.nav` in src/web/routes/mod.rs"
        );
    }
    println!("crawl, {who}: {} pages", seen.len());
    forms
}

/// Where links lead from the overview on.
fn reached(links: &BTreeMap<String, Vec<String>>) -> BTreeSet<&str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec!["/w/acme"]);
    while let Some(path) = next.pop() {
        if reached.insert(path) {
            next.extend(links.get(path).into_iter().flatten().map(String::as_str));
        }
    }
    reached
}

/// Every page of a workspace that is about the workspace alone: a list, say, or the form for a new entry.
fn pages_without_ids() -> impl Iterator<Item = String> {
    let pages = nouns::pages().iter().filter(|row| row.is_page() && row.path.starts_with("/w/"));
    let pages = pages.filter(|row| row.params().next().is_none() && row.selects.is_none());
    pages.map(|row| row.path.replace("{workspace}", "acme"))
}

/// Of what there is more with each form that is sent, the crawl opens only some. A list that is narrowed it opens once,
/// and not again in each order and on each of its pages; of the record, which has an event for each form, the first page.
fn is_followed(to: &Url, facts: &Facts) -> bool {
    let asks = |names: &[&str]| to.query_pairs().any(|(name, _)| names.contains(&&*name));
    let is_narrowed = asks(&["permission", "team", "role", "q"]);
    if is_narrowed && asks(&["sort", "after", "before"])
        || to.path().ends_with("/activity") && to.query().is_some()
    {
        return false;
    }
    let Some(row) = nouns::row_at("GET", to.path()) else { return true };
    row.path.split('/').zip(to.path().split('/')).all(|(part, value)| {
        let param = row.param(part).map(|(_, param)| nouns::param(row, param));
        let bounded = param.filter(|param| param.is_bounded).and_then(|param| param.every_in(facts));
        bounded.is_none_or(|values| values.iter().any(|other| other == value))
    })
}

/// Where a form is sent to, with what it is about: that stands in its address, or in its fields.
fn action(page: &Page, form: &FormOnPage, fields: &[(String, String)], facts: &Facts) -> String {
    let path = page.url.join(&form.action).unwrap().path().replace("%3A", ":");
    let row = nouns::form_at(&path);
    let is_listed = |(_, param): (&str, &str)| nouns::param(row, param).every_in(facts).is_some();
    let path = if row.params().all(is_listed) { path } else { row.path.to_owned() };
    let selected = fields.iter().filter(|(name, _)| row.selects == Some(name.as_str()));
    selected.fold(path, |path, (name, id)| format!("{path}?{name}={id}"))
}

/// Every page of the table that needs a member, with every id that the workspace has.
fn pages_of_table(facts: &Facts) -> Vec<String> {
    let pages = nouns::pages().iter().filter(|row| row.is_page() && row.is_of_tenant());
    pages.flat_map(|row| with_ids(row, facts)).map(|(path, _)| path).collect()
}

type Ids = BTreeMap<&'static str, String>;

/// The path with each id of the workspace in it.
fn with_ids(row: &'static Row, facts: &Facts) -> Vec<(String, Ids)> {
    let path = row.path.replace("{workspace}", "acme").replace("{account}", &facts.account);
    let mut all = vec![(path, Ids::new())];
    let each = |all: Vec<(String, Ids)>,
                param: &str,
                fill: &dyn Fn(&str, &str) -> String,
                name: &'static str| {
        let Some(values) = nouns::param(row, param).every_in(facts) else { return all };
        let with = |(path, ids): &(String, Ids), value: &String| {
            let mut ids = ids.clone();
            ids.insert(name, value.clone());
            (fill(path, value), ids)
        };
        all.iter().flat_map(|one| values.iter().map(|value| with(one, value)).collect::<Vec<_>>()).collect()
    };
    for (name, param) in row.params() {
        all = each(all, param, &|path, value| path.replace(&format!("{{{name}}}"), value), name);
    }
    if let Some(param) = row.selects {
        all = each(all, param, &|path, value| format!("{path}?{param}={value}"), param);
    }
    all
}

/// The addresses to which this member may send a form, by policy and the facts alone.
fn expected(facts: &Facts, me: &MemberFact) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    for row in nouns::pages().iter().filter(|row| !row.is_page()) {
        let may = match row.requirement {
            Requirement::Member(needs) => me.holdings.meets(needs),
            Requirement::Account => is_account_admin(facts, me),
            _ => true,
        };
        let offers = with_ids(row, facts).into_iter().map(|(path, ids)| (path, Offer { facts, me, ids }));
        all.extend(offers.filter(|(_, offer)| may && row.is_offered(offer)).map(|(path, _)| path));
    }
    all
}

fn is_account_admin(facts: &Facts, me: &MemberFact) -> bool {
    let is_me = |person: &&serde_json::Value| person["user_id"].as_str() == me.user.as_deref();
    facts.rows("account_people").iter().find(is_me).is_some_and(|person| flag(person, "is_admin"))
}
