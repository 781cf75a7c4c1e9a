//! A row of the table of routes. What it requires is read from its handler's type; its face from the kind of
//! row that it is: [`get`] and [`post`] for pages, [`call()`] for services.

use crate::{
    domain::Refused,
    web::{
        access::{Required, Requirement},
        api::{
            call,
            operation::{self, Input, Operation, Reply},
        },
        face::{Face, RateLimit, RouteFacts},
        form::Submitted,
        gateway::forward::forward,
        guard::{Admission, Admitted, CallAdmission, HandlerResult, PageAdmission},
        nav::NavEntry,
        problem,
    },
};
use actix_web::{FromRequest, HttpRequest, guard, http::Method, web};

/// One row of the table.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    /// Who may call it.
    pub requirement: Requirement,
    pub face: Face,
    /// The limit that calls are counted against, if any.
    pub rate_limit: Option<RateLimit>,
    /// The noun it belongs to; the tag of an operation.
    pub noun: &'static str,
    /// Its name in the document of the API; empty for a page.
    pub operation_id: &'static str,
    /// Its admission checks calls that pages of other websites send.
    admits_other_origins: bool,
    /// What it does, in a sentence; empty for a page.
    pub summary: &'static str,
    /// What the summary leaves out; empty for a page.
    pub details: &'static str,
    /// The entry of the sidebar that leads to it.
    pub nav: Option<NavEntry>,
    /// The path of the entry of the sidebar under which it is shown.
    pub section: Option<&'static str>,
    /// A success is not worth a line in the log.
    is_quiet: bool,
    mount: Box<dyn Fn(&Self) -> actix_web::Route>,
    describe: Vec<fn(&mut Operation)>,
    more_refusals: Vec<u16>,
}

impl Route {
    fn new(
        method: Method,
        path: &'static str,
        requirement: Requirement,
        face: Face,
        mount: Box<dyn Fn(&Self) -> actix_web::Route>,
    ) -> Self {
        // Public responses are small, and equal for everybody.
        let is_for_all = requirement == Requirement::Public && method.is_safe();
        let rate_limit = face.rate_limit().filter(|_| !is_for_all);
        Self {
            method,
            path,
            requirement,
            face,
            rate_limit,
            noun: "",
            operation_id: "",
            admits_other_origins: false,
            summary: "",
            details: "",
            nav: None,
            section: None,
            is_quiet: false,
            mount,
            describe: Vec::new(),
            more_refusals: Vec::new(),
        }
    }

