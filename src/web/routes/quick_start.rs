//! The quick start as a page: the very files that `tests/quick_start.rs` runs, with what to do before.

use crate::web::{
    chrome::Chrome,
    guard::{HandlerResult, Public},
};
use askama::Template;

/// A service in one language.
struct Service {
    /// In the address of its section, and of its file in the page.
    id: &'static str,
    name: &'static str,
    /// What must be installed.
    needs: &'static str,
    file: &'static str,
    code: &'static str,
    /// How it is started. The shell script makes a single check.
    start: &'static str,
}

const SERVICES: [Service; 4] = [
    Service {
        id: "curl",
        name: "curl",
        needs: "Needs only a shell. Checks access without a service.",
        file: "check.sh",
        code: include_str!("../../../docs/quick-start/check.sh"),
        start: "sh check.sh USER_ID && echo yes",
    },
    Service {
        id: "python",
        name: "Python",
        needs: "Needs only Python 3.8 or later.",
        file: "service.py",
        code: include_str!("../../../docs/quick-start/service.py"),
        start: "PORT=3000 python3 service.py",
    },
    Service {
        id: "javascript",
        name: "JavaScript",
        needs: "Needs only Node.js 18 or later.",
        file: "service.mjs",
        code: include_str!("../../../docs/quick-start/service.mjs"),
        start: "PORT=3000 node service.mjs",
    },
    Service {
        id: "rust",
        name: "Rust",
        needs: "Needs a new project (“cargo new”) and three crates.",
        file: "src/main.rs",
        code: include_str!("../../../examples/quick_start.rs"),
        start: "cargo add actix-web reqwest serde_json && PORT=3000 cargo run",
    },
];

#[derive(Template)]
#[template(path = "docs/quick_start.html")]
struct Page {
    chrome: Chrome,
    services: [Service; 4],
    /// Commands, with the address of this installation.
    settings: String,
    enter: String,
}

pub async fn show(cx: Public) -> HandlerResult {
    let origin = &cx.view.app.settings.origin;
    let (view, chrome) = cx.framed().await?;
    let page = Page {
        chrome,
        services: SERVICES,
        settings: format!("export BAILIWICK_URL={origin} BAILIWICK_KEY=SECRET"),
        enter: "curl -X POST \"$BAILIWICK_URL/api/sso/v1/users\" -H \"Authorization: Bearer $BAILIWICK_KEY\" -d '{\"email\": \"someone@example.com\", \"roles\": [\"viewer\"]}'".to_owned(),
    };
    Ok(view.html(&page))
}
