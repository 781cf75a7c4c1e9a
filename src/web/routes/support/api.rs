//! Requests for support.

use crate::{
    clock::Timestamp,
    domain::{
        Description, Invalid, TextRule,
        nouns::support::{
            self, NewRequest, SupportText,
            requests::{self, Answer, Conversation, Filter, SupportRequest},
        },
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input,
            reply::{Created, Ok200},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What a request is about.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SupportCategory {
    SetUp,
    Technical,
    Billing,
    Security,
    Account,
}

impl From<SupportCategory> for support::Category {
    fn from(category: SupportCategory) -> Self {
        match category {
            SupportCategory::SetUp => Self::SetUp,
            SupportCategory::Technical => Self::Technical,
            SupportCategory::Billing => Self::Billing,
            SupportCategory::Security => Self::Security,
            SupportCategory::Account => Self::Account,
        }
    }
}

impl From<support::Category> for SupportCategory {
    fn from(category: support::Category) -> Self {
        match category {
            support::Category::SetUp => Self::SetUp,
            support::Category::Technical => Self::Technical,
            support::Category::Billing => Self::Billing,
            support::Category::Security => Self::Security,
            support::Category::Account => Self::Account,
        }
    }
}

/// A request to the people who run the installation.
#[derive(Serialize, ToSchema)]
pub struct SupportRequestBody {
    id: Uuid,
    category: SupportCategory,
    /// What the asker expected.
    expected: String,
    /// What happened instead.
    happened: String,
    /// When it happened, in the asker's words. May be empty.
    when: String,
    /// The ID of the request it is about, in the asker's words. May be empty.
    request_id: String,
    /// The name of the person or key that asked. `null` for someone who is gone.
    asked_by: Option<String>,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    /// When it was last answered, in milliseconds since 1970. `null` if it wasn't.
    answered_at: Option<Timestamp>,
}

impl From<SupportRequest> for SupportRequestBody {
    fn from(request: SupportRequest) -> Self {
        let category = support::Category::of_word(&request.category).unwrap_or(support::Category::Technical);
        Self {
            id: request.id,
            category: category.into(),
            expected: request.expected,
            happened: request.happened,
            when: request.happened_when,
            request_id: request.about_request,
            asked_by: request.asker,
            created_at: request.created_at,
            answered_at: request.answered_at,
        }
    }
}

/// An answer to a request.
#[derive(Serialize, ToSchema)]
pub struct SupportAnswerBody {
    /// The name of whoever answered.
    answered_by: String,
    text: String,
    /// Milliseconds since 1970.
    created_at: Timestamp,
}

impl From<Answer> for SupportAnswerBody {
    fn from(answer: Answer) -> Self {
        Self { answered_by: answer.answered_by, text: answer.body, created_at: answer.created_at }
    }
}

/// A request with its answers, oldest first.
#[derive(Serialize, ToSchema)]
pub struct SupportConversationBody {
    request: SupportRequestBody,
    answers: Vec<SupportAnswerBody>,
}

impl From<Conversation> for SupportConversationBody {
    fn from(found: Conversation) -> Self {
        Self {
            request: found.request.into(),
            answers: found.answers.into_iter().map(SupportAnswerBody::from).collect(),
        }
    }
}

/// Which requests to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Only those about this.
    #[param(inline)]
    category: Option<SupportCategory>,
    /// Only those that were answered, or were not.
    answered: Option<bool>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

pub async fn index(
    cx: ApiRequest<perm::ReadSupport, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<SupportRequestBody>>> {
    let query = cx.input.0;
    let filter = Filter { category: query.category.map(Into::into), is_answered: query.answered };
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(requests::list(&cx.scope, &filter, &at).await?.into()))
}

pub async fn show(cx: ApiRequest<perm::ReadSupport, Target>) -> ApiResult<Ok200<SupportConversationBody>> {
    Ok(Ok200(requests::get(&cx.scope, cx.input.0).await?.into()))
}

/// What to ask. A text with a secret in it is refused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSupportRequest {
    category: SupportCategory,
    /// What you expected.
    #[schema(schema_with = spec::text::<SupportText>)]
    expected: String,
    /// What happened instead.
    #[schema(schema_with = spec::text::<SupportText>)]
    happened: String,
    /// When it happened, in your words.
    #[schema(schema_with = spec::maybe_text::<Description>)]
    when: Option<String>,
    /// The ID of the request it is about.
    #[schema(schema_with = spec::maybe_text::<Description>)]
    request_id: Option<String>,
}

impl Validate for NewSupportRequest {
    type Valid = NewRequest;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewRequest> {
        let expected = invalid.check("expected", SupportText::parse_exact(&self.expected));
        let happened = invalid.check("happened", SupportText::parse_exact(&self.happened));
        let line = |text: &Option<String>| Description::parse_exact(text.as_deref().unwrap_or_default());
        let when = invalid.check("when", line(&self.when));
        let about_request = invalid.check("request_id", line(&self.request_id));
        let new = NewRequest {
            category: self.category.into(),
            expected: expected?,
            happened: happened?,
            when: when?,
            about_request: about_request?,
        };
        invalid.check_all(new.without_secrets())
    }
}

pub async fn create(
    cx: ApiRequest<perm::CreateSupportRequests, Json<Checked<NewSupportRequest>>>,
) -> ApiResult<Created<SupportRequestBody>> {
    let new = cx.input.0.valid?;
    let asked = cx.scope.write(async |s| requests::create(s, new).await).await?;
    let location = format!("/api/sso/v1/support-requests/{}", asked.id);
    Ok(Created { body: asked.into(), location })
}
