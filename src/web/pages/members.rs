//! The people of a workspace.

pub(in crate::web) mod access;
pub(in crate::web) mod new;
#[cfg(feature = "bench")]
pub(in crate::web) mod sample;

use super::{
    Neighbours, address,
    bulk::{self, Shown},
    counted,
    preview::{self, About},
};
use crate::{
    domain::{
        Conflict, Invalid, Refused,
        api_keys::{self, Listed},
        members::{self, Detail, Filter, KeysMade, Member, Place, Sort, may_act},
        ownership::{self, Offer},
        paging::Position,
        preview::of_member_roles,
        roles::{Assignable, Role},
        scope::ReadScope,
        search_text,
    },
    policy::{self, Ceiling, Permission, perm},
    web::{
        chrome::{Chrome, Flash, View, hue, initials},
        form::{Errors, Form, Nothing, Query, Target, check, checks, listed},
        guard::{Answer, Authorized},
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use validator::Validate;

#[derive(Template)]
// Fifty rows come over the wire: of the white space around a tag one stays.
#[template(path = "members/index.html", whitespace = "minimize")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/members`
    base: String,
    query: ListQuery,
    /// Anything is filtered, so an empty list means "none like this".
    is_filtered: bool,
    rows: Vec<Row>,
    /// "12 members"
    total: String,
    roles: Vec<Assignable>,
    /// The columns that sort: heading, address, and `ascending`, `descending` or `none`.
    by_name: SortLink,
    by_joined: SortLink,
    by_active: SortLink,
    neighbours: Neighbours,
    errors: Errors,
    offer: Option<OfferNote>,
    /// Somebody on this page can be ticked, to be changed with others.
    can_select: bool,
    /// Somebody of the account is no member yet, and the viewer may add them.
    may_add: bool,
    /// What became of those who were just changed together; empty where nobody was.
    results: Vec<Shown>,
    mail_hint: Option<String>,
}

/// What to do before the last Owner of a workspace can go.
pub(super) const ONLY_OWNER: &str = "The only Owner. Make someone else an Owner first.";

/// The ownership offer that is open, as somebody who may withdraw it sees it.
struct OfferNote {
    offer: Offer,
    expires: When,
    may_withdraw: bool,
}

struct SortLink {
    url: String,
    order: &'static str,
}

/// A member as a row or as the head of a page.
struct Row {
    member: Member,
    initials: String,
    hue: u8,
    joined: When,
    seen: Option<When>,
    /// "founder", "invited by …"
    origin: String,
    may_change_roles: bool,
    may_suspend: bool,
    may_remove: bool,
    /// Why there is nothing to do here for the viewer; empty where there is, or where they hold no
    /// permission for it anyway.
    why_not: String,
    /// Why the row can't be ticked; empty where it can.
    not_selectable: String,
    /// The same in a few words, for the list.
    why_not_short: &'static str,
}

impl Row {
    fn is_key(&self) -> bool {
        self.member.api_key_id.is_some()
    }

    fn new<P: policy::Access>(scope: &ReadScope<P>, member: Member) -> Self {
        let (actor, now) = (scope.actor(), scope.now_ms());
        let others = !member.is_you && !member.is_last_owner;
        let allowed = |permission| may_act(actor, &member, permission);
        let holds_any =
            [Permission::UpdateMemberRoles, Permission::SuspendMembers, Permission::RemoveMembers]
                .into_iter()
                .any(|permission| actor.holdings.has(permission));
        let (why_not_short, why_not) = match &member.refused {
            _ if !holds_any => ("", String::new()),
            _ if member.is_last_owner => ("The only Owner", ONLY_OWNER.to_owned()),
            Some(_) if member.is_you => ("", String::new()),
            Some(Ceiling::OwnerOnly) => ("Managed by Owners", Ceiling::OwnerOnly.to_string()),
            Some(ceiling) => ("Holds as much as you", ceiling.to_string()),
            None => ("", String::new()),
        };
        let may_change_roles = allowed(Permission::UpdateMemberRoles);
        let may_suspend = allowed(Permission::SuspendMembers) && others;
        let may_remove = allowed(Permission::RemoveMembers) && others;
        let not_selectable = match may_change_roles || may_suspend || may_remove {
            true => String::new(),
            false if why_not.is_empty() => "Your own membership is changed on your own page.".to_owned(),
            false => why_not.clone(),
        };
        Self {
            initials: initials(&member.name),
            hue: hue(member.user_id.unwrap_or(member.id)),
            joined: When::new(member.joined_at, now),
            // Whoever looks is here; that is written down a little later.
            seen: if member.is_you { Some(now) } else { member.last_active_at }.map(|at| When::new(at, now)),
            origin: match (member.origin.as_str(), &member.invited_by) {
                ("founder", _) => "Founded the workspace".to_owned(),
                ("invitation", Some(name)) => format!("Invited by {name}"),
                ("invitation", None) => "Invited".to_owned(),
                ("account", Some(name)) => format!("Added from the account by {name}"),
                ("account", _) => "Added from the account".to_owned(),
                _ => "Added by a program".to_owned(),
            },
            may_change_roles,
            may_suspend,
            may_remove,
            why_not,
            not_selectable,
            why_not_short,
            member,
        }
    }
}

#[derive(Clone, Deserialize, Validate, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    #[validate(custom(function = "checks::search"))]
    q: String,
    role: String,
    status: String,
    kind: String,
    sort: String,
    after: String,
    before: String,
    /// The id of a message that is shown once.
    notice: String,
}

