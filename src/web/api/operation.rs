//! One operation of the API, described by its handler's types.

use crate::{
    domain::{ExternalId, Slug},
    web::{
        access::Requirement,
        api::spec,
        bearer::WORKSPACE,
        face::RouteFacts,
        path::{NamedPermission, NamedRole, NamedUser, NestedTarget, Target},
    },
};
use actix_web::{HttpResponse, http::Method};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::AnyOfBuilder,
    },
};

/// What a handler takes, as the document describes it.
pub trait Input {
    fn describe(operation: &mut Operation);
}

/// The response of a handler that succeeded.
pub trait Reply: Sized {
    fn describe(operation: &mut Operation);
    fn respond(self) -> HttpResponse;
}

/// One operation of the API, described by its row and its handler's types.
pub struct Operation {
    pub method: Method,
    pub path: &'static str,
    /// `operationId`, such as `listMembers`.
    pub id: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The noun it belongs to.
    pub tag: &'static str,
    pub requirement: Requirement,
    pub facts: RouteFacts,
    pub parameters: Vec<Parameter>,
    pub body: Option<RefOr<Schema>>,
    /// A body to try it with, where values made up from the schema would make no sense.
    pub example: Option<Value>,
    /// The body of the response to that, where one put together from the schema would make no sense.
    pub response_example: Option<Value>,
    /// The body's `Content-Type` must be `application/json`.
    pub needs_content_type: bool,
    /// Schemas of the bodies, by status.
    pub responses: BTreeMap<u16, Option<RefOr<Schema>>>,
    /// The media types of these bodies.
    pub media_types: &'static [&'static str],
    /// Statuses under which it is refused.
    pub refusals: BTreeSet<u16>,
    /// Its response has an `ETag`.
    pub is_tagged: bool,
    /// A 201 has a `Location`.
    pub is_located: bool,
    /// What the summary leaves out; empty if that is nothing.
    pub details: &'static str,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Operation {
    /// An operation with the facts of its row. [`describe`] adds what follows from its handler's types.
    pub(in crate::web) fn new(
        method: Method,
        path: &'static str,
        requirement: Requirement,
        facts: RouteFacts,
    ) -> Self {
        Self {
            method,
            path,
            id: "",
            summary: "",
            tag: "",
            requirement,
            facts,
            parameters: Vec::new(),
            body: None,
            example: None,
            response_example: None,
            needs_content_type: false,
            responses: BTreeMap::new(),
            media_types: &["application/json"],
            refusals: BTreeSet::new(),
            is_tagged: false,
            is_located: false,
            details: "",
            schemas: Vec::new(),
        }
    }

    fn named<T: ToSchema>(&mut self) -> RefOr<Schema> {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        Ref::from_schema_name(T::name()).into()
    }

    pub fn body<T: ToSchema>(&mut self) {
        self.body = Some(self.named::<T>());
    }

    pub fn body_of_either<A: ToSchema, B: ToSchema>(&mut self) {
        self.body = Some(self.either::<A, B>());
    }

    pub fn response<T: ToSchema>(&mut self, status: u16) {
        let schema = self.named::<T>();
        self.responses.insert(status, Some(schema));
    }

    pub fn response_of_either<A: ToSchema, B: ToSchema>(&mut self, status: u16) {
        let schema = self.either::<A, B>();
        self.responses.insert(status, Some(schema));
    }

    fn either<A: ToSchema, B: ToSchema>(&mut self) -> RefOr<Schema> {
        let both = [self.named::<A>(), self.named::<B>()];
        let any = both.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        Schema::AnyOf(any.build()).into()
    }

    pub fn parameter(
        &mut self,
        name: &str,
        place: ParameterIn,
        required: bool,
        about: &str,
        schema: impl Into<RefOr<Schema>>,
    ) {
        let required = if required { Required::True } else { Required::False };
        let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
        self.parameters.push(parameter.description(Some(about)).schema(Some(schema)).build());
    }

    /// The names of the query's parameters.
    pub fn query(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|p| p.parameter_in == ParameterIn::Query).map(|p| p.name.as_str())
    }

    fn describe_path(&mut self) {
        for name in self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let (about, schema) = match name {
                "workspace" => ("The workspace's slug.", spec::text::<Slug>()),
                "role" => ("The role's slug.", spec::text::<Slug>()),
                "permission" => ("The permission's scope.", spec::permission()),
                "user" => ("The user's ID, or the ID your own applications use.", spec::text::<ExternalId>()),
                _ => ("The ID.", spec::id()),
            };
            self.parameter(name, ParameterIn::Path, true, about, schema);
            self.refusals.insert(404);
        }
    }

    /// Adds what follows from its requirement.
    fn describe_admission(&mut self) {
        if let Requirement::Member(_) = self.requirement {
            if !self.parameters.iter().any(|parameter| parameter.name == WORKSPACE) {
                let about = "The slug of the workspace. If omitted, the key's home workspace.";
                self.parameter(WORKSPACE, ParameterIn::Query, false, about, spec::text::<Slug>());
            }
            self.refusals.extend([403, 404]);
        }
        if self.requirement == Requirement::Public {
            return;
        }
        // Every operation refuses unknown parameters.
        self.refusals.extend([400, 401, 422]);
        if !self.method.is_safe() {
            self.refusals.extend([403, 409]);
        }
        if self.method == Method::POST {
            self.refusals.extend([408, 413]);
        }
    }

    /// Adds what follows from its face and limits.
    fn describe_facts(&mut self) {
        if self.facts.takes_idempotency_key {
            let about = "Identifies this request. If you send it again with the same key within 24 hours, you get the same response and it is not done again.";
            self.parameter("Idempotency-Key", ParameterIn::Header, false, about, spec::idempotency_key());
        }
        if self.facts.rate_limit.is_some() {
            self.refusals.extend([429, 503]);
        }
    }
}

/// Adds what follows from the types of the handler.
pub(in crate::web) fn describe<I: Input, O: Reply>(operation: &mut Operation) {
    operation.describe_path();
    I::describe(operation);
    O::describe(operation);
    operation.describe_admission();
    operation.describe_facts();
}

impl Input for () {
    fn describe(_: &mut Operation) {}
}

impl Input for Target {
    fn describe(_: &mut Operation) {}
}

impl Input for NestedTarget {
    fn describe(_: &mut Operation) {}
}

impl Input for NamedRole {
    fn describe(_: &mut Operation) {}
}

impl Input for NamedUser {
    fn describe(_: &mut Operation) {}
}

impl Input for NamedPermission {
    fn describe(_: &mut Operation) {}
}

impl<A: Input, B: Input> Input for (A, B) {
    fn describe(operation: &mut Operation) {
        A::describe(operation);
        B::describe(operation);
    }
}

impl<A: Input, B: Input, C: Input> Input for (A, B, C) {
    fn describe(operation: &mut Operation) {
        A::describe(operation);
        B::describe(operation);
        C::describe(operation);
    }
}
