//! Fills a form of a page in again, with what was typed before the session ended. The page is drawn as ever; its
//! HTML is then read tag by tag, and the controls of the form get the values of the draft.

use crate::web::{assets, draft::Draft};
use askama::Template;
use html5ever::{
    Attribute, LocalName, QualName, ns,
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::{RawKind, RawKind::Rcdata},
    },
};
use std::{cell::RefCell, collections::HashSet, fmt::Write};

/// What is said before the form.
#[derive(Template)]
#[template(path = "components/draft.html")]
struct Notice<'a> {
    icons: &'static str,
    /// What was typed, where the page does not show the form any more.
    lost: &'a [(String, String)],
}

/// The page with its form filled in. If it has no such form (the person may no longer send it, for example), the
/// page begins with what was typed.
pub(super) fn refill(html: &str, draft: &Draft) -> String {
    let mut tokens = tokens(html);
    let form = tokens.iter().position(|token| is_form(token, draft));
    let notice =
        Notice { icons: assets::url("icons.svg"), lost: if form.is_some() { &[] } else { &draft.fields } };
    let notice = notice.render().unwrap_or_default();
    let mut page = String::with_capacity(html.len() + notice.len());
    let Some(form) = form else {
        for token in &tokens {
            write(&mut page, token);
            if start(token).is_some_and(|tag| &*tag.name == "main") {
                page.push_str(&notice);
            }
        }
        return page;
    };
    for around in open_details(&tokens[..form]) {
        if let Token::TagToken(tag) = &mut tokens[around] {
            set(tag, "open", Some(""));
        }
    }
    tokens[..form].iter().for_each(|token| write(&mut page, token));
    page.push_str(&notice);
    Controls::of(start(&tokens[form]), draft).fill(&mut page, tokens.drain(form..));
    page
}

#[derive(Default)]
struct Reader(RefCell<Vec<Token>>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let raw = match start(&token).map(|tag| &*tag.name) {
            Some("textarea" | "title") => Some(Rcdata),
            Some("script") => Some(RawKind::ScriptData),
            Some("style") => Some(RawKind::Rawtext),
            _ => None,
        };
        self.0.borrow_mut().push(token);
        raw.map_or(TokenSinkResult::Continue, TokenSinkResult::RawData)
    }
}

fn tokens(html: &str) -> Vec<Token> {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
    // It stops after each script, to let it run.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    tokenizer.sink.0.take()
}

fn start(token: &Token) -> Option<&Tag> {
    match token {
        Token::TagToken(tag) if tag.kind == TagKind::StartTag => Some(tag),
        _ => None,
    }
}

fn is_end(token: &Token, name: &str) -> bool {
    matches!(token, Token::TagToken(tag) if tag.kind == TagKind::EndTag && &*tag.name == name)
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}

/// Sets an attribute, or removes it.
fn set(tag: &mut Tag, name: &str, value: Option<&str>) {
    tag.attrs.retain(|attribute| &*attribute.name.local != name);
    let name = QualName::new(None, ns!(), LocalName::from(name));
    tag.attrs.extend(value.map(|value| Attribute { name, value: value.into() }));
}

fn is_form(token: &Token, draft: &Draft) -> bool {
    let Some(tag) = start(token).filter(|tag| &*tag.name == "form") else { return false };
    let own = draft.page.split('?').next().unwrap_or_default();
    attribute(tag, "method").is_some_and(|method| method.eq_ignore_ascii_case("post"))
        && attribute(tag, "action").unwrap_or(own) == draft.action
}

/// The `<details>` that are not closed at the end of these.
fn open_details(tokens: &[Token]) -> Vec<usize> {
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if start(token).is_some_and(|tag| &*tag.name == "details") {
            open.push(at);
        } else if is_end(token, "details") {
            open.pop();
        }
    }
    open
}

/// The controls of a form, and what is left to put into them.
struct Controls<'a> {
    /// The form's id, by which controls elsewhere belong to it.
    id: Option<String>,
    left: Vec<(&'a str, &'a str)>,
    names: HashSet<&'a str>,
    is_inside: bool,
    /// The name of the list of options that is being read.
    select: Option<String>,
}

impl<'a> Controls<'a> {
    fn of(form: Option<&Tag>, draft: &'a Draft) -> Self {
        let left: Vec<_> = draft.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let names = left.iter().map(|(name, _)| *name).collect();
        let id = form.and_then(|form| attribute(form, "id")).map(str::to_owned);
        Self { id, left, names, is_inside: true, select: None }
    }

    fn fill(mut self, page: &mut String, tokens: impl Iterator<Item = Token>) {
        // The text of a control is replaced as a whole.
        let mut is_replaced = false;
        for mut token in tokens {
            self.is_inside &= !is_end(&token, "form");
            if is_end(&token, "select") {
                self.select = None;
            }
            if is_replaced {
                if !is_end(&token, "textarea") {
                    continue;
                }
                is_replaced = false;
            }
            let text = match &mut token {
                Token::TagToken(tag) if tag.kind == TagKind::StartTag => self.control(tag),
                _ => None,
            };
            write(page, &token);
            if let Some(text) = text {
                // A line break right after the tag is no part of the text.
                page.push('\n');
                escape(page, text);
                is_replaced = true;
            }
        }
    }

