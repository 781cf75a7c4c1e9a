//! Serves the files under `static/`.

use crate::web::assets::ASSETS;
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, CacheControl, CacheDirective, EntityTag},
};

/// Serves an asset. Its address changes with its content, so it may be kept for ever.
pub(crate) async fn serve(req: HttpRequest) -> HttpResponse {
    let asset = ASSETS.names_by_url.get(req.path()).and_then(|name| ASSETS.by_name.get(name));
    let Some(asset) = asset else { return crate::web::problem::not_found(req).await };
    // Weak: a file has several encodings.
    let etag = EntityTag::new_weak(asset.fingerprint.clone());
    let is_known = req.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let for_ever = CacheControl(vec![
        CacheDirective::Public,
        CacheDirective::MaxAge(31_536_000),
        CacheDirective::Extension("immutable".into(), None),
    ]);
    // Compared as weak tags (RFC 9110, 13.1.2).
    let fits =
        |known: &str| known == "*" || known.parse::<EntityTag>().is_ok_and(|known| known.weak_eq(&etag));
    if is_known.is_some_and(|known| known.split(',').map(str::trim).any(fits)) {
        let mut response = HttpResponse::NotModified();
        response.insert_header(header::ETag(etag)).insert_header(for_ever);
        return response.insert_header((header::VARY, "Accept-Encoding")).finish();
    }
    let (encoding, content) = asset.encoded(&req);
    let mut response = HttpResponse::Ok();
    response.insert_header(header::ETag(etag));
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    response
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header(for_ever)
        .insert_header((header::CONTENT_TYPE, asset.mime))
        .body(content)
}
