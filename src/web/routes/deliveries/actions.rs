//! Sending a test event, and events again.

use crate::{
    clock::DAY,
    domain::{
        Invalid, Refused,
        base::words::pluralize,
        nouns::deliveries::{
            replay::{self, NOT_AN_EVENT, PAUSED, Range, STOPPED},
            settings::EVENTS_ARE_OFF,
        },
    },
    policy::perm,
    web::{
        checks::{Checked, Validate, date},
        chrome::Flash,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::{NestedTarget, Target},
        rejection::{on, reopen_on},
        routes::deliveries::page::{FormState, page_of, redraw},
    },
};
use serde::Deserialize;

/// The page itself explains these conflicts.
fn is_explained(refused: &Refused) -> bool {
    [EVENTS_ARE_OFF, PAUSED, STOPPED, NOT_AN_EVENT].into_iter().any(|conflict| on(conflict)(refused))
}

pub async fn test(cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let before = scope.duplicate();
    let done = async {
        scope.write(async |s| replay::send_test(s, id).await).await?;
        let flash = Flash::good("A test event is on its way. Reload this page to see the answer.");
        Ok(view.redirect_with_flash(page_of(&view, id), flash))
    };
    reopen_on(done.await, is_explained, async |rejected| {
        redraw(&view, before, id, rejected, FormState::default()).await
    })
    .await
}

pub async fn replay(
    cx: Authorized<perm::ManageDestinations, (NestedTarget, Form<EmptyForm>)>,
) -> HandlerResult {
    let (scope, view, (NestedTarget(id, delivery), _)) = cx.into_parts();
    let before = scope.duplicate();
    let done = async {
        scope.write(async |s| replay::replay(s, id, delivery).await).await?;
        let flash = Flash::good("The event is sent again, under the same ID.");
        Ok(view.redirect_with_flash(page_of(&view, id), flash))
    };
    reopen_on(done.await, is_explained, async |rejected| {
        redraw(&view, before, id, rejected, FormState::default()).await
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RangeForm {
    /// Days; both are included.
    replay_from: String,
    replay_until: String,
    /// `held` or `all`.
    which: String,
}

impl Validate for RangeForm {
    type Valid = Range;

    fn validate(&self, invalid: &mut Invalid) -> Option<Range> {
        let from = invalid.check_all(date("replay_from", &self.replay_from));
        let until = invalid.check_all(date("replay_until", &self.replay_until));
        let with_delivered = match self.which.as_str() {
            "held" => Ok(false),
            "all" => Ok(true),
            _ => Err("Choose which events to send again."),
        };
        let with_delivered = invalid.check("which", with_delivered);
        Some(Range {
            from: from?,
            until: until?.map(|midnight| midnight + DAY),
            with_delivered: with_delivered?,
        })
    }
}

pub async fn replay_range(
    cx: Authorized<perm::ManageDestinations, (Target, Form<Checked<RangeForm>>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let done = async {
        let range = form.valid?;
        let count = scope.write(async |s| replay::replay_range(s, id, range).await).await?;
        let flash = match i64::try_from(count).unwrap_or(i64::MAX) {
            0 => Flash::warn("No events to send again in these days."),
            1 => Flash::good("1 event is sent again, under its ID."),
            count => Flash::good(format!(
                "{} are sent again, under their IDs.",
                pluralize(count, "event", "events")
            )),
        };
        Ok(view.redirect_with_flash(page_of(&view, id), flash))
    };
    reopen_on(done.await, is_explained, async |rejected| {
        redraw(&view, before, id, rejected, FormState::default()).await
    })
    .await
}
