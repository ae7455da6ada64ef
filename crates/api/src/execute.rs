//! The one place that judges and runs a document, whatever transport it came by.

use std::net::IpAddr;
use std::sync::Arc;

use apollo_compiler::ast::OperationType;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::validation::Valid;
use async_graphql::{Response, ServerError, Variables};
use evenhand_app::App;
use evenhand_app::quotas::Quota;
use evenhand_app::tokens::{Bearer, Identity};
use evenhand_domain::access::Actor;
use evenhand_domain::error::Error;
use evenhand_domain::id::{EntityId, OrganizationId};
use futures_util::{Stream, StreamExt};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::admission::Admission;
use crate::completion::complete;
use crate::context::Request;
use crate::cost;
use crate::document::{self, Document};
use crate::error::{self, edge};
use crate::http::{ApiSettings, Stage};
use crate::limits::{CACHED_BYTES_MAX, CACHED_DOCUMENTS_MAX, ERRORS_MAX, Limits};
use crate::schema::{self, Schema};
use crate::vigil::Vigil;

type Hash = [u8; 32];

/// What it costs to look a document up, in points: guessed hashes would send statements for nothing.
const LOOKUP_COST: u64 = 1;

/// What a worker thread shares.
pub(crate) struct Edge {
    pub(crate) app: App,
    pub(crate) settings: ApiSettings,
    pub(crate) stage: watch::Sender<Stage>,
    pub(crate) admission: Admission,
    pub(crate) vigil: Arc<Vigil>,
    pub(crate) sdl: String,
    // One for each open stream.
    seats: Arc<Semaphore>,
    schema: Schema,
    types: Arc<Valid<apollo_compiler::Schema>>,
    // By the hash of the text, so that what one client sends can never stand for what another sends.
    documents: Cache<Hash, Arc<Document>, ByLength>,
    // What clients asked to keep, each organisation for itself.
    persisted: Cache<(Option<OrganizationId>, Hash), Arc<str>, ByLength>,
    // What organisations have registered.
    trusted: Cache<(Option<OrganizationId>, Hash), Arc<str>, ByLength>,
}

/// Weighs what is cached by the length of its text.
#[derive(Clone)]
struct ByLength;

impl Weighter<Hash, Arc<Document>> for ByLength {
    fn weight(&self, _: &Hash, document: &Arc<Document>) -> u64 {
        document.length as u64
    }
}

impl Weighter<(Option<OrganizationId>, Hash), Arc<str>> for ByLength {
    fn weight(&self, _: &(Option<OrganizationId>, Hash), text: &Arc<str>) -> u64 {
        text.len() as u64
    }
}

/// A request as it came in: shaped right, but not judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Incoming {
    query: Option<String>,
    // Of a document that was registered or kept before.
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: serde_json::Map<String, Value>,
    show_cost: bool,
}

/// Who asks, as far as it is known before anything is read.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) identity: Option<Identity>,
    pub(crate) request_id: String,
    pub(crate) address: Option<IpAddr>,
    /// As the client names itself.
    pub(crate) client: String,
}

/// An operation that may run.
pub(crate) struct Judged {
    pub(crate) kind: OperationType,
    pub(crate) cost: u64,
    // Of the document's text.
    hash: Hash,
    document: Arc<Document>,
    operation_name: Option<String>,
    variables: Variables,
    show_cost: bool,
}

/// Why nothing was run.
pub(crate) struct Refusal {
    /// Status under `application/graphql-response+json`.
    pub(crate) status: u16,
    /// Whether the request was shaped wrong, before GraphQL: the status holds for all media types.
    pub(crate) transport: bool,
    pub(crate) errors: Vec<ServerError>,
    pub(crate) retry_after_s: Option<u32>,
    pub(crate) quota: Option<Quota>,
}

/// An answer in the shape of the specification.
#[derive(Serialize)]
pub(crate) struct Answer {
    // First, so that nobody overlooks them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<ServerError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<async_graphql::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Value>,
    #[serde(skip)]
    pub(crate) retry_after_s: Option<u32>,
    #[serde(skip)]
    pub(crate) quota: Option<Quota>,
}