impl ListQuery {
    fn read(&self) -> Result<(Filter, Position), Refused> {
        check(self)?;
        let one_of = |field: &str, value: &str, known: &[&str]| match value {
            "" => Ok(()),
            value if known.contains(&value) => Ok(()),
            _ => Err(Invalid::field(field, format!("Choose one of {}.", known.join(", ")))),
        };
        one_of("status", &self.status, &["active", "suspended"])?;
        one_of("kind", &self.kind, &["user", "api_key"])?;
        let sort = match self.sort.as_str() {
            "" => Sort::default(),
            text => Sort::ALL
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, sort)| *sort)
                .ok_or_else(|| Invalid::field("sort", "Sort by name, joined or active."))?,
        };
        let filter = Filter {
            text: search_text(&self.q).map_err(|complaint| Invalid::field("q", complaint))?,
            role: self.role.clone(),
            status: self.status.clone(),
            kind: self.kind.clone(),
            sort,
        };
        Ok((filter, Position::parse(&self.after, &self.before)?))
    }

    fn filters(&self) -> [(&'static str, &str); 5] {
        [
            ("q", &self.q),
            ("role", &self.role),
            ("status", &self.status),
            ("kind", &self.kind),
            ("sort", &self.sort),
        ]
    }

    /// A column's heading sorts by it, and once it does, the other way round.
    fn sort_link(&self, base: &str, column: &str, natural: &'static str) -> SortLink {
        let turned = format!("-{column}");
        let current = if self.sort.is_empty() { "name" } else { &self.sort };
        let (order, other) = if current == column {
            (natural, turned)
        } else if current == turned {
            (if natural == "ascending" { "descending" } else { "ascending" }, column.to_owned())
        } else {
            ("none", column.to_owned())
        };
        let kept: Vec<_> = self.filters().into_iter().filter(|(name, _)| *name != "sort").collect();
        SortLink { url: address(base, &kept, &[("sort", &other)]), order }
    }
}

