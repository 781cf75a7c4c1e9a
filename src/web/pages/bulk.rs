//! What is done to many members or invitations at once: a page that names everyone, the change of
//! all or none, and what became of each, told on the list.

use super::{counted, members::ONLY_OWNER};
use crate::{
    domain::{
        Refused, Selection,
        invitations::{self, Listed},
        members::{self, Member},
        notices,
        roles::Assignable,
        scope::ReadScope,
    },
    policy::{self, perm},
    web::{
        chrome::{Chrome, Flash, View, hue, initials},
        form::{Errors, Form, Query},
        guard::{Answer, Authorized},
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One row of what became of a selection, as the list shows it once.
#[derive(Serialize, Deserialize)]
pub(super) struct Shown {
    pub title: String,
    /// A tone of the page's status dots.
    pub mood: String,
    pub word: String,
    /// A link to hand over, this once; empty where there is none.
    pub link: String,
}

impl Shown {
    pub(super) fn new(title: String, mood: &str, word: impl Into<String>) -> Self {
        Self { title, mood: mood.into(), word: word.into(), link: String::new() }
    }
}

/// To the list, which shows the results this once.
pub(super) async fn show_once<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    list: &str,
    results: Vec<Shown>,
    flash: Flash,
) -> Answer {
    let body = serde_json::to_string(&results).unwrap_or_default();
    // The change is committed: that the results can't be told one by one does not undo it.
    let left = match scope.actor().principal.person() {
        Some(person) => notices::leave(&view.app.db, person, body).await,
        None => return Ok(view.done(view.at(list), flash)),
    };
    match left {
        Ok(notice) => Ok(view.done(view.at(&format!("{list}?notice={notice}")), flash)),
        Err(error) => {
            tracing::error!(%error, "results could not be kept for the next page");
            Ok(view.done(view.at(list), flash))
        }
    }
}

/// The results that `id` stands for, if this session has not seen them yet.
pub(super) async fn taken<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    id: &str,
) -> Result<Vec<Shown>, Refused> {
    let Ok(id) = Uuid::try_parse(id) else { return Ok(Vec::new()) };
    let Some(person) = scope.actor().principal.person() else { return Ok(Vec::new()) };
    let body = notices::take(&view.app.db, person, id).await?;
    Ok(body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default())
}

/// What can be done to a selection, and the words for it.
struct Bulk {
    /// The field that repeats, and the list's address below the workspace.
    field: &'static str,
    list: &'static str,
    list_name: &'static str,
    /// The last part of the address.
    noun: &'static str,
    crumb: &'static str,
    button: &'static str,
    icon: &'static str,
    is_danger: bool,
}

impl Bulk {
    fn action(&self) -> String {
        format!("{}/selection/{}", self.list, self.noun)
    }
}

const ROLES: Bulk = Bulk {
    field: "member",
    list: "/members",
    list_name: "Members",
    noun: "roles",
    crumb: "Change roles",
    button: "Change roles",
    icon: "tags",
    is_danger: false,
};
const SUSPENSION: Bulk = Bulk {
    noun: "suspension",
    crumb: "Suspension",
    button: "Suspend",
    icon: "pause",
    is_danger: true,
    ..ROLES
};
const REMOVAL: Bulk = Bulk {
    noun: "removal",
    crumb: "Removal",
    button: "Remove from workspace",
    icon: "trash",
    is_danger: true,
    ..ROLES
};
const RESEND: Bulk = Bulk {
    field: "invitation",
    list: "/invitations",
    list_name: "Invitations",
    noun: "resend",
    crumb: "Send again",
    button: "Send again",
    icon: "send",
    is_danger: false,
};
const CANCELLATION: Bulk = Bulk {
    noun: "cancellation",
    crumb: "Cancellation",
    button: "Cancel invitations",
    icon: "x",
    is_danger: true,
    ..RESEND
};

