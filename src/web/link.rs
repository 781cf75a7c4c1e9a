//! Links from mail. The secret of a link moves into a cookie, so that no address carries it on.
//!
//! Several links can be open in one browser at once, each in a cookie of its own. A page says which one it is
//! about by the link's id, a hash of the secret: in its address and in its forms. So two tabs act on what each
//! of them shows, and a form whose link is no longer open is refused.

use crate::{
    domain::{Purpose, Refused, Token, base::conflict::Gone},
    web::{chrome::View, cookies, list::address, problem},
};
use actix_web::{HttpResponse, cookie::time::Duration};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The most links of one kind that a browser has open. The one opened first makes room.
const MAX_OPEN: usize = 5;

/// How long a link stays open.
const OPEN_FOR: Duration = Duration::hours(1);

/// A kind of link from mail.
pub(in crate::web) struct LinkKind {
    /// Its part of the cookies' names.
    pub name: &'static str,
    pub purpose: Purpose,
    /// The address of its page, which has no secret.
    pub page: &'static str,
    /// The refusal of a link that is not open in this browser.
    pub gone: Gone,
}

/// A link that is open in this browser.
#[derive(Clone)]
pub(in crate::web) struct OpenLink {
    /// Identifies it on pages. No secret.
    pub id: String,
    pub token: Token,
}

/// The query of a page that is about a link.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct LinkQuery {
    pub(in crate::web) link: String,
}

impl LinkKind {
    /// Opens the link of this request, and redirects to its page, whose address has no secret. What was
    /// never a secret of ours redirects too: that page says that the link is invalid.
    pub(in crate::web) fn follow(&self, view: &View) -> HttpResponse {
        let text = view.req.match_info().get("token").unwrap_or("");
        let id = id_of(text);
        let mut response = view.redirect(self.page_of(&id));
        if let Some(token) = Token::parse(self.purpose, text) {
            self.make_room(view, &mut response, &id);
            let (name, text) = (self.cookie(&id), token.expose().to_owned());
            cookies::set(&mut response, &view.app.settings, &name, text, OPEN_FOR);
        }
        response
    }

    fn make_room(&self, view: &View, response: &mut HttpResponse, id: &str) {
        let mut others = self.all(view);
        others.retain(|other| other.id != id);
        let surplus = (others.len() + 1).saturating_sub(MAX_OPEN);
        for other in others.iter().take(surplus) {
            self.close(view, response, other);
        }
    }

    /// The link that a page is about: the one with this id or, without one, the one that was opened last.
    ///
    /// # Errors
    /// [`Refused::Gone`] if it is not open in this browser.
    pub(in crate::web) fn find(&self, view: &View, id: &str) -> Result<OpenLink, Refused> {
        let mut open = self.all(view);
        let link = match id {
            "" => open.pop(),
            id => open.into_iter().find(|link| link.id == id),
        };
        link.ok_or(Refused::Gone(self.gone))
    }

    /// The link that a form is about, which the form names.
    ///
    /// # Errors
    /// The response: 410 if no such link is open, 409 if others are, with a link to the last of them.
    pub(in crate::web) fn sent(&self, view: &View, id: &str) -> Result<OpenLink, Box<HttpResponse>> {
        let mut open = self.all(view);
        match open.iter().position(|link| link.id == id) {
            Some(at) => Ok(open.swap_remove(at)),
            None => Err(Box::new(match open.pop() {
                Some(other) => problem::another_link(&view.req, &self.page_of(&other.id)),
                None => problem::respond(&view.req, &Refused::Gone(self.gone)),
            })),
        }
    }

    /// Who must do something else first comes back to this link, whichever others are open. `back` is what the link
    /// there says.
    pub(in crate::web) fn with_way_back(
        &self,
        refused: Refused,
        link: &OpenLink,
        back: &'static str,
    ) -> Refused {
        let Refused::Prerequisite(mut first) = refused else { return refused };
        first.then = Some((self.page_of(&link.id), back));
        Refused::Prerequisite(first)
    }

    /// Whether a link of this kind is open in this browser; the one that was opened last.
    pub(in crate::web) fn last(&self, view: &View) -> Option<OpenLink> {
        self.all(view).pop()
    }

    /// Closes a link, once it is used.
    pub(in crate::web) fn close(&self, view: &View, response: &mut HttpResponse, link: &OpenLink) {
        cookies::remove(response, &view.app.settings, &self.cookie(&link.id));
    }

    /// The address of the page about this link.
    pub(in crate::web) fn page_of(&self, id: &str) -> String {
        address(self.page, &[("link", id)], &[])
    }

    fn cookie(&self, id: &str) -> String {
        format!("{}-{id}", self.name)
    }

    /// The open links. Browsers send cookies in the order in which they were set (RFC 6265, 5.4).
    fn all(&self, view: &View) -> Vec<OpenLink> {
        let settings = &view.app.settings;
        let prefix = cookies::name(settings, &self.cookie(""));
        let Ok(cookies) = view.req.cookies() else { return Vec::new() };
        let ids = cookies.iter().filter_map(|cookie| cookie.name().strip_prefix(&prefix));
        let link = |id: &str| {
            let token = Token::parse(self.purpose, &cookies::read(&view.req, settings, &self.cookie(id))?)?;
            (id_of(token.expose()) == id).then(|| OpenLink { id: id.to_owned(), token })
        };
        ids.filter_map(link).collect()
    }
}

/// The id of the link with this secret, which has 256 random bits: the id does not disclose it.
fn id_of(text: &str) -> String {
    let hash = Sha256::new().chain_update("link\0").chain_update(text).finalize();
    hex::encode(&hash[..8])
}