pub async fn index(cx: Authorized<perm::ReadMembers, Query<ListQuery>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    let list = async |filter: &Filter, at: &Position| members::list(&scope, filter, at).await;
    let (listing, status, errors) = listed(query.read(), list).await?;
    // What was refused is shown in its field, and carried along by no link.
    let links = if errors.any() { ListQuery::default() } else { query.clone() };
    let base = view.at("/members");
    let offer = if listing.has_offer { ownership::pending(&scope).await? } else { None };
    let results = bulk::taken(&view, &scope, &query.notice).await?;
    let neighbours = Neighbours::new(&listing.page, &base, &links.filters());
    let rows: Vec<Row> = listing.page.rows.into_iter().map(|member| Row::new(&scope, member)).collect();
    let page = Index {
        chrome: view.chrome("members"),
        is_filtered: query.filters().iter().any(|(name, value)| *name != "sort" && !value.is_empty()),
        by_name: links.sort_link(&base, "name", "ascending"),
        by_joined: links.sort_link(&base, "joined", "descending"),
        by_active: links.sort_link(&base, "active", "descending"),
        neighbours,
        errors,
        total: match listing.total {
            Some(total) => counted(total, "member", "members"),
            None => "More than one page of members".to_owned(),
        },
        roles: listing.roles,
        offer: offer.map(|offer| OfferNote {
            expires: When::new(offer.expires_at, scope.now_ms()),
            may_withdraw: offer.from_member_id == scope.actor().member_id
                || scope.actor().holdings.is_owner(),
            offer,
        }),
        may_add: listing.others_in_account && scope.actor().holdings.has(Permission::InviteMembers),
        can_select: rows.iter().any(|row| row.not_selectable.is_empty()),
        rows,
        results,
        mail_hint: None,
        base,
        query,
    };
    Ok(view.html_as(status, &page))
}

#[derive(Template)]
#[template(path = "members/show.html")]
struct Show {
    chrome: Chrome,
    base: String,
    row: Row,
    /// Options of the form that changes the member's own roles, each with whether it is ticked.
    choices: Vec<(Assignable, bool)>,
    /// Names of roles that come with a team and are not the member's own, each with the teams' names.
    through_teams: Vec<(String, String)>,
    teams: Vec<Place>,
    errors: Errors,
    /// Of the member's own roles and status: the form carries it.
    version: String,
    /// The member's own roles, by name.
    own: Vec<String>,
    /// Somebody was faster: the form holds what was ticked, and not what is there now.
    is_stale: bool,
    /// What a program calls the person or key: a user's or a key's id, and not the membership's.
    principal: String,
    /// What the customer's own applications call them; empty where they have no name for them.
    external_id: String,
    /// The viewer is an Owner and may offer to hand over to this member.
    may_offer_ownership: bool,
}

fn draw<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    detail: Detail,
    typed: Option<&[String]>,
    errors: Errors,
) -> Show {
    let ticked = typed.unwrap_or(&detail.own);
    let through = |role: &Role| {
        let teams = detail.teams.iter().filter(|place| place.roles.iter().any(|other| other.id == role.id));
        let names: Vec<&str> = teams.map(|place| place.name.as_str()).collect();
        (role.name.clone(), names.join(", "))
    };
    let not_own = detail.member.roles.iter().filter(|role| !detail.own.contains(&role.slug));
    let through_teams = not_own.map(through).collect();
    let member = &detail.member;
    let may_offer_ownership =
        member.kind == "user" && !member.is_owner && member.is_active && scope.actor().holdings.is_owner();
    let own = detail.roles.iter().filter(|role| detail.own.contains(&role.slug));
    let principal = member.user_id.or(member.api_key_id).unwrap_or(member.id);
    Show {
        chrome: view.chrome("members"),
        base: view.at("/members"),
        version: detail.version(),
        own: own.map(|role| role.name.clone()).collect(),
        is_stale: false,
        principal: principal.to_string(),
        external_id: detail.external_id.unwrap_or_default(),
        choices: detail
            .roles
            .into_iter()
            .map(|role| (ticked.contains(&role.slug), role))
            .map(|(t, r)| (r, t))
            .collect(),
        through_teams,
        teams: detail.teams,
        errors,
        may_offer_ownership: may_offer_ownership && !detail.offer_pending,
        row: Row::new(scope, detail.member),
    }
}

/// Roles that somebody had ticked, who comes back from their preview.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Kept {
    role: Vec<String>,
    from: String,
}

pub async fn show(cx: Authorized<perm::ReadMembers, (Target, Query<Kept>)>) -> Answer {
    let (scope, view, (Target(id), Query(query))) = cx.into_parts();
    let detail = members::detail(&scope, id).await?;
    let kept = preview::kept(&query.from, query.role);
    Ok(view.html(&draw(&view, &scope, detail, kept.as_deref(), Errors::default())))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    role: Vec<String>,
    version: String,
}

