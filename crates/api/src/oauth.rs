//! OAuth 2.0 for API clients: tokens for client credentials (RFC 6749), their revocation (RFC 7009) and metadata
//! (RFC 8414). Nothing else of it: no codes, no passwords, no refresh tokens.

use std::collections::BTreeMap;

use actix_web::http::{Method, header};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evenhand_app::api_clients::ClientCredentials;
use evenhand_domain::api_clients::ApiScope;
use evenhand_domain::error::Error;
use futures_util::FutureExt;
use serde_json::json;
use tracing::Instrument;

use crate::execute::{Caller, Edge, Refusal};
use crate::http::{self, JWKS_MAX_AGE};
use crate::limits::MUTATION_COST;

/// Longest form, in bytes: a token is the longest that it may hold.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// How clients may prove themselves.
const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];
/// What a client waits before it asks again, in seconds, where nothing else is known.
const RETRY_S: u32 = 2;

/// Why a request was refused (RFC 6749, section 5.2).
struct Fault {
    status: u16,
    error: &'static str,
    // Printable ASCII without quotes and backslashes, as the specification wants it.
    text: String,
    retry_after_s: Option<u32>,
}

impl Fault {
    fn new(status: u16, error: &'static str, text: impl Into<String>) -> Self {
        Self { status, error, text: text.into(), retry_after_s: None }
    }

    fn request(text: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", text)
    }

    fn client(text: &str) -> Self {
        Self::new(401, "invalid_client", text)
    }

    fn later(status: u16, retry_after_s: u32) -> Self {
        let text = format!("Try again in {retry_after_s} seconds.");
        let fault = Self::new(status, "temporarily_unavailable", text);
        Self { retry_after_s: Some(retry_after_s), ..fault }
    }

    fn answer(self) -> HttpResponse {
        let Self { status, error, text, retry_after_s } = self;
        let mut builder = builder(status);
        if status == 401 {
            builder.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"evenhand\""));
        }
        if status == 405 {
            builder.insert_header((header::ALLOW, "POST"));
        }
        if let Some(seconds) = retry_after_s {
            builder.insert_header((header::RETRY_AFTER, seconds));
        }
        builder.json(json!({ "error": error, "error_description": text }))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated(reason) => {
                tracing::info!(reason, "an API client was refused");
                Self::client("Client id or secret is wrong, or the client is revoked.")
            }
            Error::Rejected(problems) => {
                let texts: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
                Self::new(400, "invalid_scope", texts.join(" "))
            }
            Error::Forbidden => Self::new(400, "invalid_grant", "The token was given to somebody else."),
            Error::Throttled { retry_after_s } => Self::later(429, retry_after_s),
            error => {
                tracing::warn!(%error, "an API client could not be served");
                Self::later(503, RETRY_S)
            }
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" ");
        match refusal.retry_after_s {
            Some(seconds) => Self::later(refusal.status, seconds),
            None => Self::new(refusal.status, "invalid_request", text),
        }
    }
}

fn builder(status: u16) -> HttpResponseBuilder {
    let mut builder = http::builder(status);
    builder.insert_header((header::PRAGMA, "no-cache"));
    builder
}

/// Answers `/oauth/token`.
pub(crate) async fn token(http: HttpRequest, payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let id = http::request_id(&http, &edge.app);
    serve(&http, &edge, &id, give(&http, payload, &edge, &id)).await
}

/// Answers `/oauth/revoke`.
pub(crate) async fn revoke(http: HttpRequest, payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let id = http::request_id(&http, &edge.app);
    serve(&http, &edge, &id, take(&http, payload, &edge, &id)).await
}

/// Answers `/.well-known/oauth-authorization-server`.
pub(crate) async fn metadata(edge: Data<Edge>) -> HttpResponse {
    let url = edge.app.public_url();
    let scopes: Vec<&str> = ApiScope::ALL.iter().map(|scope| scope.as_str()).collect();
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, JWKS_MAX_AGE)).json(json!({
        "issuer": url,
        "token_endpoint": format!("{url}/oauth/token"),
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint": format!("{url}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "grant_types_supported": ["client_credentials"],
        // There is no authorization endpoint.
        "response_types_supported": [],
        "scopes_supported": scopes,
    }))
}

