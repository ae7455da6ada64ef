//! GraphQL over WebSocket, by the protocol `graphql-transport-ws`.
//!
//! One task owns a connection: it reads messages, writes answers and decides when to close. Each operation runs
//! in a task of its own and hands its answers over through a bounded queue, so that a client that does not read
//! holds back its own operations and nobody else's memory.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, ProtocolError, Session};
use async_graphql::ServerError;
use evenhand_domain::id::EventId;
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::error::edge as error;
use crate::execute::{Answer, Caller, Edge, Incoming, Refusal};
use crate::http::{self, Stage};
use crate::negotiation::Media;
use crate::sse::answers;

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";
/// Longest frame, and longest message of several frames, in bytes.
const FRAME_BYTES_MAX: usize = 64 * 1024;
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Longest id of an operation, in bytes.
const ID_BYTES_MAX: usize = 128;
/// How long a client may take to introduce itself.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a connection is asked for a sign of life; one that misses two is closed.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long a client may take to read one answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers of all operations of a connection that wait to be written.
const OUTBOX: usize = 16;

/// An answer on its way: the operation, its serial number, and what to say.
type Letter = (String, u64, Output);

enum Output {
    Next(Box<Answer>),
    Error(Vec<ServerError>),
    Complete,
}

/// Why a connection is closed; `None` where the client is gone already.
type Closing = Option<(u16, &'static str)>;

const INVALID: Closing = Some((4400, "Invalid message received"));

struct Connection {
    edge: Arc<Edge>,
    session: Session,
    caller: Caller,
    acknowledged: bool,
    // By id, with a serial number: an id may be used again while old answers are still in the queue.
    running: HashMap<String, (u64, AbortHandle)>,
    serial: u64,
    outbox: mpsc::Sender<Letter>,
    ended: Pin<Box<dyn Future<Output = ()>>>,
    // Whether anything was heard since the last ping.
    heard: bool,
}

/// Answers `/graphql/ws`.
pub(crate) async fn connect(request: HttpRequest, payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let id = http::request_id(&request, &edge.app);
    if !http::origin_may_connect(&request, &edge) {
        let refusal = Refusal::transport(403, "This web page is not allowed to connect.");
        return http::refuse(&request, Media::Json, refusal);
    }
    let seat = match edge.take_stream_seat() {
        Ok(seat) => seat,
        Err(refusal) => return http::refuse(&request, Media::Json, refusal),
    };
    let (response, session, messages) = match actix_ws::handle_with_protocols(&request, payload, &[PROTOCOL])
    {
        Ok(parts) => parts,
        Err(refused) => return refused.error_response(),
    };
    let agreed = response.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL);
    let caller = http::caller(&request, &edge, id).await;
    let messages = messages
        .max_frame_size(FRAME_BYTES_MAX)
        .aggregate_continuations()
        .max_continuation_size(MESSAGE_BYTES_MAX);
    let (outbox, letters) = mpsc::channel(OUTBOX);
    let connection = Connection {
        edge: Arc::clone(&edge),
        session,
        caller,
        acknowledged: false,
        running: HashMap::new(),
        serial: 0,
        outbox,
        ended: Box::pin(std::future::pending()),
        heard: true,
    };
    actix_web::rt::spawn(async move {
        if agreed {
            connection.serve(messages, letters).await;
        } else {
            connection.close(Some((4406, "Subprotocol not acceptable"))).await;
        }
        drop(seat);
    });
    response
}

impl Connection {
    async fn serve(mut self, mut messages: AggregatedMessageStream, mut letters: mpsc::Receiver<Letter>) {
        let mut stage = self.edge.stage.subscribe();
        let mut init = Box::pin(tokio::time::sleep(INIT_TIMEOUT));
        let mut pings = tokio::time::interval(PING_INTERVAL);
        let closing = loop {
            let outcome = tokio::select! {
                message = messages.recv() => self.receive(message).await,
                Some(letter) = letters.recv() => self.deliver(letter).await,
                () = &mut init, if !self.acknowledged => Err(Some((4408, "Connection initialisation timeout"))),
                () = &mut self.ended => Err(Some((4403, "Forbidden"))),
                _ = pings.tick() => self.ping().await,
                _ = stage.wait_for(|stage| *stage == Stage::Ending) => Err(Some((1001, "The server is stopping"))),
            };
            if let Err(closing) = outcome {
                break closing;
            }
        };
        self.close(closing).await;
    }

    async fn close(self, closing: Closing) {
        for (_, operation) in self.running.into_values() {
            operation.abort();
        }
        let reason = closing
            .map(|(code, text)| CloseReason { code: CloseCode::from(code), description: Some(text.into()) });
        // Whoever does not read cannot be told; the connection ends all the same.
        let _ = tokio::time::timeout(SEND_TIMEOUT, self.session.close(reason)).await;
    }

    async fn ping(&mut self) -> Result<(), Closing> {
        if !std::mem::take(&mut self.heard) {
            return Err(None);
        }
        self.session.ping(b"").await.map_err(|_| None)
    }

    async fn receive(
        &mut self,
        message: Option<Result<AggregatedMessage, ProtocolError>>,
    ) -> Result<(), Closing> {
        self.heard = true;
        match message {
            Some(Ok(AggregatedMessage::Text(text))) => self.message(&text).await,
            Some(Ok(AggregatedMessage::Binary(_))) => Err(INVALID),
            Some(Ok(AggregatedMessage::Ping(bytes))) => self.session.pong(&bytes).await.map_err(|_| None),
            Some(Ok(AggregatedMessage::Pong(_))) => Ok(()),
            Some(Ok(AggregatedMessage::Close(reason))) => {
                // The same code back, as RFC 6455 asks.
                Err(reason.map(|reason| (u16::from(reason.code), "")))
            }
            Some(Err(ProtocolError::Overflow | ProtocolError::Io(_))) => {
                Err(Some((1009, "The message is too long")))
            }
            Some(Err(_)) => Err(Some((1002, "Protocol error"))),
            None => Err(None),
        }
    }

