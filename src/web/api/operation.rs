use crate::{
    domain::Slug,
    web::{
        access::Access,
        api::{idempotency_key, spec},
        path::{NamedPermission, NamedRole, Target, Within},
    },
};
use actix_web::{HttpResponse, http::Method};
use std::collections::BTreeSet;
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::AnyOfBuilder,
    },
};

/// What a handler takes, as the document tells it.
pub trait Input {
    fn describe(sketch: &mut Sketch);
}

/// What a handler answers when all went well.
pub trait Reply: Sized {
    fn describe(sketch: &mut Sketch);
    fn respond(self) -> HttpResponse;
}

/// One operation, put together from its handler's types.
#[derive(Default)]
pub struct Sketch {
    pub parameters: Vec<Parameter>,
    pub body: Option<RefOr<Schema>>,
    pub answers: Vec<(u16, Option<RefOr<Schema>>)>,
    /// Statuses under which it is refused, beside those that its access brings along.
    pub refusals: BTreeSet<u16>,
    pub is_tagged: bool,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Sketch {
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

    pub fn answer_of_either<A: ToSchema, B: ToSchema>(&mut self, status: u16) {
        let schema = self.either::<A, B>();
        self.answers.push((status, Some(schema)));
    }

    fn either<A: ToSchema, B: ToSchema>(&mut self) -> RefOr<Schema> {
        let both = [self.named::<A>(), self.named::<B>()];
        let any = both.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        Schema::AnyOf(any.build()).into()
    }

    pub fn answer<T: ToSchema>(&mut self, status: u16) {
        let schema = self.named::<T>();
        self.answers.push((status, Some(schema)));
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

    /// Names of what the query may hold.
    pub fn query(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|p| p.parameter_in == ParameterIn::Query).map(|p| p.name.as_str())
    }
}

/// For what is described by hand.
pub struct Nothing;

impl Reply for Nothing {
    fn describe(_: &mut Sketch) {}
    fn respond(self) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

impl Input for () {
    fn describe(_: &mut Sketch) {}
}

impl Input for Target {
    fn describe(_: &mut Sketch) {}
}

impl Input for Within {
    fn describe(_: &mut Sketch) {}
}

impl Input for NamedRole {
    fn describe(_: &mut Sketch) {}
}

impl Input for NamedPermission {
    fn describe(_: &mut Sketch) {}
}

impl<A: Input, B: Input> Input for (A, B) {
    fn describe(sketch: &mut Sketch) {
        A::describe(sketch);
        B::describe(sketch);
    }
}

impl<A: Input, B: Input, C: Input> Input for (A, B, C) {
    fn describe(sketch: &mut Sketch) {
        A::describe(sketch);
        B::describe(sketch);
        C::describe(sketch);
    }
}

/// Completes what a handler's types say by what its row says: who may, and what stands in its path.
pub(in crate::web) fn sketch<I: Input, O: Reply>(method: &Method, path: &str, access: Access) -> Sketch {
    let mut sketch = Sketch::default();
    for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let (about, schema) = match name {
            "workspace" => ("The workspace's slug.", spec::text::<Slug>()),
            "role" => ("The role's slug.", spec::text::<Slug>()),
            "permission" => ("The permission's scope.", spec::permission()),
            _ => ("Its id.", spec::id()),
        };
        sketch.parameter(name, ParameterIn::Path, true, about, schema);
    }
    I::describe(&mut sketch);
    O::describe(&mut sketch);
    let is_public = access == Access::Public;
    let changes = !method.is_safe();
    if let Access::Member(_) = access {
        if !path.contains("{workspace}") {
            let about = "The workspace that is meant, by its slug. The key's home, if it is left out.";
            sketch.parameter(
                crate::web::bearer::WORKSPACE,
                ParameterIn::Query,
                false,
                about,
                spec::text::<Slug>(),
            );
        }
        sketch.refusals.extend([403, 404]);
    }
    if path.contains('{') {
        sketch.refusals.insert(404);
    }
    if !is_public {
        // A query that is not known is refused everywhere.
        sketch.refusals.extend([400, 401, 422]);
        if changes {
            sketch.refusals.extend([403, 409]);
        }
        if *method == Method::POST {
            sketch.refusals.extend([408, 413]);
        }
        if idempotency_key::applies(method, path) {
            let about = "Names what is to be done. Sent again with the same, it is answered again and not done again, for a day.";
            let schema = spec::idempotency_key();
            sketch.parameter("Idempotency-Key", ParameterIn::Header, false, about, schema);
        }
    }
    if is_counted(path) {
        sketch.refusals.extend([429, 503]);
    }
    sketch
}

/// A key has so many calls of it in a minute.
pub(in crate::web) fn is_counted(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/access/")
}
