//! GraphQL over server-sent events, distinct connections mode: one stream for one operation.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use apollo_compiler::ast::OperationType;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::execute::{Answer, Caller, Edge, Judged, Refusal};
use crate::http::{self, Stage};
use crate::limits::REQUEST_TIMEOUT;
use crate::negotiation::Media;

/// How often a quiet stream says that it lives, so that proxies keep it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers `/graphql/stream`.
pub(crate) async fn stream(request: HttpRequest, payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let id = http::request_id(&request, &edge.app);
    let mut response = if *request.method() == Method::OPTIONS {
        http::preflight()
    } else {
        open(&request, payload, &edge, &id)
            .await
            .unwrap_or_else(|refusal| http::refuse(&request, Media::GraphqlResponse, refusal))
    };
    http::finish(&request, &edge, &id, &mut response);
    response
}

async fn open(
    request: &HttpRequest,
    payload: Payload,
    edge: &Data<Edge>,
    id: &str,
) -> Result<HttpResponse, Refusal> {
    let incoming = http::incoming(request, payload, edge).await?;
    let caller = http::caller(request, edge, id.to_owned()).await;
    let judged = edge.judge(incoming, &caller).await?;
    if *request.method() == Method::GET && judged.kind == OperationType::Mutation {
        return Err(Refusal::transport(405, "GET runs no mutations; send this by POST."));
    }
    let seat = edge.take_stream_seat()?;
    let answers = answers(Arc::clone(edge), judged, caller.clone()).await?;
    let next = answers.map(|answer| {
        let json = serde_json::to_string(&answer).unwrap_or_default();
        Bytes::from(format!("event: next\ndata: {json}\n\n"))
    });
    let complete = stream::once(async { Bytes::from_static(b"event: complete\ndata:\n\n") });
    let beats = tokio::time::interval(KEEP_ALIVE);
    let events = stream::unfold(
        (Box::pin(next.chain(complete)), beats, seat),
        |(mut answers, mut beats, seat)| async move {
            tokio::select! {
                answer = answers.next() => {
                    answer.map(|answer| (Ok::<_, actix_web::Error>(answer), (answers, beats, seat)))
                }
                _ = beats.tick() => Some((Ok(Bytes::from_static(b":\n\n")), (answers, beats, seat))),
            }
        },
    );
    let mut stage = edge.stage.subscribe();
    let ended = Arc::clone(&edge.vigil).until_ended(edge.app.clone(), caller.identity);
    let ending = async move {
        tokio::select! {
            // An error means that the server is gone, which is the same.
            _ = stage.wait_for(|stage| *stage == Stage::Ending) => {}
            () = ended => {}
        }
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Compression would hold events back until its buffer is full.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(events.take_until(Box::pin(ending))))
}

/// The answers of any operation: those of a subscription as they come, else the only one.
pub(crate) async fn answers(
    edge: Arc<Edge>,
    judged: Judged,
    caller: Caller,
) -> Result<BoxStream<'static, Answer>, Refusal> {
    if judged.kind == OperationType::Subscription {
        edge.charge(judged.cost, &caller).await?;
        let actor = edge.actor(&caller).await?;
        Ok(edge.stream(judged, actor, &caller).boxed())
    } else {
        let run = tokio::time::timeout(REQUEST_TIMEOUT, http::run(&edge, judged, &caller));
        let late = |_| Refusal::busy("The request took too long. Ask for less at a time.", 5);
        let answer = run.await.map_err(late)??;
        Ok(stream::once(std::future::ready(answer)).boxed())
    }
}
