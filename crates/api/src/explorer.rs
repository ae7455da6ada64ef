//! The query page for people: from the binary, without the internet.

use actix_web::http::header;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

/// What pages of this server may load: nothing but their own files.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Name, media type and content of the page's files.
const FILES: &[(&str, &str, &str)] = &[
    ("explorer.js", "text/javascript; charset=utf-8", include_str!("explorer/explorer.js")),
    ("explorer.css", "text/css; charset=utf-8", include_str!("explorer/explorer.css")),
];

/// Whether a GET comes from a browser that wants to show a page.
pub(crate) fn is_wanted(http: &HttpRequest) -> bool {
    let accept = http.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("text/html") && !http.query_string().contains("query=")
}

/// The page.
pub(crate) async fn page() -> HttpResponse {
    serve("text/html; charset=utf-8", include_str!("explorer/index.html"))
}

/// One of the page's files.
pub(crate) async fn file(name: Path<String>) -> HttpResponse {
    match FILES.iter().find(|(known, ..)| *known == name.as_str()) {
        Some((_, media, content)) => serve(media, content),
        None => HttpResponse::NotFound().finish(),
    }
}

fn serve(media: &'static str, content: &'static str) -> HttpResponse {
    // A new version of the server must not meet files of the old one.
    HttpResponse::Ok().content_type(media).insert_header((header::CACHE_CONTROL, "no-cache")).body(content)
}
