//! The transport: a GraphQL request in a POST body, one answer back, or a stream of answers over SSE.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use async_graphql::{Response, ServerError, Variables};
use evenhand_app::{App, count_statements};
use evenhand_domain::access::Actor;
use evenhand_domain::error::Error;
use evenhand_domain::id::EventId;
use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;
use tokio::sync::watch;

use crate::context::Request;
use crate::document;
use crate::error::{self, ERRORS_MAX};
use crate::schema::Schema;

/// Longest run of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Deepest nesting of variables, in brackets; serde_json itself stops at 128.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// How often a quiet stream says that it lives, so that proxies keep it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long caches may keep the published keys, in seconds.
const JWKS_MAX_AGE: &str = "public, max-age=300";

/// What the transport is told by the configuration.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Longest request body, in bytes.
    pub body_bytes_max: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Adds the number of SQL statements to each answer, for tests.
    pub show_statements: bool,
}

/// What a worker thread shares.
pub(crate) struct Edge {
    pub(crate) app: App,
    pub(crate) schema: Schema,
    pub(crate) settings: ApiSettings,
    pub(crate) stage: watch::Sender<Stage>,
}

/// How near its end the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Requests are welcome.
    Serving,
    /// Requests are still served, but `/ready` sends them elsewhere and connections are not kept.
    Draining,
    /// Streams, which would go on for ever, are cut; their clients begin again elsewhere.
    Ending,
}

/// The body of a request.
#[derive(Deserialize)]
struct Body {
    query: String,
    #[serde(default)]
    variables: Option<serde_json::Value>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
}

/// Routes of the API.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/graphql", web::post().to(graphql))
        .route("/graphql/stream", web::post().to(graphql_stream))
        .route("/live", web::get().to(live))
        .route("/ready", web::get().to(ready))
        .route("/.well-known/jwks.json", web::get().to(jwks));
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("live\n")
}

async fn ready(edge: Data<Edge>) -> HttpResponse {
    if *edge.stage.borrow() > Stage::Serving {
        return HttpResponse::ServiceUnavailable()
            .content_type("text/plain")
            .body("the server is stopping\n");
    }
    match edge.app.ping().await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain")
                .body("the database does not answer\n")
        }
    }
}

async fn jwks(edge: Data<Edge>) -> HttpResponse {
    match edge.app.jwks().await {
        Ok(keys) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, JWKS_MAX_AGE)).json(keys),
        Err(error) => {
            tracing::warn!(%error, "the signing keys could not be read");
            HttpResponse::ServiceUnavailable().finish()
        }
    }
}

async fn graphql(http: HttpRequest, payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let request_id = request_id(&http, &edge.app);
    let work = async {
        let (request, actor) = match prepare(&http, payload, &edge, &request_id).await {
            Ok(prepared) => prepared,
            Err(refused) => return refused,
        };
        let context =
            Request::new(edge.app.clone(), actor, request_id.clone(), address(&http, &edge.settings));
        let response = edge.schema.execute(request.data(context)).await;
        answer(&http, 200, present(response, &request_id))
    };
    let guarded =
        AssertUnwindSafe(tokio::time::timeout(REQUEST_TIMEOUT, count_statements(work))).catch_unwind();
    let mut response = match guarded.await {
        Ok(Ok((mut response, statements))) => {
            if edge.settings.show_statements {
                response
                    .headers_mut()
                    .insert(header::HeaderName::from_static("x-statements"), HeaderValue::from(statements));
            }
            response
        }
        Ok(Err(_)) => refuse(
            &http,
            503,
            error::edge("UNAVAILABLE", "The request took too long. Ask for less at a time."),
        ),
        Err(_) => {
            tracing::error!(%request_id, "a resolver panicked");
            let message =
                format!("Something went wrong on our side. Quote request {request_id} when you report it.");
            refuse(&http, 500, error::edge("INTERNAL_SERVER_ERROR", message))
        }
    };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(header::HeaderName::from_static("x-request-id"), value);
    }
    if *edge.stage.borrow() > Stage::Serving {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}

/// GraphQL over server-sent events, distinct connections mode: one stream for one operation.
async fn graphql_stream(http: HttpRequest, payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let request_id = request_id(&http, &edge.app);
    let (request, actor) = match prepare(&http, payload, &edge, &request_id).await {
        Ok(prepared) => prepared,
        Err(refused) => return refused,
    };
    let context = Request::new(edge.app.clone(), actor, request_id.clone(), address(&http, &edge.settings));
    let answers = edge.schema.execute_stream(request.data(context)).map(move |response| {
        let json = serde_json::to_string(&present(response, &request_id)).unwrap_or_default();
        Bytes::from(format!("event: next\ndata: {json}\n\n"))
    });
    let complete = futures_util::stream::once(async { Bytes::from_static(b"event: complete\ndata:\n\n") });
    let beats = tokio::time::interval(KEEP_ALIVE);
    let events = futures_util::stream::unfold(
        (Box::pin(answers.chain(complete)), beats),
        |(mut answers, mut beats)| async move {
            tokio::select! {
                answer = answers.next() => answer.map(|answer| (Ok::<_, actix_web::Error>(answer), (answers, beats))),
                _ = beats.tick() => Some((Ok(Bytes::from_static(b":\n\n")), (answers, beats))),
            }
        },
    );
    let mut stage = edge.stage.subscribe();
    let ending = async move {
        // An error means that the server is gone, which is the same.
        let _ = stage.wait_for(|stage| *stage == Stage::Ending).await;
    };
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(events.take_until(Box::pin(ending)))
}

