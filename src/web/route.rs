use crate::{
    domain::Refused,
    policy::{self, perm},
    web::{
        access::Access,
        api::{
            call,
            operation::{self, Input, Reply, Sketch},
        },
        form::Submitted,
        guard::{
            Answer, Authorized, Public, SignedIn,
            account::AccountAdmin,
            decision::Asking,
            key::{Called, Keyed},
        },
        problem,
        routes::decisions::schema,
    },
};
use actix_web::{FromRequest, HttpRequest, guard, http::Method, web};

/// One row of the table.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    /// What it does, in a sentence; of those for programs.
    pub summary: &'static str,
    pub(super) mount: Box<dyn Fn() -> actix_web::Route>,
    /// How the document of the API tells it; of those for programs.
    sketch: Option<fn(&Method, &str, Access) -> Sketch>,
    /// Statuses under which it is refused, beside those that its types tell.
    more_refusals: Vec<u16>,
}

impl Route {
    fn new<I, H>(method: Method, path: &'static str, access: Access, handler: H) -> Self
    where
        I: FromRequest + 'static,
        H: AsyncFn(I) -> Answer + Clone + 'static,
    {
        let verb = method.clone();
        let mount = move || {
            let handler = handler.clone();
            of_method(&verb).to(move |req: HttpRequest, input: I| {
                let handler = handler.clone();
                async move {
                    match handler(input).await {
                        Ok(response) => response,
                        Err(refused) => problem::respond(&req, &refused),
                    }
                }
            })
        };
        Self::mounted(method, path, access, Box::new(mount))
    }

    fn mounted(
        method: Method,
        path: &'static str,
        access: Access,
        mount: Box<dyn Fn() -> actix_web::Route>,
    ) -> Self {
        Self { method, path, access, summary: "", mount, sketch: None, more_refusals: Vec::new() }
    }

    /// A route for programs.
    fn call<I, O, H>(
        method: Method,
        path: &'static str,
        access: Access,
        sketch: fn(&Method, &str, Access) -> Sketch,
        handler: H,
    ) -> Self
    where
        I: FromRequest + 'static,
        O: Reply + 'static,
        H: AsyncFn(I) -> Result<O, Refused> + Clone + 'static,
    {
        let verb = method.clone();
        let mount = move || {
            let handler = handler.clone();
            let known: Vec<String> = sketch(&verb, path, access).query().map(str::to_owned).collect();
            of_method(&verb).to(move |req: HttpRequest, payload: web::Payload| {
                let (handler, known) = (handler.clone(), known.clone());
                async move { call::answer(req, payload.into_inner(), &known, &handler).await }
            })
        };
        Self { sketch: Some(sketch), ..Self::mounted(method, path, access, Box::new(mount)) }
    }

    /// Says what it does.
    pub fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// A status under which it is refused, which its types do not tell.
    pub(super) fn also(mut self, status: u16) -> Self {
        self.more_refusals.push(status);
        self
    }

    /// How the document of the API tells it; `None` for a page.
    pub fn sketch(&self) -> Option<Sketch> {
        let mut sketch = self.sketch?(&self.method, self.path, self.access);
        sketch.refusals.extend(&self.more_refusals);
        Some(sketch)
    }
}

fn of_method(method: &Method) -> actix_web::Route {
    match *method {
        // A HEAD is a GET whose body nobody wants.
        Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::route().method(method.clone()),
    }
}

/// A page of a workspace.
pub fn page<P, I, H>(path: &'static str, _: P, handler: H) -> Route
where
    P: policy::Access,
    I: FromRequest + 'static,
    H: AsyncFn(Authorized<P, I>) -> Answer + Clone + 'static,
{
    Route::new(Method::GET, path, Access::Member(P::NEEDS), handler)
}

/// A change in a workspace.
pub fn post<P, I, H>(path: &'static str, _: P, handler: H) -> Route
where
    P: policy::Access,
    I: Submitted + 'static,
    H: AsyncFn(Authorized<P, I>) -> Answer + Clone + 'static,
{
    Route::new(Method::POST, path, Access::Member(P::NEEDS), handler)
}

/// A page of an account.
pub fn account_page<I, H>(path: &'static str, handler: H) -> Route
where
    I: FromRequest + 'static,
    H: AsyncFn(AccountAdmin<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::GET, path, Access::Account, handler)
}

/// A change of an account.
pub fn account_post<I, H>(path: &'static str, handler: H) -> Route
where
    I: Submitted + 'static,
    H: AsyncFn(AccountAdmin<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::POST, path, Access::Account, handler)
}

pub(in crate::web) fn own_page<I, H>(path: &'static str, handler: H) -> Route
where
    I: FromRequest + 'static,
    H: AsyncFn(SignedIn<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::GET, path, Access::SignedIn, handler)
}

pub(in crate::web) fn own_post<I, H>(path: &'static str, handler: H) -> Route
where
    I: Submitted + 'static,
    H: AsyncFn(SignedIn<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::POST, path, Access::SignedIn, handler)
}

pub(in crate::web) fn open_page<I, H>(path: &'static str, handler: H) -> Route
where
    I: FromRequest + 'static,
    H: AsyncFn(Public<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::GET, path, Access::Public, handler)
}

pub(in crate::web) fn open_post<I, H>(path: &'static str, handler: H) -> Route
where
    I: Submitted + 'static,
    H: AsyncFn(Public<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::POST, path, Access::Public, handler)
}

/// A service's request in a workspace.
pub fn call<P, I, O, H>(method: Method, path: &'static str, _: P, handler: H) -> Route
where
    P: policy::Access,
    I: FromRequest + Input + 'static,
    O: Reply + 'static,
    H: AsyncFn(Called<P, I>) -> Result<O, Refused> + Clone + 'static,
{
    Route::call(method, path, Access::Member(P::NEEDS), operation::sketch::<I, O>, handler)
}

pub(in crate::web) fn keyed_call<I, O, H>(method: Method, path: &'static str, handler: H) -> Route
where
    I: FromRequest + Input + 'static,
    O: Reply + 'static,
    H: AsyncFn(Keyed<I>) -> Result<O, Refused> + Clone + 'static,
{
    Route::call(method, path, Access::Key, operation::sketch::<I, O>, handler)
}

pub(in crate::web) fn asking_call<H>(path: &'static str, handler: H) -> Route
where
    H: AsyncFn(Asking) -> Answer + Clone + 'static,
{
    let needs = <perm::CheckAccess as policy::Access>::NEEDS;
    Route::call(Method::POST, path, Access::Member(needs), schema::sketch, handler)
}

pub(in crate::web) fn open_call<I, O, H>(method: Method, path: &'static str, handler: H) -> Route
where
    I: FromRequest + Input + 'static,
    O: Reply + 'static,
    H: AsyncFn(Public<I>) -> Result<O, Refused> + Clone + 'static,
{
    Route::call(method, path, Access::Public, operation::sketch::<I, O>, handler)
}
