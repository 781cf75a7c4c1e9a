//! Several members at once.

use crate::{
    domain::{
        Refused, Selection,
        base::role::Assignable,
        enforce::read::ReadScope,
        nouns::members::{self, Member, RoleChange},
    },
    policy::{self, perm},
    web::{
        chrome::{View, hue, initials},
        form::Form,
        guard::{Authorized, HandlerResult},
        list::Query,
        rejection::reopen,
        role_choices::choices,
        routes::members::row::ONLY_OWNER,
        selection::{BulkAction, ResultRow, Review, Row, flash, nothing_selected, store_results},
        words::pluralize,
    },
};
use serde::Deserialize;
use uuid::Uuid;

const ROLES: BulkAction = BulkAction {
    field: "member",
    list: "/members",
    list_name: "Members",
    noun: "roles",
    crumb: "Change roles",
    button: "Change roles",
    icon: "tags",
    is_danger: false,
};

const SUSPENSION: BulkAction = BulkAction {
    noun: "suspension",
    crumb: "Suspension",
    button: "Suspend",
    icon: "pause",
    is_danger: true,
    ..ROLES
};

const REMOVAL: BulkAction = BulkAction {
    noun: "removal",
    crumb: "Removal",
    button: "Remove from workspace",
    icon: "trash",
    is_danger: true,
    ..ROLES
};

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

/// The ticked rows of the members, with roles and what to do with them.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct MembersAndRoles {
    member: Vec<Uuid>,
    role: Vec<String>,
    /// The button that was pressed: `add` or `remove`; otherwise the roles replace the present ones.
    change: String,
}

impl MembersAndRoles {
    fn change(&self) -> RoleChange {
        match self.change.as_str() {
            "add" => RoleChange::Add,
            "remove" => RoleChange::Remove,
            _ => RoleChange::Replace,
        }
    }
}

pub(in crate::web) fn row(member: Member, bulk: &BulkAction) -> Row {
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
        note: if is_done { "Already suspended." } else { "" },
        why_not,
    }
}