impl Refusal {
    /// A request that is not a GraphQL request.
    pub(crate) fn transport(status: u16, message: impl Into<String>) -> Self {
        Self::from(edge("BAD_REQUEST", message)).with_status(status)
    }

    /// A mutation that cannot run under its idempotency key.
    pub(crate) fn key(status: u16, code: &'static str, message: &str) -> Self {
        Self::from(edge(code, message)).with_status(status)
    }

    /// A client that has spent its quota.
    fn over_quota(quota: Quota, retry_after_s: u32) -> Self {
        let text = format!("You have asked for more than your quota. Try again in {retry_after_s} seconds.");
        let refusal = Self { quota: Some(quota), ..Self::waiting("RATE_LIMITED", &text, retry_after_s) };
        refusal.with_status(429)
    }

    fn with_status(self, status: u16) -> Self {
        Self { status, transport: true, ..self }
    }

    fn waiting(code: &'static str, message: &str, retry_after_s: u32) -> Self {
        let mut error = edge(code, message);
        if let Some(extensions) = &mut error.extensions {
            extensions.set("retryAfter", retry_after_s);
        }
        Self { retry_after_s: Some(retry_after_s), ..error.into() }
    }

    /// The service cannot answer this now.
    pub(crate) fn busy(message: &str, retry_after_s: u32) -> Self {
        Self::waiting("UNAVAILABLE", message, retry_after_s).with_status(503)
    }
}

impl Judged {
    /// What tells this operation from others: hash of the document, its variables and the chosen operation.
    pub(crate) fn fingerprint(&self) -> String {
        let variables = serde_json::to_string(&self.variables).unwrap_or_default();
        let mut fingerprint = Sha256::new_with_prefix(self.hash);
        for part in [variables.as_str(), self.operation_name.as_deref().unwrap_or_default()] {
            fingerprint.update(part);
            fingerprint.update([0]);
        }
        hexadecimal(&fingerprint.finalize())
    }
}

impl From<Vec<ServerError>> for Refusal {
    fn from(errors: Vec<ServerError>) -> Self {
        Self { status: 400, transport: false, errors, retry_after_s: None, quota: None }
    }
}

impl From<ServerError> for Refusal {
    fn from(error: ServerError) -> Self {
        vec![error].into()
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let Refusal { errors, retry_after_s, quota, .. } = refusal;
        Self { errors, data: None, extensions: None, retry_after_s, quota }
    }
}

impl Answer {
    /// Whether another attempt may go better, so that the answer is not to be kept.
    pub(crate) fn may_differ_next_time(&self) -> bool {
        self.errors.iter().any(|error| {
            let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
            let passing = ["UNAVAILABLE", "RATE_LIMITED", "INTERNAL_SERVER_ERROR", "UNAUTHENTICATED"];
            passing.iter().any(|passing| code == Some(&async_graphql::Value::from(*passing)))
        })
    }
}

impl Incoming {
    /// Reads the parameters of a request (GraphQL over HTTP, section 5.1). Unknown ones are ignored.
    pub(crate) fn read(parameters: Value) -> Result<Self, Refusal> {
        let bad = |message: &str| Refusal::transport(400, message);
        let Value::Object(mut parameters) = parameters else {
            return Err(bad("The request must be a JSON object with a query; batches are not taken."));
        };
        let mut text = |name: &str| match parameters.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(bad(&format!("{name} must be a text."))),
        };
        let (query, operation_name) = (text("query")?, text("operationName")?);
        let mut document_id = text("documentId")?;
        let mut object = |name: &str| match parameters.remove(name) {
            None | Some(Value::Null) => Ok(serde_json::Map::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(_) => Err(bad(&format!("{name} must be an object."))),
        };
        let (variables, extensions) = (object("variables")?, object("extensions")?);
        if let Some(persisted) = extensions.get("persistedQuery") {
            let hash = persisted.get("sha256Hash").and_then(Value::as_str);
            if persisted.get("version").and_then(Value::as_u64) != Some(1) || hash.is_none() {
                return Err(bad("extensions.persistedQuery must have version 1 and a sha256Hash."));
            }
            document_id = hash.map(|hash| format!("sha256:{hash}"));
        }
        if query.is_none() && document_id.is_none() {
            return Err(bad("query is missing: send the text of a GraphQL document."));
        }
        let show_cost = extensions.get("cost").and_then(Value::as_bool).unwrap_or_default();
        Ok(Self { query, document_id, operation_name, variables, show_cost })
    }
}