    fn page<A, I, H>(method: Method, path: &'static str, handler: H) -> Self
    where
        A: PageAdmission,
        I: FromRequest + 'static,
        H: AsyncFn(Admitted<A, I>) -> HandlerResult + Clone + 'static,
    {
        let mount = move |row: &Self| {
            let handler = handler.clone();
            of_method(&row.method).to(move |req: HttpRequest, admitted: Admitted<A, I>| {
                let handler = handler.clone();
                async move {
                    match handler(admitted).await {
                        Ok(response) => response,
                        Err(refused) => problem::respond(&req, &refused),
                    }
                }
            })
        };
        Self::new(method, path, requirement::<A>(), Face::Page, Box::new(mount))
    }

    /// Sets the summary: what the operation does.
    pub fn summary(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    /// Sets what the summary leaves out.
    pub fn details(self, details: &'static str) -> Self {
        Self { details, ..self }
    }

    /// Sets the limit that its calls are counted against, if it is not that of its face.
    pub fn counted_as(self, rate_limit: RateLimit) -> Self {
        Self { rate_limit: Some(rate_limit), ..self }
    }

    /// Leaves successes out of the log: health checks come every few seconds.
    pub fn quiet(self) -> Self {
        Self { is_quiet: true, ..self }
    }

    /// Puts the page into the sidebar: the heading above it, its icon and its label.
    pub fn nav(mut self, group: &'static str, icon: &'static str, label: &'static str) -> Self {
        self.nav = Some(NavEntry { path: self.path, requirement: self.requirement, group, icon, label });
        self
    }

    /// Adds to the document what can't be derived from its handler's types.
    pub(in crate::web) fn described(mut self, describe: fn(&mut Operation)) -> Self {
        self.describe.push(describe);
        self
    }

    /// Adds a status of refusals, which can't be derived from its handler's types.
    pub(in crate::web) fn refused_with(mut self, status: u16) -> Self {
        self.more_refusals.push(status);
        self
    }

    /// The facts for requests that match it.
    pub fn facts(&self) -> RouteFacts {
        let Self { face, rate_limit, is_quiet, admits_other_origins, .. } = *self;
        // Stored responses belong to a key, and a public request has none.
        let has_caller = self.requirement != Requirement::Public;
        let takes_idempotency_key = face.takes_idempotency_key() && has_caller && self.method == Method::POST;
        RouteFacts { face, rate_limit, takes_idempotency_key, is_quiet, admits_other_origins }
    }

    /// How the document of the API describes it; `None` for a page.
    pub fn operation(&self) -> Option<Operation> {
        if self.describe.is_empty() {
            return None;
        }
        let mut operation = Operation::new(self.method.clone(), self.path, self.requirement, self.facts());
        operation.id = self.operation_id;
        operation.summary = self.summary;
        operation.details = self.details;
        operation.tag = self.noun;
        self.describe.iter().for_each(|describe| describe(&mut operation));
        operation.refusals.extend(&self.more_refusals);
        Some(operation)
    }

    /// The row as the router takes it.
    pub(in crate::web) fn mounted(&self) -> actix_web::Route {
        (self.mount)(self)
    }
}

/// The rows of one noun, which is the tag of its operations. Its page with an entry in the sidebar is the
/// section of all of them.
pub fn noun(name: &'static str, rows: Vec<Route>) -> Vec<Route> {
    let section = rows.iter().find_map(|row| row.nav).map(|entry| entry.path);
    rows.into_iter().map(|row| Route { noun: name, section, ..row }).collect()
}

fn requirement<A: Admission>() -> Requirement {
    <A::Requires as Required>::REQUIREMENT
}

fn of_method(method: &Method) -> actix_web::Route {
    match *method {
        // A HEAD is a GET without the body.
        Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::route().method(method.clone()),
    }
}

/// A row for a page.
pub fn get<R, A, I, H>(path: &'static str, _: R, handler: H) -> Route
where
    A: PageAdmission<Requires = R>,
    I: FromRequest + 'static,
    H: AsyncFn(Admitted<A, I>) -> HandlerResult + Clone + 'static,
{
    Route::page(Method::GET, path, handler)
}

/// A row for a form.
pub fn post<R, A, I, H>(path: &'static str, _: R, handler: H) -> Route
where
    A: PageAdmission<Requires = R>,
    I: Submitted + 'static,
    H: AsyncFn(Admitted<A, I>) -> HandlerResult + Clone + 'static,
{
    Route::page(Method::POST, path, handler)
}

/// A row of the gateway, which answers whatever the method. Its handler admits the key in the statement that finds the
/// destination, and is the only one.
pub fn gateway<R: Required>(path: &'static str, _: R) -> Route {
    let mount = |_: &Route| web::route().to(forward);
    let any = Method::from_bytes(b"ANY").unwrap_or_default();
    let row = Route::new(any, path, R::REQUIREMENT, Face::Gateway, Box::new(mount));
    Route { admits_other_origins: true, ..row }
}

/// A row for an operation of the API. Its face follows from its admission; `id` is its name in the document,
/// such as `listMembers`.
pub fn call<R, A, I, O, H>(id: &'static str, method: Method, path: &'static str, _: R, handler: H) -> Route
where
    A: CallAdmission<Requires = R>,
    I: FromRequest + Input + 'static,
    O: Reply + 'static,
    H: AsyncFn(Admitted<A, I>) -> Result<O, Refused> + Clone + 'static,
{
    let mount = move |row: &Route| {
        let handler = handler.clone();
        let known: Vec<String> =
            row.operation().iter().flat_map(Operation::query).map(str::to_owned).collect();
        of_method(&row.method).to(move |req: HttpRequest, payload: web::Payload| {
            let (handler, known) = (handler.clone(), known.clone());
            async move { call::answer(req, payload.into_inner(), &known, &handler).await }
        })
    };
    let row = Route::new(method, path, requirement::<A>(), A::FACE, Box::new(mount));
    Route { operation_id: id, admits_other_origins: A::ADMITS_OTHER_ORIGINS, ..row }
        .described(operation::describe::<I, O>)
}
