//! The first page of a workspace.

use crate::{
    domain::{
        nouns::ownership::Offer,
        overview::{self, NeedsAttention, Overview},
    },
    policy::{Permission, perm},
    web::{
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        routes::activity::list,
        when::When,
    },
};
use askama::Template;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "overview/show.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    overview: Overview,
    /// Each role with its slug, people, and share of all in percent.
    bars: Vec<(String, String, i64, i64)>,
    needs_attention: Vec<AttentionRow>,
    events: Vec<list::Row>,
    /// A pending ownership offer to the viewer.
    offered: Option<(Offer, When)>,
    your_roles: String,
    /// The viewer as a member.
    you: Uuid,
}

/// Something that needs attention: what, why, and the link with its label.
struct AttentionRow {
    what: String,
    why: &'static str,
    to: String,
    link: &'static str,
}

pub async fn show(cx: Authorized<perm::Membership>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    let mut overview = overview::get(&scope).await?;
    let home = view.at("");
    let actor = scope.actor();
    let people = overview.people.max(1);
    let bars = overview.by_role.take().unwrap_or_default();
    let offered = overview.offer.take().filter(|offer| offer.to_member_id == actor.member_id);
    let now = scope.now();
    let page = Show {
        chrome: view.chrome(),
        bars: bars.into_iter().map(|(name, slug, n)| (name, slug, n, n * 100 / people)).collect(),
        needs_attention: overview.needs_attention.iter().map(|item| AttentionRow::new(item, &home)).collect(),
        events: overview
            .latest
            .take()
            .unwrap_or_default()
            .into_iter()
            .map(|e| list::Row::new(e, now, &view.app.routes.labels))
            .collect(),
        offered: offered
            .map(|offer| (When::new(offer.expires_at, now), offer))
            .map(|(when, offer)| (offer, when)),
        your_roles: overview.your_roles.join(", "),
        you: actor.member_id,
        overview,
        home,
    };
    Ok(view.html(&page))
}

impl AttentionRow {
    fn new(item: &NeedsAttention, home: &str) -> Self {
        match item {
            NeedsAttention::SingleOwner => Self {
                what: "There's only one Owner".into(),
                why: "If they can no longer sign in, nobody can manage this workspace.",
                to: format!("{home}/members"),
                link: "Add an Owner",
            },
            NeedsAttention::Destructive(permission, roles) => Self {
                what: format!("“{}” is granted to {}", permission.label(), roles.join(", ")),
                why: "It can't be undone, or it leads to full access. We recommend it only for Owners.",
                to: format!("{home}/security#p-{}", crate::web::routes::security::pages::html_id(permission)),
                link: "Review",
            },
            NeedsAttention::OnlyOwners(permissions) => Self {
                what: format!("Only Owners have {}", labels(permissions)),
                why: "Everyday tasks have to wait for an Owner. Consider adding another role.",
                to: format!(
                    "{home}/security#p-{}",
                    permissions.first().map(crate::web::routes::security::pages::html_id).unwrap_or_default()
                ),
                link: "Review",
            },
            NeedsAttention::OutsideAdmins(names) => Self {
                what: format!("An account admin is not a member here: {names}"),
                why: "Account admins manage the account's people and API keys, and can revoke keys of this workspace.",
                to: format!("{home}/organization#account"),
                link: "Review",
            },
            NeedsAttention::KnownToFormerMember(names) => Self {
                what: format!("A former member knows a secret of {}", in_short(names)),
                why: "It gives them nothing here, but services that use it don't work either. Rotate the secret.",
                to: format!("{home}/api-keys"),
                link: "View API keys",
            },
            NeedsAttention::LimitedKeys(names) => Self {
                what: format!(
                    "{} can do less than {} roles",
                    in_short(names),
                    if names.len() == 1 { "its" } else { "their" }
                ),
                why: "The person who vouches for the key, or knows its secret, holds less by now.",
                to: format!("{home}/api-keys"),
                link: "View API keys",
            },
            NeedsAttention::OwnerKeysWithoutExpiry(names) => Self {
                what: format!(
                    "{} {} Owner and never {}",
                    in_short(names),
                    if names.len() == 1 { "is an" } else { "are" },
                    if names.len() == 1 { "expires" } else { "expire" }
                ),
                why: "Whoever gets its secret has full access for good. Use fewer roles, or a key that expires.",
                to: format!("{home}/api-keys"),
                link: "View API keys",
            },
            NeedsAttention::Undelivered(count) => Self {
                what: format!(
                    "{} be delivered",
                    crate::web::words::pluralize(*count, "invitation couldn't", "invitations couldn't")
                ),
                why: "The mail server refused it. See why, then send it again or invite another address.",
                to: format!("{home}/invitations?status=pending"),
                link: "View invitations",
            },
            NeedsAttention::Inactive(count) => Self {
                what: format!(
                    "{} been active for 90 days",
                    crate::web::words::pluralize(*count, "member hasn't", "members haven't")
                ),
                why: "Consider removing access that nobody uses.",
                to: format!("{home}/members?status=active&sort=-active"),
                link: "View members",
            },
        }
    }
}

/// “Nightly”, “Deploy” and 2 more.
fn in_short(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("“{name}”")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// “Invite members” and 2 more.
fn labels(permissions: &[Permission]) -> String {
    let first = permissions.first().map_or("", |permission| permission.label());
    match permissions.len() {
        0 | 1 => format!("“{first}”"),
        n => format!("“{first}” and {} more", n - 1),
    }
}
