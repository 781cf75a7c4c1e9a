//! A real browser: Debian's Chromium, driven through its chromedriver.

use super::{WAIT_TIMEOUT, eventually, free_port};
use serde_json::{Value, json};
use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use thirtyfour::{common::keys::TypingData, prelude::*};

/// One browser with a profile of its own. It ends when dropped.
pub struct Browser {
    pub driver: WebDriver,
    process: Child,
    _profile: TempDir,
}

/// Messages that leave a page by themselves after ten seconds stay: a busy machine may read them later.
const MESSAGES_STAY: &str = "const later = window.setTimeout;
    window.setTimeout = (action, delay, ...rest) => delay >= 10000 ? 0 : later(action, delay, ...rest);";

/// Whether pages may run their script.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Script {
    On,
    Off,
}

impl Browser {
    /// Starts a browser that looks at this site.
    pub async fn open(script: Script) -> Self {
        Self::start(script, None).await
    }

    /// With the script, and without what is around a page, such as the icon of the tab: takes half the time. For
    /// tests that look at hundreds of pages.
    pub async fn open_light() -> Self {
        Self::start(Script::On, Some("/usr/bin/chromium-headless-shell")).await
    }

    async fn start(script: Script, binary: Option<&str>) -> Self {
        let profile = TempDir::new().unwrap();
        let port = free_port();
        // A group of its own, so that the browser ends with its driver.
        let process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .process_group(0)
            // It makes the profile itself: with one of ours the headless shell never says where it listens.
            .env("TMPDIR", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is there (bin/test installs it)");
        let mut capabilities = DesiredCapabilities::chrome();
        if let Some(binary) = binary {
            capabilities.set_binary(binary).unwrap();
        }
        for argument in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            // Names of another computer, to which browsers speak as they do on a network.
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            "--disable-features=HttpsUpgrades",
            "--ignore-certificate-errors",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ] {
            capabilities.add_arg(argument).unwrap();
        }
        if script == Script::Off {
            let preferences = json!({ "profile.managed_default_content_settings.javascript": 2 });
            capabilities.add_experimental_option("prefs", preferences).unwrap();
        }
        let address = format!("http://127.0.0.1:{port}");
        let driver = eventually(async || {
            WebDriver::new(&address, capabilities.clone())
                .await
                .map_err(|error| format!("no browser: {error}"))
        })
        .await;
        let [script_timeout, load, implicit] = [Some(WAIT_TIMEOUT); 3];
        driver.update_timeouts(TimeoutConfiguration::new(script_timeout, load, implicit)).await.unwrap();
        let browser = Self { driver, process, _profile: profile };
        if script == Script::On {
            browser.prepare(MESSAGES_STAY).await;
        }
        browser
    }

    pub async fn go(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// The element of a CSS selector, once it is there.
    pub async fn find(&self, css: &str) -> WebElement {
        match self.driver.find(By::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!(
                "{css} is not on {}: {error}\n{}",
                self.at().await,
                self.driver.source().await.unwrap_or_default()
            ),
        }
    }

    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        // What opens at the end of a page may lie below what is seen of it.
        element.scroll_into_view().await.unwrap();
        element.click().await.unwrap();
    }

    /// Types into a field, in place of what was in it.
    pub async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub async fn press(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// Runs this script on the page, whose CSP does not bind it, and returns its result, or that of
    /// the promise it returns.
    pub async fn run(&self, script: &str) -> Value {
        let waiting = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {{ {script} }})().then(done, (error) => done({{ threw: String(error.stack) }}))"
        );
        let returned = self.driver.execute_async(waiting, Vec::new()).await.unwrap().json().clone();
        assert!(returned.get("threw").is_none(), "on {}: {returned}", self.at().await);
        returned
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(method, parameters).await.unwrap()
    }

    /// Runs this script in each page from now on, before the page's own.
    pub async fn prepare(&self, script: &str) {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// A screen of this many CSS pixels, as a phone's if it is narrow: its scrollbars take no room.
    /// The page is laid out for it when this returns.
    pub async fn screen(&self, width: u32, height: u32, scale: u32) {
        let parameters =
            json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 700 });
        self.devtools("Emulation.setDeviceMetricsOverride", parameters).await;
        self.settle().await;
    }

    /// Shows pages as for a reader who wants them `light` or `dark`, on `screen` or in `print`, and
    /// nothing that moves: colours have changed when this returns.
    pub async fn show_in(&self, media: &str, scheme: &str) {
        let feature = |name: &str, value: &str| json!({ "name": name, "value": value });
        let features = [feature("prefers-color-scheme", scheme), feature("prefers-reduced-motion", "reduce")];
        self.devtools("Emulation.setEmulatedMedia", json!({ "media": media, "features": features })).await;
        self.settle().await;
    }

    /// Waits until what is drawn is what will stay.
    pub async fn settle(&self) {
        self.run(
            "const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
             for (let changes; (changes = document.getAnimations()).length > 0;) for (const one of changes) one.finish();
             await drawn();",
        )
        .await;
    }

    pub async fn at(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    /// What a person reads on the page.
    pub async fn text(&self) -> String {
        self.find("body").await.text().await.unwrap()
    }

    /// Waits until the page says this.
    pub async fn until_says(&self, words: &str) {
        eventually(async || {
            // While one page gives way to another there may be no body to read.
            let body = self.driver.find(By::Css("body")).await;
            let text = match body {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if text.contains(words) {
                return Ok(());
            }
            Err(format!("{} never said {words:?}:\n{text}", self.at().await))
        })
        .await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}