#[derive(Template)]
#[template(path = "selection/review.html")]
struct Review {
    chrome: Chrome,
    bulk: Bulk,
    /// The address of the list.
    base: String,
    heading: String,
    rows: Vec<Row>,
    /// How many of the rows the rules forbid; as long as there is one, nothing is done to any.
    forbidden: usize,
    /// Something would happen to somebody.
    has_effect: bool,
    /// The same page without those; empty where nobody would be left.
    without_forbidden: String,
    /// Icon and sentence of each thing that will happen.
    effects: Vec<(&'static str, String)>,
    /// The roles to choose from, each with whether it is ticked; only where roles are changed.
    choices: Vec<(Assignable, bool)>,
    errors: Errors,
}

/// One of the selected.
struct Row {
    id: Uuid,
    title: String,
    detail: String,
    /// Initials and hue of a person; another has `icon`.
    avatar: Option<(String, u8)>,
    icon: &'static str,
    /// Names of roles, and whether each is Owner.
    roles: Vec<(String, bool)>,
    /// That nothing will happen to this one; empty where something will.
    note: &'static str,
    /// Why it may not be done to this one; empty where it may.
    why_not: String,
}

impl Review {
    fn new(
        view: &View,
        bulk: Bulk,
        heading: String,
        rows: Vec<Row>,
        effects: Vec<(&'static str, String)>,
    ) -> Self {
        let forbidden = rows.iter().filter(|row| !row.why_not.is_empty()).count();
        let others: Vec<String> = rows
            .iter()
            .filter(|row| row.why_not.is_empty())
            .map(|row| format!("{}={}", bulk.field, row.id))
            .collect();
        let without_forbidden = match others.as_slice() {
            [] => String::new(),
            some => view.at(&format!("{}?{}", bulk.action(), some.join("&"))),
        };
        Self {
            chrome: view.chrome(bulk.list.trim_start_matches('/')),
            base: view.at(bulk.list),
            heading,
            has_effect: rows.iter().any(|row| row.note.is_empty()),
            rows,
            forbidden,
            without_forbidden,
            effects,
            choices: Vec::new(),
            errors: Errors::default(),
            bulk,
        }
    }
}

/// The ticked rows of the members.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Members {
    member: Vec<Uuid>,
}

impl Members {
    fn selection(&self) -> Result<Selection, Refused> {
        Ok(Selection::of(ROLES.field, &self.member)?)
    }
}

/// The same with the roles that they are to have.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct MembersAndRoles {
    member: Vec<Uuid>,
    role: Vec<String>,
}

/// The ticked rows of the invitations.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Invitations {
    invitation: Vec<Uuid>,
}

impl Invitations {
    fn selection(&self) -> Result<Selection, Refused> {
        Ok(Selection::of(RESEND.field, &self.invitation)?)
    }
}

/// Back to the list, where nothing was ticked.
fn nothing_selected(view: &View, bulk: &Bulk) -> Answer {
    Ok(view.done(view.at(bulk.list), Flash::warn("Nothing is selected. Tick at least one row of the list.")))
}

fn row(member: Member, bulk: &Bulk) -> Row {
    let takes_away = bulk.noun != ROLES.noun;
    let why_not = match &member.refused {
        _ if takes_away && member.is_last_owner => ONLY_OWNER.to_owned(),
        _ if takes_away && member.is_you => members::OWN_MEMBERSHIP.to_owned(),
        Some(ceiling) => ceiling.to_string(),
        None => String::new(),
    };
    let is_done = bulk.noun == SUSPENSION.noun && !member.is_active;
    Row {
        id: member.id,
        avatar: member.user_id.map(|user| (initials(&member.name), hue(user))),
        icon: "key",
        title: member.name,
        detail: if member.api_key_id.is_some() { "API key".to_owned() } else { member.email },
        roles: member.roles.into_iter().map(|role| (role.name, role.is_owner)).collect(),
        note: if is_done { "Suspended already: stays so." } else { "" },
        why_not,
    }
}