    /// Sets the value of a control; returns the text of one that has text.
    fn control(&mut self, tag: &mut Tag) -> Option<&'a str> {
        if &*tag.name == "option" {
            if let Some(name) = self.select.clone() {
                let value = attribute(tag, "value").unwrap_or_default().to_owned();
                let is_chosen = self.take_exactly(&name, &value);
                set(tag, "selected", is_chosen.then_some(""));
            }
            return None;
        }
        let is_ours = self.is_inside || (self.id.is_some() && attribute(tag, "form") == self.id.as_deref());
        let name = attribute(tag, "name").unwrap_or_default().to_owned();
        if !is_ours || name.is_empty() || attribute(tag, "disabled").is_some() {
            return None;
        }
        match &*tag.name {
            "input" => self.input(tag, &name),
            "select" if self.names.contains(&*name) => self.select = Some(name),
            "textarea" => return self.take(&name),
            _ => {}
        }
        None
    }

    fn input(&mut self, tag: &mut Tag, name: &str) {
        match attribute(tag, "type").unwrap_or("text") {
            "password" | "file" | "submit" | "button" => {}
            "checkbox" | "radio" => {
                let value = attribute(tag, "value").unwrap_or("on").to_owned();
                let is_ticked = self.take_exactly(name, &value);
                set(tag, "checked", is_ticked.then_some(""));
            }
            _ => {
                if let Some(value) = self.take(name) {
                    set(tag, "value", Some(value));
                }
            }
        }
    }

    /// The next value of this name.
    fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.left.iter().position(|(of, _)| *of == name)?;
        Some(self.left.remove(at).1)
    }

    fn take_exactly(&mut self, name: &str, value: &str) -> bool {
        let at = self.left.iter().position(|field| *field == (name, value));
        at.map(|at| self.left.remove(at)).is_some()
    }
}

fn write(page: &mut String, token: &Token) {
    match token {
        Token::DoctypeToken(_) => page.push_str("<!doctype html>"),
        Token::TagToken(tag) => write_tag(page, tag),
        Token::CommentToken(text) => {
            let _ = write!(page, "<!--{text}-->");
        }
        Token::CharacterTokens(text) => escape(page, text),
        Token::NullCharacterToken | Token::EOFToken | Token::ParseError(_) => {}
    }
}

fn write_tag(page: &mut String, tag: &Tag) {
    page.push_str(if tag.kind == TagKind::EndTag { "</" } else { "<" });
    page.push_str(&tag.name);
    for Attribute { name, value } in &tag.attrs {
        page.push(' ');
        page.push_str(&name.local);
        page.push_str("=\"");
        escape(page, value);
        page.push('"');
    }
    page.push_str(if tag.self_closing { " />" } else { ">" });
}

fn escape(page: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            c => page.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!doctype html><title>A &amp; B</title><main id="main"><form action="/search"><input name="name" value="x"></form>
        <details class="dropdown"><summary>Open</summary><form method="post" action="/people" id="f">
        <input type="hidden" name="csrf" value="new"><input name="name" value="old">
        <input type="password" name="password"><textarea name="note">old</textarea>
        <input type="checkbox" name="role" value="viewer" checked><input type="checkbox" name="role" value="admin">
        <input type="checkbox" name="role" value="owner" checked disabled>
        <select name="plan"><option value="a" selected>A</option><option value="b">B</option></select></form></details>
        <input name="beside" form="f"></main>"#;

    fn draft(action: &str) -> Draft {
        let fields = [
            ("name", "\"Ada\" <b>"),
            ("note", "\n</textarea><script>"),
            ("role", "admin"),
            ("plan", "b"),
            ("beside", "yes"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Draft { action: action.into(), page: "/people".into(), fields }
    }

    #[test]
    fn a_form_is_filled_in_and_everything_else_stays() {
        let page = refill(PAGE, &draft("/people"));
        for part in [
            "<title>A &amp; B</title>",
            r#"<input name="name" value="x">"#,
            r#"<details class="dropdown" open="">"#,
            r#"name="csrf" value="new""#,
            r#"<input name="name" value="&quot;Ada&quot; &lt;b&gt;">"#,
            r#"<input type="password" name="password">"#,
            "<textarea name=\"note\">\n\n&lt;/textarea&gt;&lt;script&gt;</textarea>",
            r#"<input type="checkbox" name="role" value="viewer">"#,
            r#"name="role" value="admin" checked="""#,
            r#"name="role" value="owner" checked="" disabled="""#,
            r#"<option value="a">A</option><option value="b" selected="">"#,
            r#"<input name="beside" form="f" value="yes">"#,
        ] {
            assert!(page.contains(part), "{part} is missing in\n{page}");
        }
        assert_eq!(page.matches("id=\"draft\"").count(), 1);
    }

    #[test]
    fn without_the_form_the_page_shows_what_was_typed() {
        let page = refill(PAGE, &draft("/elsewhere"));
        assert!(page.contains(r#"<main id="main"><div class="notice"#), "{page}");
        assert!(
            page.contains("&#60;b&#62;") && page.contains(r#"<input name="name" value="old">"#),
            "{page}"
        );
    }
}
