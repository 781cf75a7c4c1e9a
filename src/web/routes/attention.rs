//! What needs attention, with the link that mends it, and "not now".

use crate::{
    domain::{
        Invalid,
        attention::{self, NeedsAttention},
    },
    policy::{Permission, perm},
    web::{
        chrome::Flash,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        words::pluralize,
    },
};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PutOff {
    /// Which one.
    item: String,
}

pub async fn put_off(cx: Authorized<perm::Membership, Form<PutOff>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    if !form.item.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Invalid::field("item", "This is nothing that needs attention.").into());
    }
    attention::put_off_item(scope, &form.item).await?;
    let flash = Flash::good("Not shown for a week, unless it changes.");
    Ok(view.redirect_with_flash(view.at("#care"), flash))
}

pub async fn show_all(cx: Authorized<perm::Membership, Form<EmptyForm>>) -> HandlerResult {
    let (scope, view, _) = cx.into_parts();
    attention::show_all(scope).await?;
    Ok(view.redirect(view.at("#care")))
}

/// Something that needs attention: what, why, and the link with its label.
pub(super) struct AttentionRow {
    /// Which one it is, for the form that puts it off.
    pub key: String,
    pub what: String,
    pub why: &'static str,
    pub to: String,
    pub link: &'static str,
}

impl AttentionRow {
    pub(super) fn new(item: &NeedsAttention, home: &str) -> Self {
        let key = item.key();
        match item {
            NeedsAttention::SingleOwner => Self {
                key,
                what: "There's only one Owner".into(),
                why: "If they can no longer sign in, nobody can manage this workspace.",
                to: format!("{home}/members"),
                link: "Add an Owner",
            },
            NeedsAttention::Destructive(permission, roles) => Self {
                key,
                what: format!("“{}” is granted to {}", permission.label(), roles.join(", ")),
                why: "It can't be undone, or it leads to full access. We recommend it only for Owners.",
                to: format!("{home}/security#p-{}", crate::web::routes::security::pages::html_id(permission)),
                link: "Review",
            },
            NeedsAttention::OnlyOwners(permissions) => Self {
                key,
                what: format!("Only Owners have {}", labels(permissions)),
                why: "Everyday tasks have to wait for an Owner. Consider adding another role.",
                to: format!(
                    "{home}/security#p-{}",
                    permissions.first().map(crate::web::routes::security::pages::html_id).unwrap_or_default()
                ),
                link: "Review",
            },
            NeedsAttention::OutsideAdmins(names) => Self {
                key,
                what: format!("An account admin is not a member here: {names}"),
                why: "Account admins manage the account's people and API keys, and can revoke keys of this workspace.",
                to: format!("{home}/organization#account"),
                link: "Review",
            },
            NeedsAttention::AccessRequests(count, _) => Self {
                key,
                what: match count {
                    1 => "A member asks for access".into(),
                    count => format!("{count} requests for access wait for an answer"),
                },
                why: "Accept, shorten or decline.",
                to: format!("{home}/access-requests?status=waiting"),
                link: "Answer",
            },
            NeedsAttention::SupportAccess(..) => Self {
                key,
                what: "The people who run this installation ask for support access".into(),
                why: "Nothing happens before someone answers.",
                to: format!("{home}/support"),
                link: "Answer",
            },
            NeedsAttention::Left(user, name, _) => Self {
                key,
                what: format!("{name} left: review what they could reach"),
                why: "See what they did last, and replace secrets and links that they knew outside of this workspace.",
                to: format!("{home}/activity?actor={user}"),
                link: "Review",
            },
            NeedsAttention::RolesChanged(member, name, _) => Self {
                key,
                what: format!("The roles of {name} changed: review what they can reach"),
                why: "What came with an earlier task may not be needed for the new one.",
                to: format!("{home}/members/{member}/access"),
                link: "Review",
            },
            NeedsAttention::EndingSoon(count) => Self {
                key,
                what: format!("The access of {} ends within a week", pluralize(*count, "member", "members")),
                why: "Extend it if it is still needed. Otherwise it ends by itself.",
                to: format!("{home}/members?ends=soon"),
                link: "View members",
            },
            NeedsAttention::ExpiringKeys(names) => Self {
                key,
                what: format!(
                    "{} {} within two weeks",
                    in_short(names),
                    if names.len() == 1 { "expires" } else { "expire" }
                ),
                why: "Services that still use it stop working then. Create another key for them before.",
                to: format!("{home}/api-keys"),
                link: "View API keys",
            },
            NeedsAttention::UnusedRoles(roles) => {
                let names: Vec<String> = roles.iter().map(|(_, name)| name.clone()).collect();
                Self {
                    key,
                    what: format!(
                        "Nobody has the {} {}",
                        if names.len() == 1 { "role" } else { "roles" },
                        in_short(&names)
                    ),
                    why: "Delete what nobody uses, so that nobody gets it by mistake.",
                    to: match roles.as_slice() {
                        [(slug, _)] => format!("{home}/roles/{slug}"),
                        _ => format!("{home}/roles"),
                    },
                    link: if names.len() == 1 { "View role" } else { "View roles" },
                }
            }
            NeedsAttention::KnownToFormerMember(names) => Self {
                key,
                what: format!("A former member knows a secret of {}", in_short(names)),
                why: "It gives them nothing here, but services that use it don't work either. Rotate the secret.",
                to: format!("{home}/api-keys"),
                link: "View API keys",
            },
            NeedsAttention::LimitedKeys(names) => Self {
                key,
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
                key,
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
                key,
                what: format!(
                    "{} be delivered",
                    pluralize(*count, "invitation couldn't", "invitations couldn't")
                ),
                why: "The mail server refused it. See why, then send it again or invite another address.",
                to: format!("{home}/invitations?status=pending"),
                link: "View invitations",
            },
            NeedsAttention::OverdueInvoices(count) => Self {
                key,
                what: format!("{} overdue", pluralize(*count, "invoice is", "invoices are")),
                why: "Pay it as it says, and name its number.",
                to: format!("{home}/billing#invoices"),
                link: "View invoices",
            },
            NeedsAttention::Inactive(count) => Self {
                key,
                what: format!(
                    "{} been active for 90 days",
                    pluralize(*count, "member hasn't", "members haven't")
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
