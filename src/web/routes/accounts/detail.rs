//! The pages of an account, for its admins: what it has, and its people.

use crate::{
    domain::{
        Invalid, Name, Refused,
        accounts::{self, AccountScope, Details, Look, Workspace},
        activity::{self, Entry},
        base::{
            account::{Account, Creation},
            paging::Position,
        },
    },
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View, hue, initials},
        errors::Errors,
        form::Form,
        guard::{Answer, account::AccountAdmin},
        list::{Neighbours, Query, listed},
        routes::activity::list,
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "accounts/show.html")]
struct Show {
    chrome: Chrome,
    /// `/a/{account}`
    base: String,
    account: Account,
    created: When,
    workspaces: Vec<(Workspace, When)>,
    neighbours: Neighbours,
    /// Names, with the admin's own first letter and colour.
    admins: Vec<AdminRow>,
    events: Vec<list::Row>,
    form: DetailsForm,
    errors: Errors,
}

struct AdminRow {
    name: String,
    initials: String,
    hue: u8,
    is_you: bool,
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PageQuery {
    after: String,
    before: String,
}

pub async fn show(cx: AccountAdmin<Query<PageQuery>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    let at = Position::parse(&query.after, &query.before).map(|at| ((), at));
    let (look, status, errors) = listed(at, async |(), at| accounts::look(&scope, at).await).await?;
    let latest = activity::latest_of_account(&scope).await?;
    Ok(view.html_as(status, &draw(&view, &scope, look, latest, None, errors)))
}

fn draw(
    view: &View,
    scope: &AccountScope,
    look: Look,
    latest: Vec<Entry>,
    typed: Option<DetailsForm>,
    errors: Errors,
) -> Show {
    let (actor, now, base) = (scope.actor(), scope.now_ms(), view.at(""));
    let account = actor.account.clone();
    let admin = |(id, name): (Uuid, String)| AdminRow {
        initials: initials(&name),
        hue: hue(id),
        is_you: id == actor.id(),
        name,
    };
    let event = |entry: Entry| {
        let is_of_workspace = entry.target_kind == "workspace";
        let mut row = list::Row::new(entry, now, &view.app.routes.labels);
        // There is no page that lists what one person did to an account.
        row.actor_id.clear();
        // Of a workspace an admin sees no more than that it began or ended, and by whom.
        if is_of_workspace {
            row.from.clear();
        }
        row
    };
    Show {
        chrome: view.chrome(),
        created: When::new(account.created_at, now),
        neighbours: Neighbours::new(&look.workspaces, &base, &[]),
        workspaces: look
            .workspaces
            .rows
            .into_iter()
            .map(|w| (When::new(w.created_at, now), w))
            .map(|(t, w)| (w, t))
            .collect(),
        admins: look.admins.into_iter().map(admin).collect(),
        events: latest.into_iter().map(event).collect(),
        form: typed.unwrap_or_else(|| DetailsForm {
            name: account.name.clone(),
            creation: account.creation.word().to_owned(),
        }),
        errors,
        base,
        account,
    }
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct DetailsForm {
    name: String,
    /// `admins` or `people`.
    creation: String,
}

impl Validate for DetailsForm {
    type Valid = Details;

    fn validate(&self, invalid: &mut Invalid) -> Option<Details> {
        let name = invalid.keep("name", Name::parse(&self.name));
        let creation = Creation::of(&self.creation).ok_or("Choose one of the two.");
        let creation = invalid.keep("creation", creation);
        Some(Details { name: name?, creation: creation? })
    }
}

pub async fn update(cx: AccountAdmin<Form<Checked<DetailsForm>>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let again = scope.again();
    let done = match form.valid {
        Ok(details) => scope.write(async |s| accounts::update(s, &details).await).await,
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(true) => Ok(view.done(view.at(""), Flash::good("The account is saved."))),
        Ok(false) => Ok(view.done(view.at(""), Flash::good("Nothing was to be changed."))),
        Err(Refused::Invalid(invalid)) => {
            let look = accounts::look(&again, &Position::First).await?;
            let latest = activity::latest_of_account(&again).await?;
            let page = draw(&view, &again, look, latest, Some(form.sent), invalid.into());
            Ok(view.html_as(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(other) => Err(other),
    }
}