async fn review_members<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    bulk: Bulk,
    selection: &Selection,
) -> Result<(Review, Vec<Assignable>), Refused> {
    let review = members::bulk::review(scope, selection).await?;
    let count = counted(i64::try_from(review.members.len()).unwrap_or(0), "member", "members");
    let (waiting, keys_made) = (review.invitations, review.keys_made);
    let any_key = review.members.iter().any(|member| member.api_key_id.is_some());
    let (heading, mut effects) = match bulk.noun {
        "suspension" => (
            format!("Suspend {count}?"),
            vec![
                ("lock", "They are shut out of this workspace from their next request on.".into()),
                ("tags", "They keep their roles, and can be reactivated at any time.".into()),
                ("mail", format!("Invitations that they sent can't be accepted meanwhile: {waiting}.")),
            ],
        ),
        "removal" => (
            format!("Remove {count}?"),
            vec![
                ("lock", "Their access to this workspace ends with their next request.".into()),
                ("tags", "Their roles are gone. Who comes back gets the roles of the new invitation.".into()),
                ("users-round", "They are taken out of their teams.".into()),
                ("mail", format!("Invitations that they sent and that still wait are cancelled: {waiting}.")),
                ("user", "Their accounts stay, and so do their other workspaces.".into()),
            ],
        ),
        _ => (
            format!("Change the roles of {count}"),
            vec![(
                "tags",
                "Each of them gets exactly the roles that you tick, in place of the present ones. Roles that come with a team stay."
                    .into(),
            )],
        ),
    };
    if bulk.noun == REMOVAL.noun {
        if keys_made > 0 {
            let keys = counted(keys_made, "API key", "API keys");
            effects.push(("key", format!("What they made stays with the account: {keys}. To revoke keys with somebody, remove them on their own page.")));
        }
        if any_key {
            effects.push((
                "key",
                "The API keys among them stay in the account, and in their other workspaces.".into(),
            ));
        }
    }
    let rows = review.members.into_iter().map(|member| row(member, &bulk)).collect();
    Ok((Review::new(view, bulk, heading, rows, effects), review.roles))
}

async fn review_roles(
    view: &View,
    scope: &ReadScope<perm::UpdateMemberRoles>,
    selection: &Selection,
    ticked: &[String],
) -> Result<Review, Refused> {
    let (mut page, roles) = review_members(view, scope, ROLES, selection).await?;
    page.choices =
        roles.into_iter().map(|role| (ticked.contains(&role.slug), role)).map(|(t, r)| (r, t)).collect();
    Ok(page)
}

pub async fn roles(cx: Authorized<perm::UpdateMemberRoles, Query<Members>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.member.is_empty() {
        return nothing_selected(&view, &ROLES);
    }
    Ok(view.html(&review_roles(&view, &scope, &query.selection()?, &[]).await?))
}

