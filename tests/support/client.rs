//! A browser: its own cookies, its own connections, its own address.

use super::product::Clock;
use super::{FormOnPage, Page, TestApp, WAIT_TIMEOUT, form};
use futures_util::FutureExt;
use reqwest::{
    Method,
    cookie::{CookieStore, Jar},
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use url::Url;

const FORM: &str = "application/x-www-form-urlencoded";

/// Clones share cookies and connections, as tabs of one browser do; see [`Client::twin`] for more.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    jar: Arc<Jar>,
    base: Url,
    from: IpAddr,
    /// The token of the last page that had one; forgotten whenever the session's cookie changes.
    csrf: Arc<Mutex<Option<String>>>,
    /// The link from mail that was opened last, by the page that it led to.
    links: Arc<Mutex<HashMap<String, String>>>,
    clock: Clock,
    extra: HeaderMap,
    without: Vec<HeaderName>,
}

impl Client {
    pub fn new(app: &TestApp) -> Self {
        Self::of(&app.url(), app.clock.clone())
    }

    /// On the computer with this (loopback) address.
    pub fn at(app: &TestApp, from: IpAddr) -> Self {
        Self::connect(&app.url(), app.clock.clone(), from)
    }

    /// On a computer of its own: all of 127.0.0.0/8 is this machine, so each has another address,
    /// and limits that count by address see different people.
    pub fn of(url: &str, clock: Clock) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // Odd, so that none ends in 0; 127.0.x.y is left to servers.
        let [_, b, c, d] = (NEXT.fetch_add(1, Ordering::Relaxed) * 2 + 1).to_be_bytes();
        Self::connect(url, clock, Ipv4Addr::new(127, b + 1, c, d).into())
    }

    fn connect(url: &str, clock: Clock, from: IpAddr) -> Self {
        let jar = Arc::new(Jar::default());
        Self {
            http: connections(&jar, from),
            jar,
            base: Url::parse(url).unwrap(),
            from,
            csrf: Arc::default(),
            links: Arc::default(),
            clock,
            extra: HeaderMap::new(),
            without: Vec::new(),
        }
    }

    /// The same person and cookies, as they are now, on connections of their own.
    pub fn twin(&self) -> Self {
        let jar = Arc::new(Jar::default());
        for cookie in self.cookies() {
            jar.add_cookie_str(&cookie, &self.base);
        }
        let csrf = Arc::new(Mutex::new(self.csrf.lock().unwrap().clone()));
        let links = Arc::new(Mutex::new(self.links.lock().unwrap().clone()));
        Self { http: connections(&jar, self.from), jar, csrf, links, ..self.clone() }
    }

    /// This many twins for a race, each with a token and a connection that is already open.
    pub async fn twins(&self, n: usize) -> Vec<Self> {
        self.csrf().await;
        let mut twins = Vec::with_capacity(n);
        for _ in 0..n {
            let twin = self.twin();
            twin.get("/healthz").await.assert_status(200);
            twins.push(twin);
        }
        twins
    }

    /// The same person at another node of the app, or at the app started again.
    pub fn moved_to(&self, app: &TestApp) -> Self {
        Self { base: Url::parse(&format!("http://{}", app.address())).unwrap(), ..self.twin() }
    }

    /// Sends this header with every request, in place of what would be sent.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut changed = self.clone();
        let name: HeaderName = name.parse().unwrap();
        changed.without.retain(|other| *other != name);
        changed.extra.insert(name, value.parse().unwrap());
        changed
    }

    /// Never sends this header: `origin`, `sec-fetch-site`.
    #[must_use]
    pub fn without_header(&self, name: &str) -> Self {
        let mut changed = self.clone();
        let name: HeaderName = name.parse().unwrap();
        changed.extra.remove(&name);
        changed.without.push(name);
        changed
    }

    /// Each cookie as `name=value`.
    pub fn cookies(&self) -> Vec<String> {
        let header = self.jar.cookies(&self.base);
        let text = header.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split("; ").filter(|cookie| !cookie.is_empty()).map(str::to_owned).collect()
    }

    /// Plants a cookie, written as in `Set-Cookie`.
    pub fn set_cookie(&self, cookie: &str) {
        self.jar.add_cookie_str(cookie, &self.base);
        *self.csrf.lock().unwrap() = None;
    }

    pub async fn get(&self, path: &str) -> Page {
        self.request(Method::GET, path, None).await
    }

    /// Opens the page and follows redirects. The status must then be 200.
    pub async fn visit(&self, path: &str) -> Page {
        self.follow(self.get(path).await).await.with_status(200)
    }

    /// Follows redirects within the app until there is a page.
    pub async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..10 {
            if !page.status.is_redirection() {
                return page;
            }
            let location = page.location();
            assert!(location.starts_with('/'), "{} sends the browser away, to {location}", page.url);
            page = self.get(&location).await;
        }
        panic!("{} redirects without end", page.url)
    }

    /// Fills in the form and sends it. See [`Page::form`] for `which`, [`FormOnPage::fill`] for `fields`.
    pub async fn submit(&self, page: &Page, which: &str, fields: &[(&str, &str)]) -> Page {
        self.send(page, &page.form(which).fill(fields)).await
    }

    /// Sends a form of this page as it is.
    pub async fn send(&self, page: &Page, form: &FormOnPage) -> Page {
        let mut target =
            if form.action.is_empty() { page.url.clone() } else { page.url.join(&form.action).unwrap() };
        let body = form::encode(form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if form.method == Method::POST {
            return self.request(Method::POST, target.as_str(), Some((FORM, body.into_bytes()))).await;
        }
        target.set_query(Some(&body));
        self.get(target.as_str()).await
    }

    /// Sends these fields and a valid token, whether or not there is such a form on any page. A form about a link
    /// from mail is about the one that this browser opened last, unless the fields name another.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf().await;
        let link = self.link_of(path).filter(|_| fields.iter().all(|(name, _)| *name != "link"));
        let link = link.as_deref().map(|id| ("link", id));
        let body = form::encode(fields.iter().copied().chain(link).chain([("csrf", csrf.as_str())]));
        self.post_raw(path, body, FORM).await
    }

    /// Sends exactly this body: no token is added.
    pub async fn post_raw(&self, path: &str, body: impl Into<Vec<u8>>, content_type: &str) -> Page {
        self.request(Method::POST, path, Some((content_type, body.into()))).await
    }

    /// A token that the app accepts from this browser now.
    pub async fn csrf(&self) -> String {
        for path in ["/workspaces", "/sign-in"] {
            if let Some(token) = self.csrf.lock().unwrap().clone() {
                return token;
            }
            self.get(path).await;
        }
        let token = self.csrf.lock().unwrap().clone();
        token.unwrap_or_else(|| panic!("neither /workspaces nor /sign-in has an input named csrf"))
    }

    pub async fn request(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Page {
        let asked = format!("{method} {path}");
        // Boxed, as hundreds of tests await it: the compiler would look through all of it for each of them.
        let answer = self.try_request(method, path, body).boxed().await;
        answer.unwrap_or_else(|error| panic!("{asked}: {error:?}"))
    }

    /// As [`Client::request`], for a test in which the connection may break.
    pub async fn try_request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Page, reqwest::Error> {
        let url = self.base.join(path).unwrap();
        assert_eq!(url.origin(), self.base.origin(), "tests talk to their own app only");
        self.clock.advance(Duration::from_millis(1));
        let mut request = self.http.request(method.clone(), url.clone()).headers(self.headers(&method));
        if let Some((content_type, body)) = body {
            let content_type =
                self.extra.get("content-type").cloned().unwrap_or(content_type.parse().unwrap());
            request = request.header("content-type", content_type).body(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let html = String::from_utf8_lossy(&answer.bytes().await?).into_owned();
        let page = Page { method, url, status, headers, html };
        self.remember_csrf(&page);
        self.remember_link(&page);
        Ok(page)
    }

    /// The id of the link from mail that a form at this path is about.
    pub fn link_of(&self, path: &str) -> Option<String> {
        // Signing up is about the invitation that led there.
        let path = if path == "/sign-up" { "/invitation" } else { path };
        let links = self.links.lock().unwrap();
        let part =
            |page: &&String| path.strip_prefix(page.as_str()).is_some_and(|rest| !rest.starts_with('s'));
        links.keys().find(part).map(|page| links[page].clone())
    }

    fn remember_link(&self, page: &Page) {
        let location = page.header("location").unwrap_or_default();
        if let Some((path, id)) = location.split_once("?link=") {
            self.links.lock().unwrap().insert(path.to_owned(), id.to_owned());
        }
    }

    /// What a browser says about a page's own links and forms.
    fn headers(&self, method: &Method) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut say =
            |name: &'static str, value: &str| headers.insert(name, HeaderValue::from_str(value).unwrap());
        say("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        say("user-agent", "Mozilla/5.0 (a test)");
        say("sec-fetch-site", "same-origin");
        if method != Method::GET && method != Method::HEAD {
            say("origin", self.base.as_str().trim_end_matches('/'));
        }
        for (name, value) in &self.extra {
            headers.insert(name, value.clone());
        }
        headers.remove("content-type");
        for name in &self.without {
            headers.remove(name);
        }
        headers
    }

    fn remember_csrf(&self, page: &Page) {
        let mut csrf = self.csrf.lock().unwrap();
        if page.headers.contains_key("set-cookie") {
            *csrf = None;
        }
        if page.html.contains("name=\"csrf\"")
            && let Some(token) = page.attributes("input[name=csrf]", "value").pop()
        {
            *csrf = Some(token);
        }
    }
}

fn connections(jar: &Arc<Jar>, from: IpAddr) -> reqwest::Client {
    reqwest::Client::builder()
        .cookie_provider(Arc::clone(jar))
        .redirect(Policy::none())
        .local_address(from)
        .no_proxy()
        .timeout(WAIT_TIMEOUT)
        // Shorter than the server's (keep_alive in config.rs), which would close it while a request is sent.
        .pool_idle_timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}
