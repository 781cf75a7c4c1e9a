use crate::{
    domain::decisions::{Question, Subject},
    web::wire::Broken,
};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

/// What was sent does not say what is asked: 400, whatever was asked.
pub(in crate::web) struct Malformed(pub(super) String);

pub(in crate::web) type Read<T> = Result<T, Malformed>;

pub(in crate::web) fn malformed(req: &HttpRequest, why: Malformed) -> HttpResponse {
    crate::web::problem::broken(req, &Broken::Other(why.0))
}

/// The object under this name; `None` where it is left out.
pub(in crate::web) fn object<'a>(
    of: &'a Map<String, Value>,
    name: &str,
) -> Read<Option<&'a Map<String, Value>>> {
    match of.get(name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Malformed(format!("“{name}” is not an object."))),
    }
}

/// The text under this name; `None` where it is left out.
pub(in crate::web) fn text<'a>(of: &'a Map<String, Value>, name: &str, whole: &str) -> Read<Option<&'a str>> {
    match of.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(Malformed(format!("“{whole}.{name}” is not a text, or it is empty."))),
    }
}

/// A subject, an action or a resource, as far as it was told.
#[derive(Clone, Copy, Default)]
pub(super) struct Entity<'a> {
    /// A type; of an action, its name.
    pub(super) kind: Option<&'a str>,
    id: Option<&'a str>,
}

impl<'a> Entity<'a> {
    fn read(of: &'a Map<String, Value>, name: &str) -> Read<Option<Self>> {
        let Some(entity) = object(of, name)? else { return Ok(None) };
        object(entity, "properties")?;
        let kind = if name == "action" { "name" } else { "type" };
        Ok(Some(Self { kind: text(entity, kind, name)?, id: text(entity, "id", name)? }))
    }

    /// This one; what it must have and has not comes from `default`.
    fn or(self, default: Option<Self>) -> Self {
        let default = default.unwrap_or_default();
        Self { kind: self.kind.or(default.kind), id: self.id.or(default.id) }
    }
}

/// Subject, action and resource of one question, as far as they were told.
#[derive(Clone, Copy, Default)]
pub(in crate::web) struct Triple<'a> {
    pub(super) subject: Option<Entity<'a>>,
    action: Option<Entity<'a>>,
    resource: Option<Entity<'a>>,
}

pub(in crate::web) fn missing(name: &str) -> Malformed {
    Malformed(format!("“{name}” is missing."))
}

impl<'a> Triple<'a> {
    pub(super) fn read(of: &'a Map<String, Value>) -> Read<Self> {
        object(of, "context")?;
        Ok(Self {
            subject: Entity::read(of, "subject")?,
            action: Entity::read(of, "action")?,
            resource: Entity::read(of, "resource")?,
        })
    }

    pub(super) fn or(self, defaults: Self) -> Self {
        let either = |own: Option<Entity<'a>>, default: Option<Entity<'a>>| match own {
            Some(own) => Some(own.or(default)),
            None => default,
        };
        Self {
            subject: either(self.subject, defaults.subject),
            action: either(self.action, defaults.action),
            resource: either(self.resource, defaults.resource),
        }
    }

    pub(super) fn subject(&self) -> Read<Subject> {
        let subject = self.subject.ok_or_else(|| missing("subject"))?;
        let kind = subject.kind.ok_or_else(|| missing("subject.type"))?;
        let id = subject.id.ok_or_else(|| missing("subject.id"))?;
        Ok(Subject::read(kind, id))
    }

    pub(super) fn action(&self) -> Read<&'a str> {
        self.action.ok_or_else(|| missing("action"))?.kind.ok_or_else(|| missing("action.name"))
    }

    pub(super) fn resource_type(&self) -> Read<&'a str> {
        self.resource.ok_or_else(|| missing("resource"))?.kind.ok_or_else(|| missing("resource.type"))
    }

    pub(super) fn resource_id(&self) -> Read<&'a str> {
        self.resource.ok_or_else(|| missing("resource"))?.id.ok_or_else(|| missing("resource.id"))
    }

    pub(super) fn question(&self) -> Read<Question> {
        let subject = self.subject()?;
        let action = self.action()?.to_owned();
        let kind = self.resource_type()?.to_owned();
        self.resource_id()?;
        Ok(Question { subject, action, kind })
    }
}
