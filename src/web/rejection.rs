//! Forms that were rejected: their page is drawn again, with what was sent and the reasons.

use crate::{
    domain::{Invalid, Refused, base::conflict::Conflict},
    web::{
        errors::Errors,
        outcome::{self, Stage},
    },
};
use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

type HandlerResult = Result<HttpResponse, Refused>;

/// A rejection that the form's own page explains.
pub(super) struct FormRejection {
    pub status: StatusCode,
    pub errors: Errors,
    /// Why the change as a whole was rejected; empty if only fields are invalid.
    pub problem: String,
    /// The refusal itself, for a viewer who may not see the page of the form.
    pub refused: Refused,
    retry_after_seconds: Option<i64>,
}

impl FormRejection {
    /// Every form explains invalid input, rate limits and a busy server; `also` selects the conflicts and
    /// ceilings that this form explains too.
    ///
    /// # Errors
    /// Every other refusal, unchanged; it has a page of its own.
    fn of(refused: Refused, also: impl Fn(&Refused) -> bool) -> Result<Self, Refused> {
        let (status, errors, retry_after_seconds) = match &refused {
            Refused::Invalid(invalid) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Errors::from(invalid.clone()), None)
            }
            Refused::RateLimited { retry_after_seconds: seconds } => {
                (StatusCode::TOO_MANY_REQUESTS, retry_later("Too many attempts.", *seconds), Some(*seconds))
            }
            Refused::Busy { retry_after_seconds: seconds } => {
                let errors = retry_later("The server is too busy right now.", *seconds);
                (StatusCode::SERVICE_UNAVAILABLE, errors, Some(*seconds))
            }
            Refused::Conflict(_) if also(&refused) => (StatusCode::CONFLICT, Errors::default(), None),
            Refused::DetailedConflict(_) if also(&refused) => (StatusCode::CONFLICT, Errors::default(), None),
            Refused::Ceiling(_) if also(&refused) => (StatusCode::FORBIDDEN, Errors::default(), None),
            _ => return Err(refused),
        };
        let problem = match &refused {
            Refused::Conflict(_) | Refused::Ceiling(_) => refused.to_string(),
            Refused::DetailedConflict(conflict) => {
                let parts = [&conflict.sentence].into_iter().chain(&conflict.notes);
                parts.map(String::as_str).collect::<Vec<_>>().join(" ")
            }
            _ => String::new(),
        };
        Ok(Self { status, errors, problem, refused, retry_after_seconds })
    }

    pub(super) fn is(&self, conflict: Conflict) -> bool {
        on(conflict)(&self.refused)
    }

    /// The complaints by field. The problem, if there is one, becomes the complaint of this field.
    pub(super) fn errors_at(&self, field: &str) -> Errors {
        match self.problem.as_str() {
            "" => self.errors.clone(),
            problem => Invalid::field(field, problem).into(),
        }
    }
}

fn retry_later(what: &str, seconds: i64) -> Errors {
    let wait =
        if seconds < 90 { format!("{seconds} seconds") } else { format!("{} minutes", (seconds + 59) / 60) };
    Invalid::field("form", format!("{what} Nothing was changed. Try again in {wait}.")).into()
}

/// The response to a form: `done` or, if that was rejected, the form as `draw` fills it in again.
///
/// # Errors
/// Refusals that have a page of their own, and those of `draw`.
pub(super) async fn reopen(
    done: HandlerResult,
    draw: impl AsyncFnOnce(FormRejection) -> HandlerResult,
) -> HandlerResult {
    reopen_on(done, |_| false, draw).await
}

/// [`reopen`], also for the conflicts and ceilings that the form explains.
///
/// # Errors
/// As [`reopen`].
pub(super) async fn reopen_on(
    done: HandlerResult,
    also: impl Fn(&Refused) -> bool,
    draw: impl AsyncFnOnce(FormRejection) -> HandlerResult,
) -> HandlerResult {
    let rejection = match done {
        Ok(response) => return Ok(response),
        Err(refused) => FormRejection::of(refused, also)?,
    };
    let retry_after_seconds = rejection.retry_after_seconds;
    let stage = Stage::of(&rejection.refused);
    let mut page = draw(rejection).await?;
    outcome::refused_at(&mut page, stage);
    if let Some(seconds) = retry_after_seconds {
        page.headers_mut().insert(header::RETRY_AFTER, seconds.max(1).into());
    }
    Ok(page)
}

/// Selects one conflict, for [`reopen_on`].
pub(super) fn on(conflict: Conflict) -> impl Fn(&Refused) -> bool {
    move |refused| matches!(refused, Refused::Conflict(other) if *other == conflict)
}

/// Selects the conflict with this code whose text is computed, for [`reopen_on`].
pub(super) fn on_code(code: &'static str) -> impl Fn(&Refused) -> bool {
    move |refused| matches!(refused, Refused::DetailedConflict(other) if other.code == code)
}
