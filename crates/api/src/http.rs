//! GraphQL over HTTP: a request in a POST body or in the query of a GET, one answer back.

use std::io::Read;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::{Compress, DefaultHeaders};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use apollo_compiler::ast::OperationType;
use evenhand_app::idempotency::{Claim, KEY_CHARS_MAX};
use evenhand_app::quotas::Quota;
use evenhand_app::{App, count_statements};
use evenhand_domain::access::Actor;
use evenhand_domain::error::Error;
use evenhand_domain::id::{EntityId, EventId};
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use tracing::Instrument;

use crate::execute::{Answer, Caller, Edge, Incoming, Judged, Refusal};
use crate::limits::{Limits, Quotas, REQUEST_TIMEOUT};
use crate::negotiation::{Media, media};
use crate::{downloads, explorer, oauth, sse, websocket};

/// How long caches may keep the published keys and metadata, in seconds.
pub(crate) const JWKS_MAX_AGE: &str = "public, max-age=300";
/// How long a browser may keep what it was told about other origins, in seconds.
const PREFLIGHT_MAX_AGE: &str = "3600";
/// What a refused client waits, in seconds, at least and at most: spread, so that not all come back at once.
const RETRY_S: (u32, u32) = (1, 5);

/// What the transport is told by the configuration.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Longest request body, in bytes, after it is inflated.
    pub body_bytes_max: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins of web pages that may call the API, such as `https://app.example.com`.
    pub allowed_origins: Vec<String>,
    /// Whether signed-in clients may ask for the schema.
    pub introspection: bool,
    /// Limits of documents, connections and load.
    pub limits: Limits,
    /// How much clients may ask for in a time.
    pub quotas: Quotas,
    /// Adds the number of SQL statements to each answer, for tests.
    pub show_statements: bool,
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

/// Routes of the API.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    let headers = DefaultHeaders::new()
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CONTENT_SECURITY_POLICY, explorer::CONTENT_SECURITY_POLICY));
    let any = |resource: &str, handler| {
        web::resource(resource).route(handler).default_service(web::to(not_allowed))
    };
    config.service(
        web::scope("")
            .wrap(Compress::default())
            .wrap(headers)
            .service(web::resource("/graphql").default_service(web::to(graphql)))
            .service(web::resource("/graphql/stream").default_service(web::to(sse::stream)))
            .service(any("/graphql/ws", web::get().to(websocket::connect)))
            .service(
                // A web page of another origin asks before it sends its token.
                any("/exports/{id}", web::get().to(downloads::download))
                    .route(web::method(Method::OPTIONS).to(downloads::download)),
            )
            .service(any("/schema.graphql", web::get().to(sdl)))
            .service(any("/", web::get().to(explorer::page)))
            .service(any("/explorer/{file}", web::get().to(explorer::file)))
            .service(any("/live", web::get().to(live)))
            .service(any("/ready", web::get().to(ready)))
            .service(any("/.well-known/jwks.json", web::get().to(jwks)))
            .service(any("/.well-known/oauth-authorization-server", web::get().to(oauth::metadata)))
            .service(web::resource("/oauth/token").default_service(web::to(oauth::token)))
            .service(web::resource("/oauth/revoke").default_service(web::to(oauth::revoke))),
    );
}

async fn not_allowed() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET")).finish()
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

async fn sdl(edge: Data<Edge>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(edge.sdl.clone())
}

async fn graphql(http: HttpRequest, payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let caller_id = request_id(&http, &edge.app);
    let trace = trace_id(&http);
    let span = tracing::info_span!("request", request_id = caller_id, trace_id = trace);
    let work = async {
        if *http.method() == Method::OPTIONS {
            return preflight();
        }
        if *http.method() == Method::GET && explorer::is_wanted(&http) {
            return explorer::page().await;
        }
        let Some(media) = media(&http) else {
            return plain(406, "The API answers application/graphql-response+json and application/json.");
        };
        match handle(&http, payload, &edge, &caller_id).await {
            Ok(reply) => respond(media, reply),
            Err(refusal) => refuse(&http, media, refusal),
        }
    };
    let mut response = guarded(work.instrument(span), &http, &edge, &caller_id).await;
    finish(&http, &edge, &caller_id, &mut response);
    response
}

