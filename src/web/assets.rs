//! Styles, script and icons: embedded in the program, under names that change with their content.

use actix_web::{
    HttpRequest,
    http::header::{self},
};
use flate2::{Compression, write::GzEncoder};
use rust_embed::Embed;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    io::Write,
    sync::{LazyLock, OnceLock},
};

#[derive(Embed)]
#[folder = "static/"]
#[exclude = "vendor/*LICENSE*"]
struct Files;

pub(in crate::web) struct Asset {
    url: String,
    pub(super) fingerprint: String,
    pub(super) mime: &'static str,
    content: Vec<u8>,
    // Compressed on the first request, as small as possible, and cached.
    brotli: OnceLock<Vec<u8>>,
    gzip: OnceLock<Vec<u8>>,
}

impl Asset {
    /// The smallest form that the browser reads, and the name of its encoding.
    pub(super) fn encoded(&self, req: &HttpRequest) -> (Option<&'static str>, &[u8]) {
        if takes_brotli(req) {
            (Some("br"), self.brotli.get_or_init(|| brotli(&self.content, 11)))
        } else if takes(req, "gzip") {
            (Some("gzip"), self.gzip.get_or_init(|| gzip(&self.content)))
        } else {
            (None, &self.content)
        }
    }
}

fn takes(req: &HttpRequest, encoding: &str) -> bool {
    let accepted = req.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.unwrap_or("").split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim().eq_ignore_ascii_case(encoding)
            && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// Whether the browser reads brotli.
pub(super) fn takes_brotli(req: &HttpRequest) -> bool {
    takes(req, "br")
}

/// `quality` from 0, which is quick, to 11, which is small.
pub(super) fn brotli(content: &[u8], quality: u32) -> Vec<u8> {
    let mut small = Vec::new();
    // A window as large as our largest text: a larger one costs memory and time alike.
    let window = 18;
    // Writing to memory does not fail.
    let _ = brotli::CompressorWriter::new(&mut small, 4_096, quality, window).write_all(content);
    small
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default()
}

pub(in crate::web) struct Assets {
    pub(super) by_name: HashMap<String, Asset>,
    pub(super) names_by_url: HashMap<String, String>,
}

pub(in crate::web) static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut assets = Assets { by_name: HashMap::new(), names_by_url: HashMap::new() };
    for name in Files::iter() {
        let Some(file) = Files::get(&name) else { continue };
        let content = without_comments(&name, file.data.into_owned());
        let fingerprint = hex::encode(&Sha256::digest(&content)[..6]);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
        let url = format!("/static/{stem}.{fingerprint}.{ending}");
        assets.names_by_url.insert(url.clone(), name.to_string());
        let asset = Asset {
            url,
            fingerprint,
            mime: mime(ending),
            content,
            brotli: OnceLock::new(),
            gzip: OnceLock::new(),
        };
        assets.by_name.insert(name.to_string(), asset);
    }
    assets
});

/// Our styles and script without the lines that are comments, which only their readers need. What others wrote stays as
/// it is.
fn without_comments(name: &str, content: Vec<u8>) -> Vec<u8> {
    let is_css = name.ends_with(".css");
    if name.contains('/') || !(is_css || name.ends_with(".js")) {
        return content;
    }
    let mut kept = Vec::with_capacity(content.len());
    let mut is_comment = false;
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        is_comment = is_comment || text.starts_with(if is_css { b"/*" } else { b"//" });
        if !is_comment {
            kept.extend_from_slice(line);
        }
        is_comment = is_comment && is_css && !text.ends_with(b"*/");
    }
    kept
}

fn mime(ending: &str) -> &'static str {
    match ending {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// The address of an asset, by its file name under `static/`.
pub(super) fn url(name: &str) -> &'static str {
    ASSETS.by_name.get(name).map_or("/static/missing", |asset| &asset.url)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not blank outside comments, line by line.
    fn outside_comments(css: &str) -> Vec<String> {
        let mut parts = css.split("/*");
        let mut text = parts.next().unwrap().to_owned();
        text.extend(parts.map(|part| part.split_once("*/").expect("an end").1));
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn a_stylesheet_loses_its_comments_alone() {
        for name in ["app.css", "tokens.css"] {
            let css = Files::get(name).unwrap().data.into_owned();
            let served = String::from_utf8(without_comments(name, css.clone())).unwrap();
            assert!(!served.contains("/*"), "{name}: a comment beside a rule is not left out");
            assert_eq!(
                outside_comments(&served),
                outside_comments(&String::from_utf8(css).unwrap()),
                "{name}"
            );
        }
    }

    #[test]
    fn a_licence_is_served() {
        let licensed = b"/* Licensed */\na {}\n".to_vec();
        assert_eq!(without_comments("vendor/other.css", licensed.clone()), licensed);
        assert_eq!(without_comments("ours.css", licensed), b"a {}\n");
        assert_eq!(without_comments("ours.js", b"  // Why.\nrun(); // now\n".to_vec()), b"run(); // now\n");
    }
}
