//! The way to the pages of Stripe on which payment methods are saved and changed.
//!
//! A form of ours can't lead there by itself: the policy of our pages lets forms lead to ours alone, redirects included. So
//! the answer is a page with a link.

use crate::{
    domain::{
        Refused,
        enforce::read::ReadScope,
        nouns::billing::{
            collect::NO_PROVIDER,
            customers::{self, Payer},
            list as billings,
        },
    },
    policy::perm,
    random,
    stripe::{api::NewCustomer, client::Stripe, error::StripeError, objects},
    web::{
        chrome::{Chrome, Flash, View},
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        routes::billing::page::back,
        turns,
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "billing/leave.html")]
struct Leave {
    chrome: Chrome,
    /// Where somebody goes who does not want to.
    back: String,
    /// A page of Stripe.
    page: String,
    /// There is a payment method already.
    has_method: bool,
}

/// Why no page was opened.
enum NotOpened {
    Stripe(StripeError),
    Ours(Refused),
}

impl From<StripeError> for NotOpened {
    fn from(error: StripeError) -> Self {
        Self::Stripe(error)
    }
}

impl From<Refused> for NotOpened {
    fn from(refused: Refused) -> Self {
        Self::Ours(refused)
    }
}

/// A page that was opened.
struct Opened {
    page: String,
    /// What is looked at until it is over.
    session: Option<String>,
    has_method: bool,
}

pub async fn open(cx: Authorized<perm::ManageBilling, Form<EmptyForm>>) -> HandlerResult {
    let (scope, view, _) = cx.into_parts();
    let Some(stripe) = view.app.stripe.clone() else { return Err(NO_PROVIDER.into()) };
    // Stripe may take its time.
    turns::give_back(&view.req);
    match open_page(&view, &scope, &stripe).await {
        Ok(Opened { page, session, has_method }) => {
            scope.write(async |s| customers::opened(s, session.as_deref()).await).await?;
            Ok(view.html(&Leave { chrome: view.chrome(), back: back(&view), page, has_method }))
        }
        Err(NotOpened::Ours(refused)) => Err(refused),
        Err(NotOpened::Stripe(error)) => {
            tracing::warn!(%error, "could not open a page of Stripe");
            if error.is_about_content() {
                // Somebody may have deleted the customer there: then the next page has another one.
                customers::look_again(&view.app.db, scope.actor().workspace.id).await?;
            }
            let text =
                "Stripe can't be reached at the moment. Nothing was changed. Try again in a few minutes.";
            Ok(view.redirect_with_flash(back(&view), Flash::warn(text)))
        }
    }
}

/// The portal for whoever has a payment method, Checkout to save one for everybody else.
async fn open_page(
    view: &View,
    scope: &ReadScope<perm::ManageBilling>,
    stripe: &Stripe,
) -> Result<Opened, NotOpened> {
    let attempt = random::id(view.now()).to_string();
    let create = async |payer: Payer| -> Result<String, NotOpened> {
        let key = customers::key(payer.workspace, &attempt);
        let Payer { workspace, name, email } = payer;
        let new = NewCustomer { workspace: workspace.to_string(), name, email };
        Ok(stripe.create_customer(&new, &key).await?.id)
    };
    let saved = customers::ensure_own(scope, create).await?;
    let (to, key) =
        (format!("{}{}", view.app.settings.origin, back(view)), format!("bailiwick-page-{attempt}"));
    if saved.has_method {
        let portal = stripe.open_portal(&saved.customer, &to, &key).await?;
        let page = objects::page(Some(&portal.url)).ok_or(StripeError::Unreadable)?;
        return Ok(Opened { page, session: None, has_method: true });
    }
    let currency = billings::currency(scope).to_ascii_lowercase();
    let checkout = stripe.open_checkout(&saved.customer, &currency, &to, &key).await?;
    let page = objects::page(checkout.url.as_deref()).ok_or(StripeError::Unreadable)?;
    Ok(Opened { page, session: Some(checkout.id), has_method: false })
}