async fn review_members<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    bulk: BulkAction,
    selection: &Selection,
) -> Result<(Review, Vec<Assignable>), Refused> {
    let review = members::bulk::review(scope, selection).await?;
    let count = pluralize(i64::try_from(review.members.len()).unwrap_or(0), "member", "members");
    let (waiting, dependent_keys, entries) = (review.invitations, review.dependent_keys, review.entries);
    let any_key = review.members.iter().any(|member| member.api_key_id.is_some());
    let (heading, mut effects) = match bulk.noun {
        "suspension" => (
            format!("Suspend {count}?"),
            vec![
                ("lock", "They lose access to this workspace immediately, until reactivated.".into()),
                ("tags", "They keep their roles. You can reactivate them at any time.".into()),
                ("mail", format!("Pending invitations they sent can't be accepted until then: {waiting}.")),
            ],
        ),
        "removal" => (
            format!("Remove {count}?"),
            vec![
                ("lock", "They lose access to this workspace immediately.".into()),
                (
                    "tags",
                    "They lose their roles. If they are invited again, they get that invitation's roles."
                        .into(),
                ),
                ("users-round", "They are removed from their teams.".into()),
                ("mail", format!("Pending invitations they sent are cancelled: {waiting}.")),
                ("user", "Their sign-ins stay, and so do their other workspaces. Account admins stay account admins.".into()),
            ],
        ),
        _ => (
            format!("Change the roles of {count}"),
            vec![
                ("plus", "Add: they get the roles you select and keep the roles they have.".into()),
                ("minus", "Remove: they lose the roles you select and keep their other roles.".into()),
                ("tags", "Replace: the roles you select replace the roles they have.".into()),
                ("users-round", "Roles from teams stay in each case.".into()),
            ],
        ),
    };
    if dependent_keys > 0 {
        let keys = pluralize(dependent_keys, "API key", "API keys");
        effects.push(("key", match bulk.noun {
            "removal" => format!("Secrets they know stop working here: {keys}. From then on, you vouch for the keys they vouched for. To let secrets work for a while, or revoke keys, remove people on their own pages."),
            "suspension" => format!("Keys they vouch for or know a secret of hold nothing here until they are reactivated: {keys}."),
            _ => format!("Keys they vouch for or know a secret of hold no more than they do: {keys}."),
        }));
    }
    if bulk.noun == REMOVAL.noun && entries > 0 {
        let ended = format!(
            "Memberships they entered by the API, and which still wait for an answer, end: {entries}."
        );
        effects.push(("users", ended));
    }
    if bulk.noun == REMOVAL.noun && any_key {
        effects.push(("key", "Removed API keys stay in the account and in their other workspaces.".into()));
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
    page.choices = choices(roles, ticked);
    Ok(page)
}

pub async fn roles(cx: Authorized<perm::UpdateMemberRoles, Query<Members>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.member.is_empty() {
        return nothing_selected(&view, &ROLES);
    }
    Ok(view.html(&review_roles(&view, &scope, &query.selection()?, &[]).await?))
}

pub async fn change_roles(cx: Authorized<perm::UpdateMemberRoles, Form<MembersAndRoles>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let selection = Selection::of(ROLES.field, &form.member)?;
    let done = async {
        let done = scope
            .write(async |s| members::bulk::change_roles(s, &selection, form.change(), &form.role).await)
            .await?;
        members_changed(&view, &duplicate, done, "updated", form.change()).await
    };
    reopen(done.await, async |rejected| {
        let mut page = review_roles(&view, &duplicate, &selection, &form.role).await?;
        page.errors = rejected.errors;
        Ok(view.html_as(rejected.status, &page))
    })
    .await
}

pub async fn suspension(cx: Authorized<perm::SuspendMembers, Query<Members>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.member.is_empty() {
        return nothing_selected(&view, &SUSPENSION);
    }
    Ok(view.html(&review_members(&view, &scope, SUSPENSION, &query.selection()?).await?.0))
}

pub async fn suspend(cx: Authorized<perm::SuspendMembers, Form<Members>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let (duplicate, selection) = (scope.duplicate(), form.selection()?);
    let done = scope.write(async |s| members::bulk::suspend(s, &selection).await).await?;
    members_changed(&view, &duplicate, done, "suspended", RoleChange::Replace).await
}

pub async fn removal(cx: Authorized<perm::RemoveMembers, Query<Members>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.member.is_empty() {
        return nothing_selected(&view, &REMOVAL);
    }
    Ok(view.html(&review_members(&view, &scope, REMOVAL, &query.selection()?).await?.0))
}

pub async fn remove(cx: Authorized<perm::RemoveMembers, Form<Members>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let (duplicate, selection) = (scope.duplicate(), form.selection()?);
    let done = scope.write(async |s| members::bulk::remove(s, &selection).await).await?;
    members_changed(&view, &duplicate, done, "removed", RoleChange::Replace).await
}

/// `did` says what was done, such as "suspended"; `change`, what was done with roles, if it was about them.
async fn members_changed<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    done: Vec<members::bulk::MemberResult>,
    did: &str,
    change: RoleChange,
) -> HandlerResult {
    use members::bulk::Outcome;
    let unchanged = |outcome: &Outcome| matches!(outcome, Outcome::HadTheseRoles | Outcome::WasSuspended);
    let changed = done.iter().filter(|one| !unchanged(&one.outcome)).count();
    let flash = flash(changed, done.len(), "member", did);
    let shown = done.into_iter().map(|one| {
        let (mood, word) = match one.outcome {
            Outcome::RolesChanged { before, after } => {
                ("good", format!("Roles changed from {} to {}", before.join(", "), after.join(", ")))
            }
            Outcome::HadTheseRoles if change == RoleChange::Remove => {
                ("off", "Had none of these roles".into())
            }
            Outcome::HadTheseRoles => ("off", "Already had these roles".into()),
            Outcome::Suspended => ("good", "Suspended".into()),
            Outcome::WasSuspended => ("off", "Already suspended".into()),
            Outcome::Removed => ("good", "Removed".into()),
        };
        ResultRow::new(one.name, mood, word)
    });
    store_results(view, scope, ROLES.list, shown.collect(), flash).await
}