impl Edge {
    pub(crate) fn new(app: App, settings: ApiSettings) -> Self {
        let sdl = schema::sdl();
        let (documents, bytes) = (CACHED_DOCUMENTS_MAX, CACHED_BYTES_MAX as u64);
        Self {
            app,
            stage: watch::Sender::new(Stage::Serving),
            admission: Admission::new(&settings.limits),
            vigil: Arc::default(),
            seats: Arc::new(Semaphore::new(settings.limits.streams)),
            types: document::schema(&sdl),
            sdl,
            schema: schema::build(),
            documents: Cache::with_weighter(documents, bytes, ByLength),
            persisted: Cache::with_weighter(documents, bytes, ByLength),
            trusted: Cache::with_weighter(documents, bytes, ByLength),
            settings,
        }
    }

    /// Judges a request: nothing has run when it is refused, and no statement was sent but for the look-up of a
    /// registered document.
    pub(crate) async fn judge(&self, incoming: Incoming, caller: &Caller) -> Result<Judged, Refusal> {
        let text = self.text(&incoming, caller).await?;
        let hash: Hash = Sha256::digest(text.as_bytes()).into();
        let limits = &self.settings.limits;
        let variables = Variables::from_json(Value::Object(incoming.variables.clone()));
        let name = incoming.operation_name.as_deref();
        let reckon = |syntax: &apollo_compiler::ast::Document| {
            let operation = cost::operation(syntax, name)?;
            let kind = operation.operation_type;
            cost::of(syntax, operation, &variables, &self.types, limits.nodes).map(|cost| (kind, cost))
        };
        let (document, (kind, cost)) = match self.documents.get(&hash) {
            Some(document) => {
                let reckoned = reckon(&document.syntax)?;
                (document, reckoned)
            }
            None => {
                let syntax = document::parse(&text, limits)?;
                let reckoned = reckon(&syntax);
                // Without an operation to run nothing has a cost, and the validation may know why there is none.
                let no_operation = cost::operation(&syntax, name).is_err();
                let reckoned = if no_operation { None } else { Some(reckoned?) };
                let document = Arc::new(document::validate(syntax, &self.types, text.len())?);
                let reckoned = match reckoned {
                    Some(reckoned) => reckoned,
                    None => reckon(&document.syntax)?,
                };
                self.documents.insert(hash, Arc::clone(&document));
                (document, reckoned)
            }
        };
        let operation = document
            .typed
            .operations
            .get(name)
            .map_err(|_| edge("BAD_REQUEST", "There is no such operation."))?;
        if caller.identity.is_none() || !self.settings.introspection {
            let asks = operation
                .root_fields(&document.typed)
                .any(|field| matches!(field.name.as_str(), "__schema" | "__type"));
            if asks {
                let message =
                    "Introspection needs you to be signed in; the schema is served at /schema.graphql.";
                return Err(edge("FORBIDDEN", message).into());
            }
        }
        let given = serde_json_bytes(incoming.variables);
        coerce_variable_values(&self.types, operation, &given).map_err(|error| {
            let mut shown = edge("BAD_USER_INPUT", error.message().to_string());
            shown.locations.extend(document::place(&document.typed.sources, error.location()));
            shown
        })?;
        let operation_name = operation.name.as_ref().map(ToString::to_string);
        let show_cost = incoming.show_cost;
        Ok(Judged { kind, cost, hash, document, operation_name, variables, show_cost })
    }

    /// A place for an open stream; it is free again when the permit is dropped.
    pub(crate) fn take_stream_seat(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let seat = Arc::clone(&self.seats).try_acquire_owned();
        seat.map_err(|_| Refusal::busy("Too many streams are open. Try again later.", 5))
    }