/// Runs the work of a request, for so long and no longer; a panic ends this request only.
pub(crate) async fn guarded(
    work: impl Future<Output = HttpResponse>,
    http: &HttpRequest,
    edge: &Edge,
    request_id: &str,
) -> HttpResponse {
    let media = media(http).unwrap_or(Media::Json);
    let work = tokio::time::timeout(REQUEST_TIMEOUT, count_statements(work));
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok((mut response, statements))) => {
            if edge.settings.show_statements {
                let name = HeaderName::from_static("x-statements");
                response.headers_mut().insert(name, HeaderValue::from(statements));
            }
            response
        }
        Ok(Err(_)) => refuse(
            http,
            media,
            Refusal::busy("The request took too long. Ask for less at a time.", RETRY_S.1),
        ),
        Err(_) => {
            tracing::error!(request_id, "a resolver panicked");
            let message =
                format!("Something went wrong on our side. Quote request {request_id} when you report it.");
            let errors = vec![crate::error::edge("INTERNAL_SERVER_ERROR", message)];
            refuse(
                http,
                media,
                Refusal { status: 500, transport: true, errors, retry_after_s: None, quota: None },
            )
        }
    }
}

async fn handle(
    http: &HttpRequest,
    payload: Payload,
    edge: &Edge,
    request_id: &str,
) -> Result<Reply, Refusal> {
    if edge.admission.is_full() {
        skip(payload, edge.settings.body_bytes_max).await;
        return Err(too_many(edge));
    }
    let incoming = incoming(http, payload, edge).await?;
    let caller = caller(http, edge, request_id.to_owned()).await;
    let key = idempotency_key(http)?;
    let judged = edge.judge(incoming, &caller).await?;
    if *http.method() == Method::GET && judged.kind != OperationType::Query {
        return Err(Refusal::transport(405, "GET runs queries only; send this by POST."));
    }
    if judged.kind == OperationType::Subscription {
        let message = "Subscriptions run over /graphql/ws or /graphql/stream.";
        return Err(Refusal::transport(400, message));
    }
    match key.filter(|_| judged.kind == OperationType::Mutation) {
        Some(key) => keyed(edge, judged, &caller, &key).await,
        None => run(edge, judged, &caller).await.map(Reply::from),
    }
}

/// The key by which a client may send a mutation again.
fn idempotency_key(http: &HttpRequest) -> Result<Option<String>, Refusal> {
    let Some(key) = http.headers().get("idempotency-key") else { return Ok(None) };
    let text = key.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > KEY_CHARS_MAX {
        let message = format!("An Idempotency-Key has 1 to {KEY_CHARS_MAX} printable ASCII characters.");
        return Err(Refusal::transport(400, message));
    }
    Ok(Some(text.to_owned()))
}

/// Runs a mutation under its key: once, however often it is sent. Who is not signed in has no keys, so signing in
/// is as if it had none.
async fn keyed(edge: &Edge, judged: Judged, caller: &Caller, key: &str) -> Result<Reply, Refusal> {
    let sender = match edge.actor(caller).await? {
        Actor::User(principal) => (principal.organization, principal.user.uuid()),
        Actor::Client(client) => (client.token.organization, client.token.client.uuid()),
        Actor::Anonymous | Actor::System { .. } => return run(edge, judged, caller).await.map(Reply::from),
    };
    let unavailable = |error: Error| {
        tracing::warn!(request_id = caller.request_id, %error, "an idempotency key could not be claimed");
        Refusal::busy("The service cannot answer right now. Try again shortly.", RETRY_S.0)
    };
    let ticket = match edge.app.claim_key(sender, key, &judged.fingerprint()).await.map_err(unavailable)? {
        Claim::Run(ticket) => ticket,
        Claim::Replay(status, body) => {
            return Ok(Reply { status, body, quota: None, retry_after_s: None, replayed: true });
        }
        Claim::InFlight => {
            let message = "The mutation with this Idempotency-Key is still running. Ask again shortly.";
            return Err(Refusal::key(409, "IDEMPOTENCY_KEY_IN_FLIGHT", message));
        }
        Claim::Mismatch => {
            let message =
                "This Idempotency-Key was sent with another mutation or other variables. Take a new one.";
            return Err(Refusal::key(422, "IDEMPOTENCY_KEY_REUSED", message));
        }
    };
    let outcome = ticket.hold(run(edge, judged, caller)).await;
    let kept = match &outcome {
        Ok(answer) if !answer.may_differ_next_time() => {
            let reply = Reply::from(outcome?);
            edge.app.answer_key(&ticket, reply.status, &reply.body).await.map(|()| Ok(reply))
        }
        _ => edge.app.release_key(&ticket).await.map(|()| outcome.map(Reply::from)),
    };
    // What was not kept is known to be done by its mark; the client asks again and learns it.
    kept.map_err(unavailable)?
}

/// Runs a query or mutation when its turn has come.
pub(crate) async fn run(edge: &Edge, judged: Judged, caller: &Caller) -> Result<Answer, Refusal> {
    let quota = edge.charge(judged.cost, caller).await?;
    let organization = caller.identity.as_ref().map(|identity| identity.organization);
    let Some(_permit) = edge.admission.enter(organization).await else { return Err(too_many(edge)) };
    let actor = edge.actor(caller).await?;
    let mut answer = edge.run(judged, actor, caller).await;
    answer.quota = quota;
    Ok(answer)
}

