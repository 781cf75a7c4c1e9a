//! Styles, script and icons: embedded in the program, under names that change with their content.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, CacheControl, CacheDirective},
};
use rust_embed::Embed;
use std::{collections::HashMap, sync::LazyLock};

#[derive(Embed)]
#[folder = "static/"]
#[exclude = "vendor/*LICENSE*"]
struct Files;

struct Asset {
    url: String,
    mime: &'static str,
    content: Vec<u8>,
}

struct Assets {
    by_name: HashMap<String, Asset>,
    names_by_url: HashMap<String, String>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut assets = Assets { by_name: HashMap::new(), names_by_url: HashMap::new() };
    for name in Files::iter() {
        let Some(file) = Files::get(&name) else { continue };
        let fingerprint = hex::encode(&file.metadata.sha256_hash()[..6]);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
        let url = format!("/static/{stem}.{fingerprint}.{ending}");
        assets.names_by_url.insert(url.clone(), name.to_string());
        let asset = Asset { url, mime: mime(ending), content: file.data.into_owned() };
        assets.by_name.insert(name.to_string(), asset);
    }
    assets
});

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

/// Answers an asset. Its address changes with its content, so it may be kept for ever.
pub(crate) async fn serve(req: HttpRequest) -> HttpResponse {
    let asset = ASSETS.names_by_url.get(req.path()).and_then(|name| ASSETS.by_name.get(name));
    let Some(asset) = asset else { return super::not_found(req).await };
    HttpResponse::Ok()
        .insert_header(CacheControl(vec![
            CacheDirective::Public,
            CacheDirective::MaxAge(31_536_000),
            CacheDirective::Extension("immutable".into(), None),
        ]))
        .insert_header((header::CONTENT_TYPE, asset.mime))
        .body(asset.content.as_slice())
}
