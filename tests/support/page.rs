//! A response of the app, and what a person would see in it.

use super::{FormOnPage, form};
use reqwest::{Method, StatusCode, header::HeaderMap};
use scraper::{ElementRef, Html, Node, Selector};
use url::Url;

#[derive(Clone, Debug)]
pub struct Page {
    pub method: Method,
    /// The requested URL; redirects are not followed unless the test does.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body, whatever it is; bytes that are not UTF-8 are replaced.
    pub html: String,
}

impl Page {
    /// The path and the query.
    pub fn path(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// Fails with the page's content unless it has this status.
    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{} {} (location: {:?}) said:\n{}",
            self.method,
            self.url,
            self.header("location"),
            self.excerpt()
        );
        self
    }

    /// [`Page::assert_status`], returning the page.
    #[track_caller]
    pub fn with_status(self, status: u16) -> Self {
        self.assert_status(status);
        self
    }

    #[track_caller]
    pub fn assert_says(&self, words: &str) -> &Self {
        let text = self.text();
        assert!(text.contains(words), "{} {} does not say {words:?}:\n{text}", self.method, self.url);
        self
    }

    #[track_caller]
    pub fn assert_silent_about(&self, words: &str) -> &Self {
        assert!(!self.html.contains(words), "{} {} holds {words:?}:\n{}", self.method, self.url, self.html);
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Where the answer sends the browser: path and query when that is in the app, else the address.
    #[track_caller]
    pub fn location(&self) -> String {
        let location = self.header("location").unwrap_or_else(|| {
            panic!("{} {} gave {} and no Location:\n{}", self.method, self.url, self.status, self.excerpt())
        });
        let target = self.url.join(location).unwrap();
        if target.origin() == self.url.origin() {
            target[url::Position::BeforePath..].to_owned()
        } else {
            target.into()
        }
    }

    /// The words of the whole page, white space folded.
    pub fn text(&self) -> String {
        words(Html::parse_document(&self.html).root_element())
    }

    /// The words of each element that the selector finds.
    #[track_caller]
    pub fn select(&self, css: &str) -> Vec<String> {
        Html::parse_document(&self.html).select(&selector(css)).map(words).collect()
    }

    /// The attribute of each element that the selector finds and that has it.
    #[track_caller]
    pub fn attributes(&self, css: &str, attribute: &str) -> Vec<String> {
        Html::parse_document(&self.html)
            .select(&selector(css))
            .filter_map(|element| element.attr(attribute).map(str::to_owned))
            .collect()
    }

    #[track_caller]
    pub fn has(&self, css: &str) -> bool {
        Html::parse_document(&self.html).select(&selector(css)).next().is_some()
    }

    /// What the page says is wrong with a field: the words of `#name-error`.
    pub fn field_error(&self, name: &str) -> Option<String> {
        self.select(&format!("[id='{name}-error']")).into_iter().find(|words| !words.is_empty())
    }

    /// The value of a field, to check that nothing typed was lost.
    #[track_caller]
    pub fn field_value(&self, name: &str) -> Option<String> {
        let fields = self.forms().into_iter().flat_map(|form| form.fields);
        fields.into_iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Every form, in the order of the page.
    pub fn forms(&self) -> Vec<FormOnPage> {
        form::all(&Html::parse_document(&self.html), "form")
    }

    pub fn has_form(&self, which: &str) -> bool {
        form::find(&Html::parse_document(&self.html), which).is_ok()
    }

    /// One form, by a part of its action or by a CSS selector of it (one that starts with `#`, `.`,
    /// `[` or `form`). A whole action wins over a part, the end of one over another part, and a POST form over a GET form. Not exactly
    /// one: the test fails and shows what there is.
    #[track_caller]
    pub fn form(&self, which: &str) -> FormOnPage {
        form::find(&Html::parse_document(&self.html), which).unwrap_or_else(|there_is| {
            panic!("{} {} ({}): {there_is}\n{}", self.method, self.url, self.status, self.excerpt())
        })
    }

    /// The targets of all links.
    pub fn links(&self) -> Vec<String> {
        self.attributes("a[href]", "href")
    }

    /// The first link whose target contains this.
    #[track_caller]
    pub fn link(&self, part: &str) -> String {
        let links = self.links();
        links
            .iter()
            .find(|link| link.contains(part))
            .unwrap_or_else(|| panic!("no link with {part:?} on {}: {links:?}", self.url))
            .clone()
    }

    /// [`Page::links`] and [`Page::forms`], read at once.
    pub fn links_and_forms(&self) -> (Vec<String>, Vec<FormOnPage>) {
        let (html, anchors) = (Html::parse_document(&self.html), selector("a[href]"));
        let links = html.select(&anchors).filter_map(|link| link.attr("href").map(str::to_owned)).collect();
        (links, form::all(&html, "form"))
    }

    fn excerpt(&self) -> String {
        let text = if self.html.contains('<') { self.text() } else { self.html.clone() };
        text.chars().take(3000).collect()
    }
}

/// The HTML without the tokens of its forms, which are others in each answer.
pub fn without_tokens(html: &str) -> String {
    let mut pieces = html.split("name=\"csrf\" value=\"");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(piece.split_once('"').map_or(piece, |(_, rest)| rest));
    }
    text
}

#[track_caller]
pub(super) fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|error| panic!("{css:?} is no selector: {error}"))
}

/// What a person reads in an element: no scripts, styles or templates; white space folded.
pub(super) fn words(element: ElementRef<'_>) -> String {
    fn read(element: ElementRef<'_>, said: &mut String) {
        if matches!(element.value().name(), "script" | "style" | "template") {
            return;
        }
        for child in element.children() {
            if let Node::Text(text) = child.value() {
                said.push_str(text);
            } else if let Some(child) = ElementRef::wrap(child) {
                let inline = matches!(
                    child.value().name(),
                    "a" | "b" | "i" | "em" | "strong" | "code" | "span" | "bdi" | "wbr"
                );
                said.push_str(if inline { "" } else { " " });
                read(child, said);
                said.push_str(if inline { "" } else { " " });
            }
        }
    }
    let mut said = String::new();
    read(element, &mut said);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}
