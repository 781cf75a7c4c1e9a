//! A form as a browser would send it.

use super::page::{selector, words};
use reqwest::Method;
use scraper::{ElementRef, Html};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormOnPage {
    /// As written; empty means the page's own address.
    pub action: String,
    pub method: Method,
    pub id: Option<String>,
    /// What would be sent if nothing were touched, in the order of the page: hidden inputs, what
    /// is filled in, ticked and selected. Disabled controls are not sent. The first button is
    /// pressed, as by the Enter key.
    pub fields: Vec<(String, String)>,
    pub buttons: Vec<Button>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    pub label: String,
    /// What pressing it adds to the fields.
    pub sends: Option<(String, String)>,
    /// Where it sends the form instead, if not to the form's action.
    pub action: Option<String>,
    /// How it sends the form, if not by the form's method.
    pub method: Option<Method>,
}

impl FormOnPage {
    /// Fills in a field: whatever it held is replaced. Given twice in one call, it is sent twice.
    #[must_use]
    pub fn fill(mut self, fields: &[(&str, &str)]) -> Self {
        self.fields.retain(|(name, _)| !fields.iter().any(|(given, _)| given == name));
        self.fields.extend(fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// Sends nothing of that name: all boxes unticked, say.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self
    }

    /// Presses the button with this label, which must be there and enabled.
    #[must_use]
    #[track_caller]
    pub fn press(mut self, label: &str) -> Self {
        let button = self.buttons.iter().find(|button| button.label == label);
        let Some(Button { sends, action, method, .. }) = button.cloned() else {
            panic!("no button {label:?} to press; there is {:?}", self.buttons)
        };
        // This one instead of the first.
        if let Some(first) = self.buttons.first().and_then(|first| first.sends.as_ref()) {
            self.fields.retain(|field| field != first);
        }
        self.fields.extend(sends);
        self.method = method.unwrap_or(self.method);
        if let Some(action) = action {
            self.action = action;
        }
        self
    }

    /// All values of a field.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// The fields as a browser writes them: `application/x-www-form-urlencoded`.
pub(super) fn encode<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[track_caller]
pub(super) fn all(html: &Html, css: &str) -> Vec<FormOnPage> {
    html.select(&selector(css)).map(|form| read(html, form)).collect()
}

/// See [`super::Page::form`].
#[track_caller]
pub(super) fn find(html: &Html, which: &str) -> Result<FormOnPage, String> {
    let is_css = which.starts_with(['#', '.', '[']) || which.starts_with("form");
    let mut found = all(html, if is_css { which } else { "form" });
    if !is_css {
        found.retain(|form| form.action.contains(which));
    }
    prefer(&mut found, |form| form.action == which);
    prefer(&mut found, |form| form.action.ends_with(which));
    prefer(&mut found, |form| form.method == Method::POST);
    if found.len() == 1 {
        return Ok(found.remove(0));
    }
    let there: Vec<_> =
        all(html, "form").into_iter().map(|form| format!("{} {}", form.method, form.action)).collect();
    Err(format!("{} forms match {which:?}; on the page: {there:?}", found.len()))
}

/// Keeps only those that hold, if any does.
fn prefer(forms: &mut Vec<FormOnPage>, holds: impl Fn(&FormOnPage) -> bool) {
    if forms.iter().any(&holds) {
        forms.retain(holds);
    }
}

fn read(html: &Html, form: ElementRef<'_>) -> FormOnPage {
    let mut fields = Vec::new();
    let mut buttons = Vec::new();
    for control in html.select(&selector("input, select, textarea, button")) {
        if !belongs_to(control, form) || is_disabled(control) {
            continue;
        }
        let name = control.attr("name").filter(|name| !name.is_empty());
        match kind(control) {
            Kind::Button => buttons.push(button(control, name)),
            Kind::Value(values) => {
                if let Some(name) = name {
                    fields.extend(values.into_iter().map(|value| (name.to_owned(), value)));
                }
            }
        }
    }
    fields.extend(buttons.first().and_then(|first: &Button| first.sends.clone()));
    FormOnPage {
        action: form.attr("action").unwrap_or_default().to_owned(),
        method: form.attr("method").map_or(Method::GET, written_method),
        id: form.attr("id").map(str::to_owned),
        fields,
        buttons,
    }
}

enum Kind {
    Button,
    /// None for a box that is not ticked, several for a list with several selected.
    Value(Vec<String>),
}

fn kind(control: ElementRef<'_>) -> Kind {
    let written = |default: &str| control.attr("value").unwrap_or(default).to_owned();
    let kind = control.attr("type").unwrap_or_default().to_ascii_lowercase();
    match (control.value().name(), kind.as_str()) {
        ("button", "button" | "reset") | ("input", "button" | "reset" | "file" | "image") => {
            Kind::Value(vec![])
        }
        ("button", _) | ("input", "submit") => Kind::Button,
        ("input", "checkbox" | "radio") if control.attr("checked").is_none() => Kind::Value(vec![]),
        ("input", "checkbox" | "radio") => Kind::Value(vec![written("on")]),
        ("select", _) => Kind::Value(selected(control)),
        ("textarea", _) => Kind::Value(vec![control.text().collect()]),
        _ => Kind::Value(vec![written("")]),
    }
}

fn selected(list: ElementRef<'_>) -> Vec<String> {
    let value = |option: ElementRef<'_>| option.attr("value").map_or_else(|| words(option), str::to_owned);
    let options: Vec<_> =
        list.select(&selector("option")).filter(|option| option.attr("disabled").is_none()).collect();
    let chosen: Vec<_> = options
        .iter()
        .filter(|option| option.attr("selected").is_some())
        .map(|&option| value(option))
        .collect();
    if chosen.is_empty() && list.attr("multiple").is_none() {
        return options.first().map(|&option| value(option)).into_iter().collect();
    }
    chosen
}

fn written_method(text: &str) -> Method {
    if text.eq_ignore_ascii_case("post") { Method::POST } else { Method::GET }
}

fn button(control: ElementRef<'_>, name: Option<&str>) -> Button {
    let value = control.attr("value").unwrap_or_default();
    Button {
        label: if control.value().name() == "button" { words(control) } else { value.to_owned() },
        sends: name.map(|name| (name.to_owned(), value.to_owned())),
        action: control.attr("formaction").map(str::to_owned),
        method: control.attr("formmethod").map(written_method),
    }
}

/// A control is part of the form that its `form` attribute names, else of the one around it.
fn belongs_to(control: ElementRef<'_>, form: ElementRef<'_>) -> bool {
    match control.attr("form") {
        Some(id) => form.attr("id") == Some(id),
        None => control.ancestors().any(|ancestor| ancestor.id() == form.id()),
    }
}

fn is_disabled(control: ElementRef<'_>) -> bool {
    let fieldsets =
        control.ancestors().filter_map(ElementRef::wrap).filter(|a| a.value().name() == "fieldset");
    control.attr("disabled").is_some()
        || fieldsets.into_iter().any(|fieldset| fieldset.attr("disabled").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"
        <form method="get" action="/people"><input name="q" value="one"></form>
        <form method="post" action="/people" id="f">
            <input type="hidden" name="csrf" value="t1"><input name="name" value="A &amp; B">
            <input type="checkbox" name="role" value="admin" checked><input type="checkbox" name="role" value="viewer">
            <input type="checkbox" name="role" value="owner" checked disabled>
            <select name="plan"><option value="a">A</option><option selected>B plan</option></select>
            <select name="none"><option value="x">X</option></select>
            <textarea name="note">
two
lines</textarea>
            <fieldset disabled><input name="off" value="1"></fieldset>
            <button name="do" value="save">Save  it</button><button type="button">Nothing</button>
            <button formmethod="get" formaction="/look">Look</button>
        </form>
        <input form="f" name="outside" value="yes"><button form="f" formaction="/elsewhere">Away</button>"#;

    fn people() -> FormOnPage {
        find(&Html::parse_document(PAGE), "/people").unwrap()
    }

    #[test]
    fn a_form_sends_what_a_browser_would() {
        let expected = [
            ("csrf", "t1"),
            ("name", "A & B"),
            ("role", "admin"),
            ("plan", "B plan"),
            ("none", "x"),
            ("note", "two\nlines"),
            ("outside", "yes"),
            ("do", "save"),
        ];
        assert_eq!(people().fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn filling_in_replaces_and_repeats() {
        let form = people().fill(&[("role", "viewer"), ("role", "billing"), ("new", "1")]).without("note");
        assert_eq!(form.values("role"), ["viewer", "billing"]);
        assert_eq!(form.values("new"), ["1"]);
        assert!(form.values("note").is_empty());
    }

    #[test]
    fn a_pressed_button_sends_its_own_value() {
        assert_eq!(people().press("Save it").values("do"), ["save"]);
        let away = people().press("Away");
        assert_eq!((away.action.as_str(), away.values("do")), ("/elsewhere", vec![]));
        let look = people().press("Look");
        assert_eq!((look.action.as_str(), look.method), ("/look", Method::GET));
    }

    #[test]
    fn two_forms_alike_are_not_guessed_between() {
        let html = Html::parse_document(
            r#"<form method=post action="/a/1"></form><form method=post action="/a/2"></form>"#,
        );
        assert!(find(&html, "/a/").is_err());
        assert!(find(&html, "/a/2").is_ok());
        assert!(find(&html, "form[action$='1']").is_ok());
    }
}
