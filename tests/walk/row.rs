//! What a noun declares about one of its routes.

use super::{Attempt, Offer, Verdict};
use crate::{
    nouns,
    support::{
        FormOnPage, Page,
        product::{Needs, Permission, Requirement},
    },
};
use serde_json::Value;

pub const PUBLIC: Requirement = Requirement::Public;
pub const SIGNED_IN: Requirement = Requirement::SignedIn;
pub const KEY: Requirement = Requirement::Key;
pub const MEMBER: Requirement = Requirement::Member(Needs::Membership);
pub const ACCOUNT: Requirement = Requirement::Account;

/// Members with this permission.
pub const fn one(permission: Permission) -> Requirement {
    Requirement::Member(Needs::One(permission))
}

/// Members with one of these permissions.
pub const fn any(permissions: &'static [Permission]) -> Requirement {
    Requirement::Member(Needs::AnyOf(permissions))
}

/// Longer than any text that lists are searched for.
pub const LONG: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
);

pub type Fields = Vec<(&'static str, String)>;

/// A row of the product's table, as its noun expects it to be. Nothing of it is taken from the table:
/// what may be called by whom is written down a second time, so that a slip there shows.
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub requirement: Requirement,
    /// The file of the noun that declares it.
    pub file: &'static str,
    /// The status of success.
    pub success: u16,
    pub query: &'static str,
    pub selects: Option<&'static str>,
    pub ticks: Option<&'static str>,
    /// SQL statements, with the one that admits.
    pub statements: Option<u64>,
    /// How many events a change writes.
    pub events: u64,
    /// What it hands out is recorded, although it changes nothing.
    pub is_recorded: bool,
    pub reads: Option<&'static [&'static str]>,
    pub filters: &'static [&'static str],
    pub refused_filters: &'static [(&'static str, &'static str)],
    pub also_reads: &'static [&'static str],
    pub carries: Option<Carries>,
    pub pair: Pair,
    params: Vec<(&'static str, &'static str)>,
    fields: Option<fn(&Attempt) -> Fields>,
    body: Option<fn(&Attempt) -> Value>,
    verdict: Option<fn(&Attempt) -> Verdict>,
    first: Option<fn(&Attempt) -> Option<Verdict>>,
    offered: Option<fn(&Offer) -> bool>,
    types: Option<fn(&Page, FormOnPage) -> FormOnPage>,
}

/// Hidden fields of a form, and where it stands.
#[derive(Clone, Copy)]
pub struct Carries {
    pub fields: &'static [&'static str],
    pub page: &'static str,
    /// As [`Page::form`] takes it, with parameters of the path in it.
    pub form: &'static str,
}

/// The call that corresponds to a form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    Unsaid,
    /// The equivalent call, by method and path, and the form's fields that it does not have under the same
    /// name.
    Call {
        route: &'static str,
        otherwise: &'static [&'static str],
    },
    /// There is none, for this reason.
    None(&'static str),
}

/// A page.
pub fn page(path: &'static str, requirement: Requirement) -> Row {
    Row::new("GET", path, requirement, 200)
}

/// The target of a page's form.
pub fn form(path: &'static str, requirement: Requirement) -> Row {
    Row::new("POST", path, requirement, 303)
}

/// A route of the API: `call("PATCH /api/sso/v1/teams/{team}", MEMBER)`.
pub fn call(route: &'static str, requirement: Requirement) -> Row {
    let (method, path) = route.split_once(' ').expect("a method and a path");
    let success = match method {
        "POST" => 201,
        "DELETE" => 204,
        _ => 200,
    };
    Row::new(method, path, requirement, success)
}

impl Row {
    fn new(method: &'static str, path: &'static str, requirement: Requirement, success: u16) -> Self {
        Self {
            method,
            path,
            requirement,
            file: "",
            success,
            query: "",
            selects: None,
            ticks: None,
            statements: None,
            events: 1,
            is_recorded: false,
            reads: None,
            filters: &[],
            refused_filters: &[],
            also_reads: &[],
            carries: None,
            pair: Pair::Unsaid,
            params: Vec::new(),
            fields: None,
            body: None,
            verdict: None,
            first: None,
            offered: None,
            types: None,
        }
    }

    // ---- what every walker needs ---------------------------------------------------------------

    /// The status of success, if it is not the usual one: 200 for pages, 303 for
    /// forms; for calls 201 for POST, 204 for DELETE, else 200.
    pub fn succeeds_with(self, success: u16) -> Self {
        Self { success, ..self }
    }

    /// The query, which may contain `{workspace}`, for example.
    pub fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    /// It is about a selection: ids of this parameter, in the query of the page and in the form.
    pub fn selects(self, param: &'static str) -> Self {
        Self { selects: Some(param), ticks: Some(param), ..self }
    }

    /// The form has values under this name, which are ticked or chosen and never typed: an invalid one is a
    /// malformed request.
    pub fn ticks(self, field: &'static str) -> Self {
        Self { ticks: Some(field), ..self }
    }

    /// Another parameter than the one of the same name stands here in the path.
    pub fn with(mut self, in_path: &'static str, param: &'static str) -> Self {
        self.params.push((in_path, param));
        self
    }

    // ---- what is sent --------------------------------------------------------------------------

    /// The fields of a valid form.
    pub fn sends(self, fields: fn(&Attempt) -> Fields) -> Self {
        Self { fields: Some(fields), ..self }
    }

