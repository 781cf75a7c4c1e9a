//! The people of an account.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, Refused,
        base::{account::Account, paging::Position},
        nouns::accounts::{self, AccountScope, Filter, Person},
    },
    web::{
        checks,
        chrome::{Chrome, Flash, View, hue, initials},
        form::{EmptyForm, Form},
        guard::{HandlerResult, account::AccountAdmin},
        list::{Filters, List, ListState, Neighbours},
        path::Target,
        when::When,
        words::pluralize,
    },
};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "accounts/people.html")]
struct People {
    chrome: Chrome,
    /// `/a/{account}/people`
    base: String,
    list: ListState<ListQuery>,
    rows: Vec<Row>,
    /// "12 people"
    total: String,
    neighbours: Neighbours,
}

struct Row {
    person: Person,
    initials: String,
    hue: u8,
    joined: When,
}

impl Row {
    fn new(person: Person, now: Timestamp) -> Self {
        Self {
            initials: initials(&person.name),
            hue: hue(person.id),
            joined: When::new(person.joined_at, now),
            person,
        }
    }

    fn may_leave(&self) -> bool {
        self.person.workspaces == 0 && !self.person.is_last_admin
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    /// `admins`, or empty for everybody.
    show: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        let text = checks::search(&self.q)?;
        if !["", "admins"].contains(&self.show.as_str()) {
            return Err(Invalid::field("show", "Choose everyone or admins.").into());
        }
        Ok(Filter { text, only_admins: !self.show.is_empty() })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![("q", &self.q), ("show", &self.show)]
    }
}

pub async fn people(cx: AccountAdmin<List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| accounts::people(&scope, filter, at).await;
    let (people, list) = list.load(load).await?;
    let (base, now) = (view.at("/people"), scope.now());
    let page = People {
        chrome: view.chrome(),
        neighbours: list.neighbours(&people.page, &base),
        total: match people.total {
            Some(total) => pluralize(total, "person", "people"),
            None => "More than one page of people".to_owned(),
        },
        rows: people.page.rows.into_iter().map(|person| Row::new(person, now)).collect(),
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}

#[derive(Template)]
#[template(path = "accounts/confirm.html")]
struct Confirm {
    chrome: Chrome,
    /// `/a/{account}/people`
    base: String,
    account: Account,
    row: Row,
    /// `admin` or `removal`: the noun of the form's address.
    what: &'static str,
}

/// The page that confirms removing an admin, with a warning if it is the viewer.
pub async fn stepping_down(cx: AccountAdmin<Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let person = accounts::stepping_down(&scope, id).await?;
    Ok(view.html(&confirm(&view, &scope, person, "admin")))
}

pub async fn removal(cx: AccountAdmin<Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let person = accounts::leaving(&scope, id).await?;
    Ok(view.html(&confirm(&view, &scope, person, "removal")))
}

fn confirm(view: &View, scope: &AccountScope, person: Person, what: &'static str) -> Confirm {
    Confirm {
        chrome: view.chrome(),
        base: view.at("/people"),
        account: scope.actor().account.clone(),
        row: Row::new(person, scope.now()),
        what,
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Appointment {
    /// `yes` or `no`.
    admin: String,
}

pub async fn appoint(cx: AccountAdmin<(Target, Form<Appointment>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let is_admin = match form.admin.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Invalid::field("admin", "Choose yes or no.").into()),
    };
    let account = scope.actor().account.name.clone();
    let done = accounts::change_admin(scope, id, is_admin).await?;
    if done.is_you && !is_admin {
        let flash = Flash::good(format!("You're no longer an admin of {account}. You still belong to it."));
        return Ok(view.redirect_with_flash("/workspaces", flash));
    }
    let text = match (done.is_change, is_admin) {
        (false, true) => format!("{} is already an admin.", done.name),
        (false, false) => format!("{} isn't an admin.", done.name),
        (true, true) => format!("{} is now an admin of the account.", done.name),
        (true, false) => format!("{} is no longer an admin, but still belongs to the account.", done.name),
    };
    let mut flash = Flash::good(text);
    if done.is_change {
        let back = if is_admin { "no" } else { "yes" };
        let action = view.at(&format!("/people/{id}/admin"));
        flash = flash.with_undo(action, vec![("admin".to_owned(), back.to_owned())]);
    }
    Ok(view.redirect_with_flash(view.at("/people"), flash))
}

pub async fn remove(cx: AccountAdmin<(Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let account = scope.actor().account.name.clone();
    let gone = accounts::remove(scope, id).await?;
    if gone.is_you {
        return Ok(view
            .redirect_with_flash("/workspaces", Flash::good(format!("You no longer belong to {account}."))));
    }
    let flash = Flash::good(format!("{} no longer belongs to the account.", gone.name));
    Ok(view.redirect_with_flash(view.at("/people"), flash))
}
