//! Finding a key by its secret. The secret comes in a form, and stands in no address, no log and no page.

use crate::{
    domain::nouns::api_keys::{FoundBy, FoundKeys},
    web::{
        chrome::{Chrome, View},
        errors::Errors,
        form::Form,
        guard::{Admitted, HandlerResult, PageAdmission},
        rejection::reopen,
        routes::api_keys::{
            home::{Home, Reads},
            row::{Row, more},
        },
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "api_keys/found.html")]
struct Found {
    chrome: Chrome,
    base: String,
    rows: Vec<Row>,
    /// Nothing was looked for yet: what was pasted is no secret, and no end of one.
    is_refused: bool,
    /// It was the whole secret, and not only its end.
    is_exact: bool,
    /// The secret has expired.
    is_over: bool,
    /// The secret is being replaced, and works until then.
    old_until: Option<When>,
    may_manage: bool,
    errors: Errors,
}

/// What was found somewhere.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct SecretForm {
    secret: String,
}

pub(in crate::web) async fn search<A: PageAdmission<Scope: Reads>>(
    cx: Admitted<A, Form<SecretForm>>,
) -> HandlerResult {
    let (home, view, Form(form)) = cx.into_parts();
    let found = async {
        let FoundKeys { keys, by } = home.find_by_secret(&form.secret).await?;
        let rows = keys.into_iter().map(|key| Row::new(key, home.now())).collect();
        Ok(view.html(&page(&view, &home, rows, by)))
    };
    reopen(found.await, async |rejected| {
        let drawn = page(&view, &home, Vec::new(), FoundBy::Ending);
        let drawn = Found { is_refused: true, errors: rejected.errors, ..drawn };
        Ok(view.html_as(rejected.status, &drawn))
    })
    .await
}

fn page(view: &View, home: &impl Reads, rows: Vec<Row>, by: FoundBy) -> Found {
    Found {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        rows,
        is_refused: false,
        is_exact: by != FoundBy::Ending,
        is_over: by == FoundBy::ExpiredSecret,
        old_until: match by {
            FoundBy::OldSecret { until } => Some(When::new(until, home.now())),
            _ => None,
        },
        may_manage: home.may_manage(),
        errors: Errors::default(),
    }
}