pub async fn change_roles(cx: Authorized<perm::UpdateMemberRoles, Form<MembersAndRoles>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let again = scope.again();
    let selection = Selection::of(ROLES.field, &form.member)?;
    match scope.write(async |s| members::bulk::change_roles(s, &selection, &form.role).await).await {
        Ok(done) => members_changed(&view, &again, done, "given new roles").await,
        Err(Refused::Invalid(invalid)) => {
            let mut page = review_roles(&view, &again, &selection, &form.role).await?;
            page.errors = invalid.into();
            Ok(view.html_as(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(other) => Err(other),
    }
}

pub async fn suspension(cx: Authorized<perm::SuspendMembers, Query<Members>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.member.is_empty() {
        return nothing_selected(&view, &SUSPENSION);
    }
    Ok(view.html(&review_members(&view, &scope, SUSPENSION, &query.selection()?).await?.0))
}

pub async fn suspend(cx: Authorized<perm::SuspendMembers, Form<Members>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let (again, selection) = (scope.again(), form.selection()?);
    let done = scope.write(async |s| members::bulk::suspend(s, &selection).await).await?;
    members_changed(&view, &again, done, "suspended").await
}

pub async fn removal(cx: Authorized<perm::RemoveMembers, Query<Members>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.member.is_empty() {
        return nothing_selected(&view, &REMOVAL);
    }
    Ok(view.html(&review_members(&view, &scope, REMOVAL, &query.selection()?).await?.0))
}

pub async fn remove(cx: Authorized<perm::RemoveMembers, Form<Members>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let (again, selection) = (scope.again(), form.selection()?);
    let done = scope.write(async |s| members::bulk::remove(s, &selection).await).await?;
    members_changed(&view, &again, done, "removed").await
}

/// `did` is what is said of those who were changed, such as "suspended".
async fn members_changed<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    done: Vec<members::bulk::Done>,
    did: &str,
) -> Answer {
    use members::bulk::Outcome;
    let unchanged = |outcome: &Outcome| matches!(outcome, Outcome::HadTheseRoles | Outcome::WasSuspended);
    let changed = done.iter().filter(|one| !unchanged(&one.outcome)).count();
    let flash = flash(changed, done.len(), "member", did);
    let shown = done.into_iter().map(|one| {
        let (mood, word) = match one.outcome {
            Outcome::RolesChanged { before, after } => {
                ("good", format!("{} became {}", before.join(", "), after.join(", ")))
            }
            Outcome::HadTheseRoles => ("off", "Had these roles already".into()),
            Outcome::Suspended => ("good", "Suspended".into()),
            Outcome::WasSuspended => ("off", "Was suspended already".into()),
            Outcome::Removed => ("good", "Removed".into()),
        };
        Shown::new(one.name, mood, word)
    });
    show_once(view, scope, ROLES.list, shown.collect(), flash).await
}

/// "2 of 3 members suspended."
fn flash(changed: usize, all: usize, noun: &str, done: &str) -> Flash {
    let plural = if all == 1 { "" } else { "s" };
    match changed {
        0 => Flash::warn("Nothing was to be changed."),
        n if n == all => Flash::good(format!("{n} {noun}{plural} {done}.")),
        n => Flash::good(format!("{n} of {all} {noun}{plural} {done}.")),
    }
}

fn invitation_row(listed: Listed, why_not: String) -> Row {
    Row {
        id: listed.id,
        title: listed.email,
        detail: format!("Invited by {}", listed.inviter),
        avatar: None,
        icon: "mail",
        roles: listed.roles.into_iter().map(|name| (name, false)).collect(),
        note: if listed.is_open { "" } else { "Not pending any more: stays as it is." },
        why_not,
    }
}

pub async fn resend_review(cx: Authorized<perm::InviteMembers, Query<Invitations>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.invitation.is_empty() {
        return nothing_selected(&view, &RESEND);
    }
    let listed = invitations::review(&scope, &query.selection()?).await?;
    let count = counted(i64::try_from(listed.len()).unwrap_or(0), "invitation", "invitations");
    let rows = listed.into_iter().map(|one| {
        let why_not = one.refused.as_ref().map(ToString::to_string).unwrap_or_default();
        invitation_row(one, why_not)
    });
    let effects = vec![
        (
            "send",
            "Each gets a new link by e-mail, which works for 7 days. The old links stop working.".into(),
        ),
        ("user", "From now on the invitations are yours: they hold as long as you may invite.".into()),
    ];
    let page = Review::new(&view, RESEND, format!("Send {count} again?"), rows.collect(), effects);
    Ok(view.html(&page))
}

pub async fn resend(cx: Authorized<perm::InviteMembers, Form<Invitations>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let (again, selection) = (scope.again(), form.selection()?);
    let sent = invitations::bulk::resend(scope, &selection).await?;
    let count = sent.iter().filter(|one| one.outcome != invitations::Outcome::NotPending).count();
    let flash = flash(count, sent.len(), "invitation", "sent again");
    let shown = sent.into_iter().map(Shown::from).collect();
    show_once(&view, &again, RESEND.list, shown, flash).await
}

pub async fn cancellation(cx: Authorized<perm::CancelInvitations, Query<Invitations>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.invitation.is_empty() {
        return nothing_selected(&view, &CANCELLATION);
    }
    let listed = invitations::review(&scope, &query.selection()?).await?;
    let count = counted(i64::try_from(listed.len()).unwrap_or(0), "invitation", "invitations");
    let rows = listed.into_iter().map(|one| invitation_row(one, String::new())).collect();
    let effects = vec![
        ("lock", "The links stop working at once, and say that the invitation was cancelled.".into()),
        ("mail", "No mail is sent about it. The same addresses can be invited again.".into()),
        ("history", "The invitations stay in the list, as cancelled.".into()),
    ];
    Ok(view.html(&Review::new(&view, CANCELLATION, format!("Cancel {count}?"), rows, effects)))
}

pub async fn cancel(cx: Authorized<perm::CancelInvitations, Form<Invitations>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let (again, selection) = (scope.again(), form.selection()?);
    let done = scope.write(async |s| invitations::bulk::cancel(s, &selection).await).await?;
    let count = done.iter().filter(|one| one.was_pending).count();
    let flash = flash(count, done.len(), "invitation", "cancelled");
    let shown = done.into_iter().map(|one| match one.was_pending {
        true => Shown::new(one.email, "good", "Cancelled"),
        false => Shown::new(one.email, "off", "Not pending any more"),
    });
    show_once(&view, &again, CANCELLATION.list, shown.collect(), flash).await
}
