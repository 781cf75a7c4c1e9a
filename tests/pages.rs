//! Every page of the gallery, in a real browser: accessible, valid, whole on a small screen, usable
//! with the keyboard. Each test looks at all pages and then names every fault of every page.

use crate::{gallery::*, nouns, support::*};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command, sync::Arc};

const AXE: &str = include_str!("vendor/axe.min.js");
const FITS: &str = include_str!("pages/fits.js");
const MIXED: &str = include_str!("pages/mixed.js");
const FOCUS: &str = include_str!("pages/focus.js");
const NOVEL: &str = include_str!("pages/novel.js");

/// Pages that only send on, or are for machines.
const NOT_SEEN: &[&str] = &["/", "/healthz", "/readyz"];

/// A browser in front of the gallery.
struct Viewer {
    browser: Browser,
    exhibit: Exhibit,
    gallery: &'static Gallery,
    faults: Vec<String>,
}

impl Viewer {
    async fn of(names: Names) -> Self {
        let gallery = gallery(names).await;
        let browser = Browser::open_light().await;
        let exhibit = Exhibit::open(Arc::clone(&gallery.answers)).await;
        browser.show_in("screen", "light").await;
        Self { browser, exhibit, gallery, faults: Vec::new() }
    }

    async fn look_at(&self, picture: &Picture) {
        self.browser.go(&self.exhibit.url(&format!("/{}", picture.name))).await;
        for css in picture.clicks {
            self.browser.click(css).await;
        }
    }

    /// [`Viewer::look_at`], with some of the rows of a long list, which are all built alike: hundreds of them take minutes.
    async fn look_at_sample(&self, picture: &Picture) {
        self.look_at(picture).await;
        self.browser
            .run(
                "document.querySelectorAll('details.operation').forEach((one, i) => i % 10 && one.remove());
                 for (const list of document.querySelectorAll('tbody, ul, ol'))
                   [...list.children].slice(12, -2).forEach((row) => row.remove());",
            )
            .await;
    }

    /// Whether something on the page is of a kind that this viewer has not seen yet.
    async fn is_novel(&self) -> bool {
        self.browser.run(NOVEL).await == true
    }

    /// Writes down what a script found on a page.
    fn note(&mut self, picture: &Picture, found: &Value) {
        for fault in found.as_array().into_iter().flatten() {
            let fault = fault.as_str().map_or_else(|| fault.to_string(), str::to_owned);
            self.faults.push(format!("{}: {fault}", picture.name));
        }
    }