async fn serve(
    http: &HttpRequest,
    edge: &Edge,
    id: &str,
    work: impl Future<Output = Result<HttpResponse, Fault>>,
) -> HttpResponse {
    let span = tracing::info_span!("request", request_id = id, trace_id = http::trace_id(http));
    let work = work.map(|outcome| outcome.unwrap_or_else(Fault::answer));
    let mut response = http::guarded(work.instrument(span), http, edge, id).await;
    http::finish(http, edge, id, &mut response);
    response
}

async fn give(http: &HttpRequest, payload: Payload, edge: &Edge, id: &str) -> Result<HttpResponse, Fault> {
    let form = form(http, payload, edge, id).await?;
    match form.get("grant_type").map(String::as_str) {
        Some("client_credentials") => {}
        Some(_) => {
            return Err(Fault::new(400, "unsupported_grant_type", "The only grant is client_credentials."));
        }
        None => return Err(Fault::request("grant_type is missing.")),
    }
    let credentials = credentials(http, edge, &form)?;
    let access = edge.app.client_token(&credentials, form.get("scope").map(String::as_str)).await?;
    Ok(builder(200).json(json!({
        "access_token": access.access_token,
        "token_type": "Bearer",
        "expires_in": access.expires_in,
        "scope": access.scopes.to_string(),
    })))
}

async fn take(http: &HttpRequest, payload: Payload, edge: &Edge, id: &str) -> Result<HttpResponse, Fault> {
    let form = form(http, payload, edge, id).await?;
    let credentials = credentials(http, edge, &form)?;
    let token = form.get("token").ok_or_else(|| Fault::request("token is missing."))?;
    edge.app.revoke_client_token(&credentials, token).await?;
    Ok(builder(200).finish())
}

/// The parameters of a request, each given once; they cost the address that they come from.
async fn form(
    http: &HttpRequest,
    payload: Payload,
    edge: &Edge,
    id: &str,
) -> Result<BTreeMap<String, String>, Fault> {
    if *http.method() != Method::POST {
        return Err(Fault::new(405, "invalid_request", "Send a form by POST."));
    }
    let media = http::header_text(http, header::CONTENT_TYPE);
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Fault::request("Send the parameters as application/x-www-form-urlencoded."));
    }
    let address = http::address(http, &edge.settings);
    let caller = Caller { identity: None, request_id: id.to_owned(), address, client: String::new() };
    edge.charge(MUTATION_COST, &caller).await?;
    let body = http::read(http, payload, FORM_BYTES_MAX).await?;
    let body = String::from_utf8(body).map_err(|_| Fault::request("The form is not UTF-8."))?;
    let mut form = BTreeMap::new();
    for (name, value) in pairs(&body)? {
        if form.insert(name, value).is_some() {
            return Err(Fault::request("A parameter is given twice."));
        }
    }
    // What has no value is as if it were left out.
    form.retain(|_, value| !value.is_empty());
    Ok(form)
}

fn pairs(text: &str) -> Result<Vec<(String, String)>, Fault> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(text);
    Ok(pairs.map_err(|_| Fault::request("The form is not well formed."))?.into_inner())
}

/// Client id and secret, from the header or from the form, but not from both.
fn credentials(
    http: &HttpRequest,
    edge: &Edge,
    form: &BTreeMap<String, String>,
) -> Result<ClientCredentials, Fault> {
    let (form_id, form_secret) = (form.get("client_id"), form.get("client_secret"));
    let (id, secret) = if http.headers().contains_key(header::AUTHORIZATION) {
        let (id, secret) = basic(&http::header_text(http, header::AUTHORIZATION))
            .ok_or_else(|| Fault::client("Authorization must be Basic with client id and secret."))?;
        if form_secret.is_some() || form_id.is_some_and(|form_id| *form_id != id) {
            return Err(Fault::request("Prove who you are in one way only."));
        }
        (id, secret)
    } else {
        let given = form_id.cloned().zip(form_secret.cloned());
        given.ok_or_else(|| {
            Fault::client("Send client id and secret, by Basic authentication or in the form.")
        })?
    };
    Ok(ClientCredentials { id, secret, address: http::address(http, &edge.settings) })
}

/// Client id and secret of an `Authorization` header (RFC 6749, section 2.3.1).
fn basic(text: &str) -> Option<(String, String)> {
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| match <[_; 1]>::try_from(pairs(&format!("v={text}")).ok()?) {
        Ok([(_, value)]) => Some(value),
        Err(_) => None,
    };
    Some((decoded(id)?, decoded(secret)?))
}