fn too_many(edge: &Edge) -> Refusal {
    Refusal::busy("Too many requests are being answered. Try again shortly.", retry_after(edge))
}

/// Seconds to wait, spread so that not all come back at once.
fn retry_after(edge: &Edge) -> u32 {
    let spread = edge.app.now().micros().unsigned_abs() % u64::from(RETRY_S.1 - RETRY_S.0 + 1);
    RETRY_S.0 + u32::try_from(spread).unwrap_or_default()
}

/// Reads the parameters of a request, from the body of a POST or the query of a GET.
pub(crate) async fn incoming(http: &HttpRequest, payload: Payload, edge: &Edge) -> Result<Incoming, Refusal> {
    match *http.method() {
        Method::POST => {
            // Only JSON: a browser sends other types across origins without asking first.
            if !is_json(http) {
                return Err(Refusal::transport(415, "Send the request as application/json."));
            }
            let body = read(http, payload, edge.settings.body_bytes_max).await?;
            let parameters = serde_json::from_slice(&body).map_err(|cause| {
                Refusal::transport(400, format!("The body must be a JSON object with a query: {cause}."))
            })?;
            Incoming::read(parameters)
        }
        Method::GET => {
            let query = web::Query::<Vec<(String, String)>>::from_query(http.query_string())
                .map_err(|_| Refusal::transport(400, "The query of the address is not well formed."))?;
            let mut parameters = serde_json::Map::new();
            for (name, text) in query.into_inner() {
                let value = if matches!(name.as_str(), "variables" | "extensions") {
                    serde_json::from_str(&text)
                        .map_err(|cause| Refusal::transport(400, format!("{name} is not JSON: {cause}.")))?
                } else {
                    Value::String(text)
                };
                if parameters.insert(name.clone(), value).is_some() {
                    return Err(Refusal::transport(400, format!("{name} is given twice.")));
                }
            }
            Incoming::read(Value::Object(parameters))
        }
        _ => Err(Refusal::transport(405, "Send requests by POST, or queries by GET.")),
    }
}