    fn assert_faultless(self) {
        assert!(self.faults.is_empty(), "{} faults:\n{}", self.faults.len(), self.faults.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_table_hangs_in_the_gallery() {
    let gallery = gallery(Names::Plain).await;
    let fits = |pattern: &str, path: &str| {
        let path = path.split('?').next().unwrap();
        pattern.split('/').count() == path.split('/').count()
            && pattern.split('/').zip(path.split('/')).all(|(p, part)| p == part || p.starts_with('{'))
    };
    for row in nouns::pages().iter().filter(|row| row.is_page()) {
        if NOT_SEEN.contains(&row.path) || row.path.ends_with("{token}") {
            continue;
        }
        let hangs = |picture: &Picture| picture.page.status == 200 && fits(row.path, picture.page.path());
        assert!(
            gallery.pictures.iter().any(hangs),
            "no picture of {}: see `pictures` in {}",
            row.path,
            row.file
        );
    }
    assert!(gallery.pictures.len() > 260, "only {} pictures", gallery.pictures.len());
}

/// All rules of axe-core, its best practices too; those about colours, which take the most time, in light and in dark
/// on each page that has something of a kind that no page before it had.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_in_light_and_dark() {
    const COLOURS: &str = "'color-contrast', 'link-in-text-block'";
    let mut viewer = Viewer::of(Names::Plain).await;
    viewer.browser.prepare(AXE).await;
    for picture in &viewer.gallery.pictures {
        viewer.look_at_sample(picture).await;
        let without_colours =
            format!("rules: Object.fromEntries([{COLOURS}].map((id) => [id, {{ enabled: false }}]))");
        let only_colours = format!("runOnly: [{COLOURS}]");
        let passes = match viewer.is_novel().await {
            true => vec![("light", ""), ("dark", &only_colours)],
            false => vec![("light", &*without_colours)],
        };
        for (scheme, rules) in passes {
            viewer.browser.show_in("screen", scheme).await;
            let script = format!(
                "const {{ violations }} = await axe.run({{ resultTypes: ['violations'], preload: false, {rules} }});
                 return violations.map(({{ id, help, nodes }}) =>
                    `${{id}} in {scheme} (${{help}}): ${{nodes.slice(0, 3).map(({{ html }}) => html).join(' and ')}}`);"
            );
            let found = viewer.browser.run(&script).await;
            viewer.note(picture, &found);
        }
    }
    viewer.assert_faultless();
}

/// What the Nu HTML checker says without cause, each with the reason.
const ALLOWED: &[(&str, &str)] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_valid_html() {
    let jar = std::env::var("BAILIWICK_TEST_VNU")
        .expect("BAILIWICK_TEST_VNU names the vnu.jar of the npm package vnu-jar (bin/test sets it)");
    let dir = tempfile::tempdir().unwrap();
    for picture in &gallery(Names::Plain).await.pictures {
        std::fs::write(dir.path().join(format!("{}.html", picture.name)), &picture.page.html).unwrap();
    }
    let checked = Command::new("java")
        .args(["-Xmx512m", "-jar", &jar, "--format", "json", "--exit-zero-always"])
        .arg(dir.path())
        .output()
        .expect("there is a Java runtime (bin/test installs it)");
    let said: Value = serde_json::from_slice(&checked.stderr)
        .unwrap_or_else(|_| panic!("the checker: {}", String::from_utf8_lossy(&checked.stderr)));
    let faults: Vec<String> = said["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|told| !ALLOWED.iter().any(|(part, _)| told["message"].as_str().unwrap().contains(part)))
        .map(|told| {
            let page = told["url"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
            format!("{page}: {} {}", told["message"], told["extract"])
        })
        .collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Nothing sticks out on a phone nor on a desk.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_whole_with_the_longest_names() {
    let mut viewer = Viewer::of(Names::Long).await;
    for picture in &viewer.gallery.pictures {
        viewer.browser.screen(360, 740, 1).await;
        viewer.look_at_sample(picture).await;
        let narrow = viewer.browser.run(FITS).await;
        viewer.note(picture, &narrow);
        viewer.browser.screen(1280, 900, 1).await;
        if !picture.clicks.is_empty() {
            viewer.look_at_sample(picture).await;
        }
        let wide = viewer.browser.run(FITS).await;
        viewer.note(picture, &wide);
    }
    viewer.assert_faultless();
}

/// Names stand for themselves in either direction. Those from right to left are as long as names usually are, so
/// that the longest ones show what fits.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_whole_with_names_from_right_to_left() {
    let mut viewer = Viewer::of(Names::RightToLeft).await;
    for picture in &viewer.gallery.pictures {
        viewer.look_at_sample(picture).await;
        for script in [FITS, MIXED] {
            let found = viewer.browser.run(script).await;
            viewer.note(picture, &found);
        }
    }
    viewer.assert_faultless();
}

/// On each page that has something of a kind that no page before it had.
#[tokio::test(flavor = "multi_thread")]
async fn tab_reaches_everything_and_shows_where_it_is() {
    let mut viewer = Viewer::of(Names::Plain).await;
    // After the last thing on a page Tab leads out of it, and a page without the focus fires no events.
    viewer.browser.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
    for picture in &viewer.gallery.pictures {
        viewer.look_at_sample(picture).await;
        if !viewer.is_novel().await {
            continue;
        }
        let tabs = viewer.browser.run(FOCUS).await.as_u64().unwrap();
        let tabs = "\u{E004}".repeat(usize::try_from(tabs).unwrap());
        // Some things take more than one Tab, as a date does; after the last comes the first again.
        for _ in 0..3 {
            viewer.browser.press(tabs.as_str()).await;
            if viewer.browser.run("return focusMissing();").await == false {
                break;
            }
        }
        let found = viewer.browser.run("return focusReport();").await;
        viewer.note(picture, &found);
    }
    viewer.assert_faultless();
}

/// On paper an activity page is its rows, all of them, and nothing to press.
#[tokio::test(flavor = "multi_thread")]
async fn activity_is_printed_as_its_rows() {
    let mut viewer = Viewer::of(Names::Plain).await;
    let pictures = viewer.gallery.pictures.iter();
    let activity: Vec<_> = pictures.filter(|picture| picture.name.starts_with("activity-")).collect();
    assert!(!activity.is_empty());
    for picture in activity {
        viewer.browser.show_in("print", "dark").await;
        viewer.look_at(picture).await;
        let found = viewer
            .browser
            .run(
                "const seen = (el) => el.checkVisibility();
                 const all = (css) => [...document.querySelectorAll(css)];
                 const controls = all('.topbar, .sidebar, .sidemenu, form, input, select, button, .button, .pager');
                 const rows = all('.feed > li');
                 const lost = rows.filter((el) => !seen(el));
                 const dark = getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)';
                 return [...controls.filter(seen), ...lost].map((el) => el.outerHTML.slice(0, 100))
                    .concat(dark ? ['printed on dark'] : []);",
            )
            .await;
        viewer.note(picture, &found);
    }
    viewer.assert_faultless();
}

/// What `bin/screenshots` runs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures: bin/screenshots"]
async fn screenshots() {
    let folder = PathBuf::from(std::env::var("BAILIWICK_SCREENSHOTS").expect("a folder for the pictures"));
    let filter = std::env::var("BAILIWICK_SCREENSHOTS_OF").unwrap_or_default();
    std::fs::create_dir_all(&folder).unwrap();
    let viewer = Viewer::of(Names::Plain).await;
    for picture in viewer.gallery.pictures.iter().filter(|picture| picture.name.contains(&filter)) {
        for (size, width, height, scale) in [("wide", 1280, 900, 1), ("narrow", 390, 844, 2)] {
            viewer.browser.screen(width, height, scale).await;
            viewer.look_at(picture).await;
            let tall = viewer.browser.run("return document.documentElement.scrollHeight;").await;
            let tall = u32::try_from(tall.as_u64().unwrap()).unwrap();
            viewer.browser.screen(width, tall.max(height), scale).await;
            for scheme in ["light", "dark"] {
                viewer.browser.show_in("screen", scheme).await;
                let png = viewer.browser.driver.screenshot_as_png().await.unwrap();
                std::fs::write(folder.join(format!("{}-{size}-{scheme}.png", picture.name)), png).unwrap();
            }
        }
    }
}