/// What giving these roles would do.
pub async fn preview_roles(cx: Authorized<perm::UpdateMemberRoles, (Target, Query<Roles>)>) -> Answer {
    let (scope, view, (Target(id), Query(form))) = cx.into_parts();
    match of_member_roles(&scope, id, &form.role, &form.version).await {
        Ok((detail, preview)) => Ok(preview::draw(&view, about(&view, &detail.member, form.role), preview)),
        Err(Refused::Invalid(invalid)) => {
            let detail = members::detail(&scope, id).await?;
            let page = draw(&view, &scope, detail, Some(&form.role), invalid.into());
            Ok(view.html_as(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(other) => Err(other),
    }
}

/// What a preview of a member's roles is about.
pub(super) fn about(view: &View, member: &Member, roles: Vec<String>) -> About {
    let (list, page) = (view.at("/members"), view.at(&format!("/members/{}", member.id)));
    let action = format!("{page}/roles");
    let crumbs = vec![(list, "Members".to_owned()), (page, member.name.clone())];
    let fields = roles.into_iter().map(|role| ("role", role)).collect();
    let mut about = About::of_form("members", format!("Roles of {}", member.name), crumbs, action, fields);
    if !member.is_active {
        let who = if member.api_key_id.is_some() { "it is" } else { "they are" };
        about
            .notes
            .push(format!("{} is suspended: none of it applies until {who} reactivated.", member.name));
    }
    about
}

pub async fn change_roles(cx: Authorized<perm::UpdateMemberRoles, (Target, Form<Roles>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let again = scope.again();
    match scope.write(async |s| members::change_roles_seen(s, id, &form.role, &form.version).await).await {
        Ok(changed) => {
            let to = view.at(&format!("/members/{id}"));
            if !changed.is_change {
                return Ok(view.done(to, Flash::good(format!("{} has these roles already.", changed.name))));
            }
            let text = format!(
                "{}: {} became {}.",
                changed.name,
                changed.before.join(", "),
                changed.after.join(", ")
            );
            let mut fields: Vec<(String, String)> =
                changed.undo.into_iter().map(|slug| ("role".to_owned(), slug)).collect();
            fields.push(("version".to_owned(), changed.version));
            let action = view.at(&format!("/members/{id}/roles"));
            Ok(view.done(to, Flash::good(text).with_undo(action, fields)))
        }
        Err(Refused::Invalid(invalid)) => {
            let detail = members::detail(&again, id).await?;
            let page = draw(&view, &again, detail, Some(&form.role), invalid.into());
            Ok(view.html_as(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        // Somebody was faster: the page as it is now, with what was ticked.
        Err(Refused::Conflict(Conflict::Changed)) => {
            let detail = members::detail(&again, id).await?;
            let page = draw(&view, &again, detail, Some(&form.role), Errors::default());
            Ok(view.html_as(StatusCode::CONFLICT, &Show { is_stale: true, ..page }))
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "members/confirm.html")]
struct Confirm {
    chrome: Chrome,
    base: String,
    row: Row,
    /// `suspension` or `removal`: the noun of the form's address.
    what: &'static str,
    invitations: i64,
    teams: Vec<Place>,
    keys: KeysLeft,
}

/// The keys of the workspace that somebody made who goes.
struct KeysLeft {
    made: Vec<Listed>,
    /// Why they can't be revoked with it; empty where they can.
    why_not: String,
}

impl KeysLeft {
    async fn of<P: policy::Access>(scope: &ReadScope<P>, member: &Member) -> Result<Self, Refused> {
        let made = match member.user_id {
            Some(user) => api_keys::made_by(scope, user).await?,
            None => Vec::new(),
        };
        let mut why_not = String::new();
        if !scope.actor().holdings.has(Permission::ManageApiKeys) {
            why_not = "It needs the permission “Manage API keys”.".to_owned();
        } else {
            for key in &made {
                if let Some(refused) = api_keys::why_not(scope, key).await? {
                    why_not = format!("{}: {refused}", key.name);
                    break;
                }
            }
        }
        Ok(Self { made, why_not })
    }
}

pub async fn suspension(cx: Authorized<perm::SuspendMembers, Target>) -> Answer {
    confirm(cx, "suspension").await
}

pub async fn removal(cx: Authorized<perm::RemoveMembers, Target>) -> Answer {
    confirm(cx, "removal").await
}

/// What would happen. Nobody is asked to confirm what would then be refused.
async fn confirm<P: policy::Access>(cx: Authorized<P, Target>, what: &'static str) -> Answer {
    let (scope, view, Target(id)) = cx.into_parts();
    let detail = members::detail(&scope, id).await?;
    let invitations = detail.invitations;
    let row = Row::new(&scope, detail.member);
    let keys = match what {
        "removal" => KeysLeft::of(&scope, &row.member).await?,
        _ => KeysLeft { made: Vec::new(), why_not: String::new() },
    };
    if row.member.is_last_owner {
        return Err(scope.refuse(Conflict::LastOwner).await);
    }
    if row.member.is_you {
        return Ok(view.to(view.at("/departure")));
    }
    if let Some(ceiling) = row.member.refused {
        return Err(scope.refuse(ceiling).await);
    }
    Ok(view.html(&Confirm {
        chrome: view.chrome("members"),
        base: view.at("/members"),
        row,
        what,
        invitations,
        teams: detail.teams,
        keys,
    }))
}

pub async fn suspend(cx: Authorized<perm::SuspendMembers, (Target, Form<Nothing>)>) -> Answer {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let name = scope.write(async |s| members::suspend(s, id).await).await?;
    let undo = view.at(&format!("/members/{id}/reactivation"));
    let flash =
        Flash::good(format!("{name} is suspended, from the next request on.")).with_undo(undo, Vec::new());
    Ok(view.done(view.at("/members"), flash))
}

pub async fn reactivate(cx: Authorized<perm::SuspendMembers, (Target, Form<Nothing>)>) -> Answer {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let name = scope.write(async |s| members::reactivate(s, id).await).await?;
    let flash = Flash::good(format!("{name} is active again, with the roles from before."));
    Ok(view.done(view.at("/members"), flash))
}

/// What is to become of the keys that somebody made who goes.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Going {
    /// `keep` or `revoke`.
    keys: String,
}

impl Going {
    fn read(&self) -> Result<KeysMade, Refused> {
        match self.keys.as_str() {
            "" | "keep" => Ok(KeysMade::Stay),
            "revoke" => Ok(KeysMade::Revoked),
            _ => Err(Invalid::field("keys", "Choose keep or revoke.").into()),
        }
    }
}

/// What is said of the keys that were revoked.
fn revoked(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " 1 API key is revoked.".to_owned(),
        count => format!(" {count} API keys are revoked."),
    }
}

pub async fn remove(cx: Authorized<perm::RemoveMembers, (Target, Form<Going>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let keys = form.read()?;
    let (name, count) = scope.write(async |s| members::remove_with(s, id, keys).await).await?;
    let flash = Flash::good(format!("{name} is no longer a member.{}", revoked(count)));
    Ok(view.done(view.at("/members"), flash))
}

#[derive(Template)]
#[template(path = "members/departure.html")]
struct Departure {
    chrome: Chrome,
    action: String,
    /// The only Owner cannot leave; the page says what to do first.
    is_last_owner: bool,
    roles: Vec<String>,
    invitations: i64,
    /// How many teams the person is in.
    teams: usize,
    keys: KeysLeft,
}

pub async fn departure(cx: Authorized<perm::Membership>) -> Answer {
    let (scope, view, ()) = cx.into_parts();
    let detail = members::detail(&scope, scope.actor().member_id).await?;
    let keys = KeysLeft::of(&scope, &detail.member).await?;
    let page = Departure {
        chrome: view.chrome(""),
        action: view.at("/departure"),
        is_last_owner: detail.member.is_last_owner,
        roles: detail.member.roles.into_iter().map(|role| role.name).collect(),
        invitations: detail.invitations,
        teams: detail.teams.len(),
        keys,
    };
    Ok(view.html(&page))
}

pub async fn leave(cx: Authorized<perm::Membership, Form<Going>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let name = scope.actor().workspace.name.clone();
    let keys = form.read()?;
    let count = scope.write(async |s| members::leave_with(s, keys).await).await?;
    Ok(view.done("/workspaces", Flash::good(format!("You left {name}.{}", revoked(count)))))
}