fn is_json(http: &HttpRequest) -> bool {
    let text = header_text(http, header::CONTENT_TYPE);
    let mut parts = text.split(';').map(str::trim);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let charset =
        parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    json && charset.is_none_or(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8"))
}

/// Passes over a body: a connection with something unread would have to be closed and opened again, which costs
/// more than the refusal.
async fn skip(mut payload: Payload, max: usize) {
    let mut skipped = 0;
    while let Some(Ok(chunk)) = payload.next().await {
        skipped += chunk.len();
        if skipped > max {
            break;
        }
    }
}

/// Reads a body of at most `max` bytes, also after it is inflated.
pub(crate) async fn read(http: &HttpRequest, mut payload: Payload, max: usize) -> Result<Vec<u8>, Refusal> {
    let too_long = || Refusal::transport(413, format!("The request is longer than {max} bytes."));
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refusal::transport(400, "The request broke off."))?;
        if body.len() + chunk.len() > max {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    let mut inflated = Vec::new();
    let limit = max as u64 + 1;
    let outcome = match header_text(http, header::CONTENT_ENCODING).to_ascii_lowercase().as_str() {
        "" | "identity" => return Ok(body),
        "gzip" => flate2::read::GzDecoder::new(body.as_slice()).take(limit).read_to_end(&mut inflated),
        "deflate" => flate2::read::ZlibDecoder::new(body.as_slice()).take(limit).read_to_end(&mut inflated),
        "br" => brotli::Decompressor::new(body.as_slice(), 4_096).take(limit).read_to_end(&mut inflated),
        _ => return Err(Refusal::transport(415, "Send the body as it is, or as gzip, deflate or br.")),
    };
    outcome.map_err(|_| Refusal::transport(400, "The body cannot be inflated."))?;
    if inflated.len() > max { Err(too_long()) } else { Ok(inflated) }
}

/// Who sends a request, as their token says.
pub(crate) async fn caller(http: &HttpRequest, edge: &Edge, request_id: String) -> Caller {
    let token = header_text(http, header::AUTHORIZATION);
    let token = token.strip_prefix("Bearer ").map(str::trim);
    let address = address(http, &edge.settings);
    let client = header_text(http, HeaderName::from_static("x-client-name"));
    let mut caller = Caller { identity: None, request_id, address, client };
    if let Some(token) = token {
        identify(edge, &mut caller, token).await;
    }
    caller
}

/// Notes whom a token names; one that does not hold names nobody. Answers whether it holds.
pub(crate) async fn identify(edge: &Edge, caller: &mut Caller, token: &str) -> bool {
    match edge.app.identify(token).await {
        Ok(identity) => caller.identity = Some(identity),
        Err(Error::Unauthenticated(reason)) => {
            tracing::info!(request_id = caller.request_id, reason, "a token was refused");
        }
        Err(error) => {
            tracing::warn!(request_id = caller.request_id, %error, "a token could not be checked");
        }
    }
    caller.identity.is_some()
}

/// Where the request comes from; a proxy is believed only when it is listed.
pub(crate) fn address(http: &HttpRequest, settings: &ApiSettings) -> Option<IpAddr> {
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
pub(crate) fn request_id(http: &HttpRequest, app: &App) -> String {
    let harmless = |id: &&str| {
        (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let given = http.headers().get("x-request-id").and_then(|value| value.to_str().ok()).filter(harmless);
    given.map_or_else(|| app.new_id::<EventId>().to_string(), str::to_owned)
}

/// The trace that a request belongs to (W3C Trace Context); empty where it names none.
pub(crate) fn trace_id(http: &HttpRequest) -> String {
    let given = http.headers().get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parts: Vec<&str> = given.split('-').collect();
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match parts.as_slice() {
        ["00", trace, parent, flags]
            if hex(trace, 32)
                && hex(parent, 16)
                && hex(flags, 2)
                && trace.bytes().any(|byte| byte != b'0') =>
        {
            (*trace).to_owned()
        }
        _ => String::new(),
    }
}

pub(crate) fn header_text(http: &HttpRequest, name: HeaderName) -> String {
    http.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The answer to a request that was refused.
pub(crate) fn refuse(http: &HttpRequest, media: Media, refusal: Refusal) -> HttpResponse {
    let status = if refusal.transport || media == Media::GraphqlResponse { refusal.status } else { 200 };
    let allow = (status == 405).then_some(if *http.method() == Method::GET { "POST" } else { "GET, POST" });
    let mut response = respond(media, Reply { status, ..Reply::from(Answer::from(refusal)) });
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}

/// An answer as it goes over the wire.
struct Reply {
    status: u16,
    body: String,
    quota: Option<Quota>,
    retry_after_s: Option<u32>,
    replayed: bool,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        // Clients and balancers look at the status: over quota is 429 whatever the media type.
        let status = if answer.retry_after_s.is_some() { 429 } else { 200 };
        let body = serde_json::to_string(&answer).unwrap_or_default();
        Self { status, body, quota: answer.quota, retry_after_s: answer.retry_after_s, replayed: false }
    }
}

fn respond(media: Media, reply: Reply) -> HttpResponse {
    let mut builder = builder(reply.status);
    builder.content_type(media.as_str());
    if let Some(seconds) = reply.retry_after_s {
        builder.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(quota) = reply.quota {
        builder.insert_header(("ratelimit-limit", quota.limit));
        builder.insert_header(("ratelimit-remaining", quota.remaining));
        builder.insert_header(("ratelimit-reset", quota.reset_s));
    }
    if reply.replayed {
        builder.insert_header(("idempotency-replayed", "true"));
    }
    builder.body(reply.body)
}

fn plain(status: u16, text: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("text/plain; charset=utf-8")
        .body(format!("{text}\n"))
}

pub(crate) fn builder(status: u16) -> HttpResponseBuilder {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    builder.insert_header((header::CACHE_CONTROL, "no-store"));
    builder
}

/// What every answer carries.
pub(crate) fn finish(http: &HttpRequest, edge: &Edge, request_id: &str, response: &mut HttpResponse) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Accept, Origin"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    if let Some(origin) = allowed_origin(http, edge) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = "X-Request-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset";
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    }
    if *edge.stage.borrow() > Stage::Serving {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
}

/// The origin of the web page that asks, where it is on the list.
fn allowed_origin(http: &HttpRequest, edge: &Edge) -> Option<HeaderValue> {
    let origin = http.headers().get(header::ORIGIN)?;
    let text = origin.to_str().ok()?;
    edge.settings.allowed_origins.iter().any(|allowed| allowed == text).then(|| origin.clone())
}

/// Whether a page of this origin may open a connection: its own server's, or one on the list. Programs send none.
pub(crate) fn origin_may_connect(http: &HttpRequest, edge: &Edge) -> bool {
    let Some(origin) = http.headers().get(header::ORIGIN) else { return true };
    let host = header_text(http, header::HOST);
    let own =
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_some_and(|(_, it)| it == host);
    own || allowed_origin(http, edge).is_some()
}

pub(crate) fn preflight() -> HttpResponse {
    builder(204)
        .insert_header((header::ALLOW, "GET, POST, OPTIONS"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, Accept, Idempotency-Key, X-Request-Id, X-Client-Name, X-Client-Version, traceparent, tracestate",
        ))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE))
        .finish()
}