/// Reads, parses and judges a request. The same for all transports.
async fn prepare(
    http: &HttpRequest,
    payload: Payload,
    edge: &Edge,
    request_id: &str,
) -> Result<(async_graphql::Request, Actor), HttpResponse> {
    // Only JSON: a browser sends other types across origins without asking first.
    let media_type =
        http.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some("application/json") {
        return Err(refuse(http, 415, error::edge("BAD_REQUEST", "Send the request as application/json.")));
    }
    let body = read(payload, edge.settings.body_bytes_max).await.map_err(|too_large| {
        let max = edge.settings.body_bytes_max;
        let (status, message) = if too_large {
            (413, format!("The request is longer than {max} bytes."))
        } else {
            (400, "The request broke off.".to_owned())
        };
        refuse(http, status, error::edge("BAD_REQUEST", message))
    })?;
    let bad = |message: String| refuse(http, 400, error::edge("BAD_REQUEST", message));
    let body: Body = serde_json::from_slice(&body)
        .map_err(|cause| bad(format!("The body must be a JSON object with a query: {cause}.")))?;
    if body.query.len() > DOCUMENT_BYTES_MAX {
        return Err(bad(format!(
            "The query is longer than {DOCUMENT_BYTES_MAX} bytes; use variables for data."
        )));
    }
    let variables = match body.variables {
        None | Some(serde_json::Value::Null) => Variables::default(),
        Some(object @ serde_json::Value::Object(_)) => Variables::from_json(object),
        Some(_) => return Err(bad("variables must be an object.".into())),
    };
    document::check_text(&body.query).map_err(|cause| refuse(http, 400, cause))?;
    let document = async_graphql::parser::parse_query(&body.query).map_err(|cause| {
        let mut cause = ServerError::from(cause);
        let mut extensions = async_graphql::ErrorExtensionValues::default();
        extensions.set("code", "GRAPHQL_PARSE_FAILED");
        cause.extensions = Some(extensions);
        refuse(http, 400, cause)
    })?;
    document::check(&document).map_err(|cause| refuse(http, 400, cause))?;
    let actor = authenticate(http, &edge.app, request_id).await.map_err(|status| {
        refuse(
            http,
            status,
            error::edge("UNAVAILABLE", "The service cannot answer right now. Try again shortly."),
        )
    })?;
    let mut request = async_graphql::Request::new(body.query).variables(variables);
    request.operation_name = body.operation_name;
    request.set_parsed_query(document);
    Ok((request, actor))
}

/// Reads a body of at most `max` bytes; `Err(true)` when it is longer.
async fn read(mut payload: Payload, max: usize) -> Result<Vec<u8>, bool> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| false)?;
        if body.len() + chunk.len() > max {
            return Err(true);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The caller. A token that does not hold makes them anonymous, so that a client with an expired token can
/// still refresh it; every other field tells them to sign in.
async fn authenticate(http: &HttpRequest, app: &App, request_id: &str) -> Result<Actor, u16> {
    let header = http.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) else {
        return Ok(Actor::Anonymous);
    };
    match app.authenticate(token.trim()).await {
        Ok(actor) => Ok(actor),
        Err(Error::Unauthenticated(reason)) => {
            tracing::info!(request_id, reason, "a token was refused");
            Ok(Actor::Anonymous)
        }
        Err(error) => {
            tracing::warn!(request_id, %error, "a token could not be checked");
            Err(503)
        }
    }
}

/// Where the request comes from; a proxy is believed only when it is listed.
fn address(http: &HttpRequest, settings: &ApiSettings) -> Option<IpAddr> {
    let peer = http.peer_addr()?.ip();
    if !settings.trusted_proxies.contains(&peer) {
        return Some(peer);
    }
    let forwarded =
        http.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Each proxy appends; the last address that is not a proxy of ours is the client.
    let addresses = forwarded.rsplit(',').filter_map(|address| address.trim().parse::<IpAddr>().ok());
    addresses.into_iter().find(|address| !settings.trusted_proxies.contains(address)).or(Some(peer))
}

/// The id of the request: the client's own where it is harmless, else a new one.
fn request_id(http: &HttpRequest, app: &App) -> String {
    let harmless = |id: &&str| {
        (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let given = http.headers().get("x-request-id").and_then(|value| value.to_str().ok()).filter(harmless);
    given.map_or_else(|| app.new_id::<EventId>().to_string(), str::to_owned)
}

/// Codes and masked texts for what went wrong, at most so many.
fn present(mut response: Response, request_id: &str) -> Response {
    response.errors.truncate(ERRORS_MAX);
    response.errors = response.errors.into_iter().map(|cause| error::present(cause, request_id)).collect();
    response
}

fn refuse(http: &HttpRequest, status: u16, cause: ServerError) -> HttpResponse {
    let body = serde_json::json!({ "errors": [cause] });
    builder(http, status).json(body)
}

fn answer(http: &HttpRequest, status: u16, response: Response) -> HttpResponse {
    builder(http, status).json(response)
}

fn builder(http: &HttpRequest, status: u16) -> HttpResponseBuilder {
    let accept = http.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let modern = accept.contains("application/graphql-response+json");
    let status = actix_web::http::StatusCode::from_u16(status)
        .unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    builder
        .content_type(if modern { "application/graphql-response+json" } else { "application/json" })
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "Accept"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    builder
}
