//! Several invitations at once.

use crate::{
    domain::{
        Refused, Selection,
        nouns::invitations::{self, Invitation},
    },
    policy::perm,
    web::{
        form::Form,
        guard::{Authorized, HandlerResult},
        list::Query,
        selection::{BulkAction, ResultRow, Review, Row, flash, nothing_selected, store_results},
        words::pluralize,
    },
};
use serde::Deserialize;
use uuid::Uuid;

const RESEND: BulkAction = BulkAction {
    field: "invitation",
    list: "/invitations",
    list_name: "Invitations",
    noun: "resend",
    crumb: "Send again",
    button: "Send again",
    icon: "send",
    is_danger: false,
};

const CANCELLATION: BulkAction = BulkAction {
    noun: "cancellation",
    crumb: "Cancellation",
    button: "Cancel invitations",
    icon: "x",
    is_danger: true,
    ..RESEND
};

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

fn invitation_row(invitation: Invitation, why_not: String) -> Row {
    Row {
        id: invitation.id,
        detail: format!("Invited by {}", invitation.signature()),
        title: invitation.email,
        avatar: None,
        icon: "mail",
        roles: invitation.roles.into_iter().map(|name| (name, false)).collect(),
        note: if invitation.is_open { "" } else { "No longer pending, so it isn't changed." },
        why_not,
    }
}

pub async fn resend_review(cx: Authorized<perm::InviteMembers, Query<Invitations>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.invitation.is_empty() {
        return nothing_selected(&view, &RESEND);
    }
    let invitation = invitations::review(&scope, &query.selection()?).await?;
    let count = pluralize(i64::try_from(invitation.len()).unwrap_or(0), "invitation", "invitations");
    let rows = invitation.into_iter().map(|one| {
        let why_not = one.refused.as_ref().map(ToString::to_string).unwrap_or_default();
        invitation_row(one, why_not)
    });
    let effects = vec![
        (
            "send",
            "Each person gets a new link by e-mail, which works for 7 days. The old links stop working.".into(),
        ),
        ("user", "You become the sender of these invitations. They are valid for as long as you can invite people.".into()),
    ];
    let page = Review::new(&view, RESEND, format!("Send {count} again?"), rows.collect(), effects);
    Ok(view.html(&page))
}

pub async fn resend(cx: Authorized<perm::InviteMembers, Form<Invitations>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let (duplicate, selection) = (scope.duplicate(), form.selection()?);
    let sent = invitations::bulk::resend(scope, &selection).await?;
    let count = sent.iter().filter(|one| one.outcome != invitations::Outcome::NotPending).count();
    let flash = flash(count, sent.len(), "invitation", "sent again");
    let shown = sent.into_iter().map(ResultRow::from).collect();
    store_results(&view, &duplicate, RESEND.list, shown, flash).await
}

pub async fn cancellation(cx: Authorized<perm::CancelInvitations, Query<Invitations>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    if query.invitation.is_empty() {
        return nothing_selected(&view, &CANCELLATION);
    }
    let invitation = invitations::review(&scope, &query.selection()?).await?;
    let count = pluralize(i64::try_from(invitation.len()).unwrap_or(0), "invitation", "invitations");
    let rows = invitation.into_iter().map(|one| invitation_row(one, String::new())).collect();
    let effects = vec![
        ("lock", "The links stop working immediately and say that the invitation was cancelled.".into()),
        ("mail", "No e-mail is sent about it. You can invite the same addresses again.".into()),
        ("history", "The invitations stay in the list as cancelled.".into()),
    ];
    Ok(view.html(&Review::new(&view, CANCELLATION, format!("Cancel {count}?"), rows, effects)))
}

pub async fn cancel(cx: Authorized<perm::CancelInvitations, Form<Invitations>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let (duplicate, selection) = (scope.duplicate(), form.selection()?);
    let done = scope.write(async |s| invitations::bulk::cancel(s, &selection).await).await?;
    let count = done.iter().filter(|one| one.was_pending).count();
    let flash = flash(count, done.len(), "invitation", "cancelled");
    let shown = done.into_iter().map(|one| match one.was_pending {
        true => ResultRow::new(one.email, "good", "Cancelled"),
        false => ResultRow::new(one.email, "off", "No longer pending"),
    });
    store_results(&view, &duplicate, CANCELLATION.list, shown.collect(), flash).await
}