    async fn message(&mut self, text: &str) -> Result<(), Closing> {
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else { return Err(INVALID) };
        let payload = message.remove("payload").unwrap_or_default();
        let id = match message.remove("id") {
            Some(Value::String(id)) if !id.is_empty() && id.len() <= ID_BYTES_MAX => Some(id),
            None => None,
            Some(_) => return Err(INVALID),
        };
        let optional = payload.is_null() || payload.is_object();
        match (message.get("type").and_then(Value::as_str), id) {
            (Some("connection_init"), _) if optional => self.init(&payload).await,
            (Some("ping"), _) if optional => {
                let mut pong = json!({ "type": "pong" });
                if !payload.is_null() {
                    pong["payload"] = payload;
                }
                self.send(&pong).await
            }
            (Some("pong"), _) if optional => Ok(()),
            (Some("subscribe"), Some(id)) if payload.is_object() => self.subscribe(id, payload).await,
            (Some("complete"), Some(id)) => {
                if let Some((_, operation)) = self.running.remove(&id) {
                    operation.abort();
                }
                Ok(())
            }
            _ => Err(INVALID),
        }
    }

    async fn init(&mut self, payload: &Value) -> Result<(), Closing> {
        if self.acknowledged {
            return Err(Some((4429, "Too many initialisation requests")));
        }
        let field = ["authorization", "Authorization"].iter().find_map(|name| payload.get(name));
        if let Some(field) = field.filter(|field| !field.is_null()) {
            let token = field.as_str().and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
            if !http::identify(&self.edge, &mut self.caller, token.trim()).await {
                return Err(Some((4403, "Forbidden")));
            }
        }
        self.acknowledged = true;
        let vigil = Arc::clone(&self.edge.vigil);
        self.ended = Box::pin(vigil.until_ended(self.edge.app.clone(), self.caller.identity));
        self.send(&json!({ "type": "connection_ack" })).await
    }

    async fn subscribe(&mut self, id: String, payload: Value) -> Result<(), Closing> {
        if !self.acknowledged {
            return Err(Some((4401, "Unauthorized")));
        }
        if self.running.contains_key(&id) {
            return Err(Some((4409, "Subscriber for this id already exists")));
        }
        if payload.get("query").is_some_and(|query| !query.is_string()) {
            return Err(INVALID);
        }
        let max = self.edge.settings.limits.subscriptions;
        if self.running.len() >= max {
            let text =
                format!("A connection carries at most {max} operations at a time; complete one first.");
            return self
                .send(&json!({ "id": id, "type": "error", "payload": [error("RATE_LIMITED", text)] }))
                .await;
        }
        self.serial += 1;
        let mut caller = self.caller.clone();
        caller.request_id = self.edge.app.new_id::<EventId>().to_string();
        let (edge, outbox, serial) = (Arc::clone(&self.edge), self.outbox.clone(), self.serial);
        let name = id.clone();
        let task = actix_web::rt::spawn(async move {
            let work = operate(edge, payload, caller, &name, serial, &outbox);
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!("an operation over a WebSocket panicked");
                let errors = vec![error("INTERNAL_SERVER_ERROR", "Something went wrong on our side.")];
                // A closed queue means that the connection is gone.
                let _ = outbox.send((name.clone(), serial, Output::Error(errors))).await;
            }
        });
        self.running.insert(id, (self.serial, task.abort_handle()));
        Ok(())
    }

    /// Writes an answer, unless its operation was completed meanwhile.
    async fn deliver(&mut self, (id, serial, output): Letter) -> Result<(), Closing> {
        if self.running.get(&id).is_none_or(|(running, _)| *running != serial) {
            return Ok(());
        }
        let message = match output {
            Output::Next(answer) => json!({ "id": id, "type": "next", "payload": &*answer }),
            Output::Error(errors) => json!({ "id": id, "type": "error", "payload": errors }),
            Output::Complete => json!({ "id": id, "type": "complete" }),
        };
        if message["type"] != "next" {
            self.running.remove(&id);
        }
        self.send(&message).await
    }

    async fn send(&mut self, message: &Value) -> Result<(), Closing> {
        match tokio::time::timeout(SEND_TIMEOUT, self.session.text(message.to_string())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some((4408, "The client does not read"))),
        }
    }
}

/// Runs one operation and posts its answers.
async fn operate(
    edge: Arc<Edge>,
    payload: Value,
    caller: Caller,
    id: &str,
    serial: u64,
    outbox: &mpsc::Sender<Letter>,
) {
    let post = async |output| outbox.send((id.to_owned(), serial, output)).await.is_ok();
    let open = async {
        let judged = edge.judge(Incoming::read(payload)?, &caller).await?;
        answers(Arc::clone(&edge), judged, caller).await
    };
    let mut answers = match open.await {
        Ok(answers) => answers,
        Err(refusal) => {
            post(Output::Error(refusal.errors)).await;
            return;
        }
    };
    while let Some(answer) = answers.next().await {
        if !post(Output::Next(Box::new(answer))).await {
            return;
        }
    }
    post(Output::Complete).await;
}