    /// The form has these hidden fields: the version of what it shows, say.
    pub fn carries(self, fields: &'static [&'static str], page: &'static str, form: &'static str) -> Self {
        Self { carries: Some(Carries { fields, page, form }), ..self }
    }

    /// A valid body. Without this, none is sent.
    pub fn body(self, body: fn(&Attempt) -> Value) -> Self {
        Self { body: Some(body), ..self }
    }

    // ---- what comes, for the matrices ----------------------------------------------------------

    /// The expected response to a caller who has the permission, if it is not always success.
    pub fn verdict(self, verdict: fn(&Attempt) -> Verdict) -> Self {
        Self { verdict: Some(verdict), ..self }
    }

    /// What is checked before the ids of the path are looked up.
    pub fn first(self, first: fn(&Attempt) -> Option<Verdict>) -> Self {
        Self { first: Some(first), ..self }
    }

    /// How many events it writes, where it is not one.
    pub fn writes(self, events: u64) -> Self {
        Self { events, ..self }
    }

    /// A GET whose response is recorded.
    pub fn recorded(self) -> Self {
        Self { is_recorded: true, ..self }
    }

    // ---- the other walkers ---------------------------------------------------------------------

    /// What the page costs in SQL statements, with the one that admits.
    pub fn statements(self, statements: u64) -> Self {
        Self { statements: Some(statements), ..self }
    }

    /// A member with the permission sees the form if and only if this is true. Without this: always, except
    /// on public pages, which no link leads a signed-in person to.
    pub fn offered(self, offered: fn(&Offer) -> bool) -> Self {
        Self { offered: Some(offered), ..self }
    }

    /// What is typed into the form that the crawl finds: only fields without a default.
    pub fn types(self, types: fn(&Page, FormOnPage) -> FormOnPage) -> Self {
        Self { types: Some(types), ..self }
    }

    /// The equivalent call, by method and path.
    pub fn like(self, route: &'static str) -> Self {
        self.like_but(route, &[])
    }

    /// The equivalent call, which has the given fields where the form has others.
    pub fn like_but(self, route: &'static str, otherwise: &'static [&'static str]) -> Self {
        Self { pair: Pair::Call { route, otherwise }, ..self }
    }

    /// No call is equivalent, for this reason.
    pub fn unlike_any_call(self, reason: &'static str) -> Self {
        Self { pair: Pair::None(reason), ..self }
    }

    /// The fields that the page reads from its query: any other is refused, and so is nonsense in these.
    pub fn reads(self, fields: &'static [&'static str]) -> Self {
        Self { reads: Some(fields), ..self }
    }

    /// Queries that narrow or order the list: nothing of another workspace shows in any of them.
    pub fn filters(self, filters: &'static [&'static str]) -> Self {
        Self { filters, ..self }
    }

    /// Filters with a value that is refused at the field, in the frame of the list.
    pub fn refuses_filters(self, refused_filters: &'static [(&'static str, &'static str)]) -> Self {
        Self { refused_filters, ..self }
    }

    /// Fields that the form takes beside those that [`Row::sends`] has.
    pub fn also_reads(self, also_reads: &'static [&'static str]) -> Self {
        Self { also_reads, ..self }
    }

    // ---- for the walkers -----------------------------------------------------------------------

    /// Of the noun that this file declares.
    pub fn of(self, file: &'static str) -> Self {
        Self { file, ..self }
    }

    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub fn is_page(&self) -> bool {
        self.method == "GET"
    }

    /// It is about one workspace or account.
    pub fn is_of_tenant(&self) -> bool {
        matches!(self.requirement, Requirement::Member(_) | Requirement::Account)
    }

    /// The names in braces in its path, but for the tenant, each with the parameter that stands there.
    pub fn params(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.path.split('/').filter_map(|part| self.param(part))
    }

    /// The name in braces, and the parameter that stands there; `None` for a plain part of the path.
    pub fn param(&self, part: &'static str) -> Option<(&'static str, &'static str)> {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let param = self.params.iter().find(|(in_path, _)| *in_path == name);
        (!["workspace", "account"].contains(&name)).then(|| (name, param.map_or(name, |(_, param)| *param)))
    }

    /// The path with something in it that it may hold, and that need not be there.
    pub fn sample(&self, account: &str) -> String {
        let fill = |part: &'static str| match (part, self.param(part)) {
            ("{workspace}", _) => "acme",
            ("{account}", _) => account,
            (_, Some((_, param))) => nouns::param(self, param).sample,
            (part, None) => part,
        };
        self.path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }

    /// The fields of the form, without hidden ones.
    pub fn fields_at(&self, at: &Attempt) -> Fields {
        self.fields.map(|fields| fields(at)).unwrap_or_default()
    }

    pub fn body_at(&self, at: &Attempt) -> Option<Value> {
        self.body.map(|body| body(at))
    }

    pub fn first_at(&self, at: &Attempt) -> Option<Verdict> {
        self.first.and_then(|first| first(at))
    }

    pub fn verdict_at(&self, at: &Attempt) -> Verdict {
        self.verdict.map_or_else(|| at.done(), |verdict| verdict(at))
    }

    pub fn is_offered(&self, at: &Offer) -> bool {
        self.offered.map_or(self.requirement != Requirement::Public, |offered| offered(at))
    }

    pub fn typed(&self, page: &Page, form: FormOnPage) -> FormOnPage {
        match self.types {
            Some(types) => types(page, form),
            None => form,
        }
    }
}

/// Fields of a form, as [`Row::sends`] has them.
pub fn fields(pairs: &[(&'static str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}
