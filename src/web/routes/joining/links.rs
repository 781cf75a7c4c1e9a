//! Making, showing and revoking links.

use crate::{
    domain::{
        base::paging::Position,
        nouns::joining::{
            self, JoinLink, JoinLinkUse,
            links::{self, CreatedLink},
        },
    },
    policy::perm,
    web::{
        checks::Checked,
        chrome::{Chrome, Flash},
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        list::{List, Neighbours, Unfiltered},
        path::Target,
        rejection::reopen,
        role_choices::{choices, has_default, viewer},
        routes::joining::{
            forms::LinkForm,
            list::{FormState, redraw},
        },
        selection::{ResultRow, store_results},
        when::When,
    },
};
use askama::Template;

pub async fn create(cx: Authorized<perm::InviteMembers, Form<Checked<LinkForm>>>) -> HandlerResult {
    let (scope, view, Form(Checked { sent: form, valid })) = cx.into_parts();
    let duplicate = scope.duplicate();
    let created = async {
        let mut new = valid?;
        if new.roles.is_empty() && has_default(&choices(joining::assignable(&duplicate), &[])) {
            new.roles = viewer();
        }
        let CreatedLink { name, link, .. } = links::create(scope, &new).await?;
        let flash = Flash::good(format!("Join link “{name}” created. Copy it now: it's shown only once."));
        let row = ResultRow { link, ..ResultRow::new(name, "good", "Created") };
        store_results(&view, &duplicate, "/joining", vec![row], flash).await
    };
    reopen(created.await, async |rejected| match duplicate.duplicate().narrow::<perm::ReadInvitations>() {
        Some(reads) => {
            let state =
                FormState { link: Some(form.clone()), errors: rejected.errors, ..FormState::default() };
            redraw(&view, &reads, rejected.status, state).await
        }
        None => Err(rejected.refused),
    })
    .await
}

#[derive(Template)]
#[template(path = "joining/link.html")]
struct Show {
    chrome: Chrome,
    base: String,
    link: JoinLink,
    created: When,
    expires: When,
    revoked: Option<When>,
    /// Those who joined by it, each with when.
    uses: Vec<(JoinLinkUse, When)>,
    neighbours: Neighbours,
}

pub async fn show(cx: Authorized<perm::ReadInvitations, (Target, List<Unfiltered>)>) -> HandlerResult {
    let (scope, view, (Target(id), list)) = cx.into_parts();
    let load = async |(): &(), at: &Position| links::get(&scope, id, at).await;
    let ((link, uses), list) = list.load(load).await?;
    let (base, now) = (view.at("/joining"), scope.now());
    let neighbours = list.neighbours(&uses, &format!("{base}/links/{id}"));
    let with_moment = |one: JoinLinkUse| {
        let at = When::new(one.used_at, now);
        (one, at)
    };
    let page = Show {
        chrome: view.chrome(),
        created: When::new(link.created_at, now),
        expires: When::new(link.expires_at, now),
        revoked: link.revoked_at.map(|at| When::new(at, now)),
        uses: uses.rows.into_iter().map(with_moment).collect(),
        neighbours,
        link,
        base,
    };
    Ok(view.html_as(list.status(), &page))
}

pub async fn revoke(cx: Authorized<perm::CancelInvitations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let name = scope.write(async |s| links::revoke(s, id).await).await?;
    let flash = Flash::good(format!("Join link “{name}” revoked. Nobody can join by it anymore."));
    Ok(view.redirect_with_flash(view.at("/joining"), flash))
}