    /// Takes what an operation costs from the quotas of who asks.
    pub(crate) async fn charge(&self, cost: u64, caller: &Caller) -> Result<Option<Quota>, Refusal> {
        let quotas = &self.settings.quotas;
        let buckets = match (&caller.identity, caller.address) {
            (Some(identity), _) => vec![
                (sender(&identity.bearer), quotas.user),
                (format!("organization:{}", identity.organization.uuid()), quotas.organization),
            ],
            (None, Some(address)) => vec![(format!("address:{}", network(address)), quotas.address)],
            (None, None) => Vec::new(),
        };
        match self.app.spend(&buckets, u32::try_from(cost).unwrap_or(u32::MAX)).await {
            Ok(Some(quota)) => match quota.retry_after_s {
                Some(wait) => Err(Refusal::over_quota(quota, wait)),
                None => Ok(Some(quota)),
            },
            Ok(None) => Ok(None),
            Err(error) => {
                tracing::warn!(request_id = caller.request_id, %error, "a quota could not be charged");
                Err(Refusal::busy("The service cannot answer right now. Try again shortly.", 2))
            }
        }
    }

    /// The text of the document that a request means. A hash stands for a text only where it is the text's own,
    /// and only in the organisation that has registered it or sent it before.
    async fn text(&self, incoming: &Incoming, caller: &Caller) -> Result<Arc<str>, Refusal> {
        let organization = caller.identity.as_ref().map(|identity| identity.organization);
        let given = match incoming.document_id.as_deref() {
            Some(id) => Some(id.strip_prefix("sha256:").and_then(parse_hash).ok_or_else(|| {
                Refusal::transport(400, "A document id is sha256: and 64 hexadecimal digits.")
            })?),
            None => None,
        };
        let own = incoming.query.as_deref().map(|query| Hash::from(Sha256::digest(query)));
        if let (Some(given), Some(own)) = (given, own)
            && given != own
        {
            return Err(Refusal::transport(400, "The hash is not that of the query."));
        }
        let Some(hash) = own.or(given) else { return Err(Refusal::transport(400, "query is missing.")) };
        let kept = self.persisted.get(&(organization, hash));
        if let Some(organization) = organization {
            let only = self.app.is_trusted_client(organization, &caller.client).await;
            let only = only.map_err(|error| unread(&error, caller))?;
            if only || (own.is_none() && kept.is_none()) {
                match self.trusted(organization, hash, caller).await? {
                    Some(text) => return Ok(text),
                    None if only => {
                        let message = "This client may send registered documents only, and this one is not.";
                        return Err(edge("DOCUMENT_NOT_TRUSTED", message).into());
                    }
                    None => {}
                }
            }
        }
        match &incoming.query {
            Some(query) => {
                let text: Arc<str> = query.as_str().into();
                if given.is_some() && text.len() <= self.settings.limits.document_bytes {
                    self.persisted.insert((organization, hash), Arc::clone(&text));
                }
                Ok(text)
            }
            None => kept.ok_or_else(|| edge("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound").into()),
        }
    }

    /// A document that the organisation has registered.
    async fn trusted(
        &self,
        organization: OrganizationId,
        hash: Hash,
        caller: &Caller,
    ) -> Result<Option<Arc<str>>, Refusal> {
        if let Some(text) = self.trusted.get(&(Some(organization), hash)) {
            return Ok(Some(text));
        }
        self.charge(LOOKUP_COST, caller).await?;
        let found = self.app.trusted_document(organization, &hexadecimal(&hash)).await;
        let text: Option<Arc<str>> = found.map_err(|error| unread(&error, caller))?.map(Into::into);
        if let Some(text) = &text {
            self.trusted.insert((Some(organization), hash), Arc::clone(text));
        }
        Ok(text)
    }

    /// The caller as the database knows them now. A token that does not hold makes them anonymous, so that a
    /// client with an expired token can still refresh it; every other field tells them to sign in.
    pub(crate) async fn actor(&self, caller: &Caller) -> Result<Actor, Refusal> {
        let Some(identity) = &caller.identity else { return Ok(Actor::Anonymous) };
        match self.app.principal(identity).await {
            Ok(actor) => Ok(actor),
            Err(Error::Unauthenticated(reason)) => {
                tracing::info!(request_id = caller.request_id, reason, "a token was refused");
                Ok(Actor::Anonymous)
            }
            Err(error) => {
                tracing::warn!(request_id = caller.request_id, %error, "a token could not be checked");
                Err(Refusal::busy("The service cannot answer right now. Try again shortly.", 2))
            }
        }
    }

    /// Runs a query or a mutation.
    pub(crate) async fn run(&self, judged: Judged, actor: Actor, caller: &Caller) -> Answer {
        let response = self.schema.execute(self.request(&judged, actor, caller)).await;
        finish(&self.types, &judged, response, &caller.request_id)
    }

    /// Runs a subscription; a query or mutation answers once.
    pub(crate) fn stream(
        &self,
        judged: Judged,
        actor: Actor,
        caller: &Caller,
    ) -> impl Stream<Item = Answer> + 'static {
        let request = self.request(&judged, actor, caller);
        let (types, request_id) = (Arc::clone(&self.types), caller.request_id.clone());
        self.schema
            .execute_stream(request)
            .map(move |response| finish(&types, &judged, response, &request_id))
    }

    fn request(&self, judged: &Judged, actor: Actor, caller: &Caller) -> async_graphql::Request {
        let context = Request::new(self.app.clone(), actor, caller.request_id.clone(), caller.address);
        let mut request = async_graphql::Request::new("").variables(judged.variables.clone()).data(context);
        request.operation_name.clone_from(&judged.operation_name);
        request.set_parsed_query(judged.document.translated.clone());
        request
    }
}

/// Whether a document may be registered: within the limits, and valid.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check_document(text: &str, limits: &Limits) -> Result<(), Vec<String>> {
    let types = document::schema(&schema::sdl());
    let checked = document::parse(text, limits)
        .map_err(|error| vec![error])
        .and_then(|syntax| document::validate(syntax, &types, text.len()));
    checked.map(drop).map_err(|errors| errors.into_iter().map(|error| error.message).collect())
}

/// What to say when registered documents cannot be read.
fn unread(error: &Error, caller: &Caller) -> Refusal {
    tracing::warn!(request_id = caller.request_id, %error, "registered documents were not read");
    Refusal::busy("The service cannot answer right now. Try again shortly.", 2)
}

/// Gives an answer the shape, the codes and the texts that clients may rely on.
fn finish(
    types: &Valid<apollo_compiler::Schema>,
    judged: &Judged,
    response: Response,
    request_id: &str,
) -> Answer {
    let name = judged.operation_name.as_deref();
    let data = complete(&judged.document.typed, types, name, &judged.variables, response.data);
    let mut errors = response.errors;
    errors.truncate(ERRORS_MAX);
    let throttled = |error: &ServerError| match error.source::<Error>() {
        Some(Error::Throttled { retry_after_s }) => Some(*retry_after_s),
        _ => None,
    };
    let retry_after_s = errors.iter().find_map(throttled);
    let errors = errors.into_iter().map(|cause| error::present(cause, request_id)).collect();
    let extensions = judged.show_cost.then(|| serde_json::json!({ "cost": { "requested": judged.cost } }));
    Answer { errors, data: Some(data), extensions, retry_after_s, quota: None }
}

/// The bucket of a person or an API client.
fn sender(bearer: &Bearer) -> String {
    match bearer {
        Bearer::User { user, .. } => format!("user:{}", user.uuid()),
        Bearer::Client { token, .. } => format!("client:{}", token.client.uuid()),
    }
}

/// What one client can call its own: an address, or the network of 64 bits that an IPv6 client is given.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_hash(hex: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// The variables as the validator takes them.
fn serde_json_bytes(variables: serde_json::Map<String, Value>) -> apollo_compiler::response::JsonMap {
    variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}
