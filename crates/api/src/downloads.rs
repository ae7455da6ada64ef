//! Downloads: an export as JSON Lines over HTTP, page by page, each under the rights that its owner has at that moment.
//!
//! A page waits for its turn and is paid for like a request; one that must wait delays the download instead of ending
//! it. A download that cannot go on is broken off, which an HTTP client tells from its end.

use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use evenhand_app::exports::{EXPORT_PAGE, ExportLine, ExportPage, GetExport};
use evenhand_domain::access::Actor;
use evenhand_domain::error::Error;
use evenhand_domain::exports::ExportSelection;
use evenhand_domain::id::{EntityId, ExportId};
use evenhand_domain::page::PageRequest;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use crate::changes::graphql_type;
use crate::error;
use crate::execute::{Caller, Edge, Refusal};
use crate::http::{self, Stage};
use crate::ids;
use crate::limits::{EXPORT_OBJECTS_PER_POINT, EXPORT_WAIT_MAX, REQUEST_TIMEOUT};
use crate::negotiation::Media;

/// The media type of JSON Lines.
const JSON_LINES: &str = "application/x-ndjson";
/// How long a page waits before it asks for its turn again.
const TURN: Duration = Duration::from_secs(1);

/// Where an export is downloaded.
pub(crate) fn path_of(id: ExportId) -> String {
    format!("/exports/{}", ids::encode(id).as_str())
}

/// Answers `/exports/{id}`.
pub(crate) async fn download(request: HttpRequest, id: Path<String>, edge: Data<Edge>) -> HttpResponse {
    let request_id = http::request_id(&request, &edge.app);
    let mut response = if *request.method() == Method::OPTIONS {
        http::preflight()
    } else {
        let begun = begin(&request, &id, edge.clone(), &request_id).await;
        begun.unwrap_or_else(|refusal| http::refuse(&request, Media::Json, refusal))
    };
    http::finish(&request, &edge, &request_id, &mut response);
    response
}

/// A download on its way.
struct Download {
    edge: Data<Edge>,
    caller: Caller,
    actor: Actor,
    selection: ExportSelection,
    next: Option<PageRequest>,
    // It ends with the download.
    _seat: OwnedSemaphorePermit,
}

async fn begin(
    request: &HttpRequest,
    id: &str,
    edge: Data<Edge>,
    request_id: &str,
) -> Result<HttpResponse, Refusal> {
    let caller = http::caller(request, &edge, request_id.to_owned()).await;
    let actor = edge.actor(&caller).await?;
    let seat = edge.take_stream_seat()?;
    let refused = |cause| refusal(cause, request_id);
    let id: ExportId = ids::decode(&id.into()).map_err(|_| refused(Error::NotFound))?;
    let export = edge.app.query(&actor, &GetExport(id)).await.map_err(refused)?;
    if !export.is_live(edge.app.now()) {
        return Err(refused(Error::NotFound));
    }
    edge.charge(page_cost(), &caller).await?;
    let (selection, next) = (export.selection, Some(PageRequest::first(EXPORT_PAGE)));
    let mut download = Download { edge, caller, actor, selection, next, _seat: seat };
    // The first page tells whether there is a download at all, as long as a status can say so.
    let first = download.read().await.map_err(refused)?;
    let rest = stream::unfold(Some(download), |download| async {
        let mut download = download?;
        match download.page().await {
            Ok(Some(lines)) => Some((Ok(lines), Some(download))),
            Ok(None) => None,
            Err(cause) => {
                tracing::warn!(request_id = download.caller.request_id, %cause, "a download was broken off");
                Some((Err(actix_web::error::ErrorServiceUnavailable("broken off")), None))
            }
        }
    });
    let lines = stream::once(std::future::ready(Ok::<_, actix_web::Error>(first)));
    let name = format!("attachment; filename=\"{}.jsonl\"", id.uuid());
    Ok(HttpResponse::Ok()
        .content_type(JSON_LINES)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .streaming(futures_util::StreamExt::chain(lines, rest)))
}

/// What a page costs in points.
fn page_cost() -> u64 {
    u64::from(EXPORT_PAGE) / EXPORT_OBJECTS_PER_POINT
}

impl Download {
    /// The lines of the next page once it is paid for; `None` after the last.
    async fn page(&mut self) -> Result<Option<Bytes>, Error> {
        if self.next.is_none() {
            return Ok(None);
        }
        let paid = async {
            while let Err(refusal) = self.edge.charge(page_cost(), &self.caller).await {
                let wait = refusal.retry_after_s.unwrap_or(1);
                tokio::time::sleep(Duration::from_secs(wait.into())).await;
            }
        };
        let late = |_| Error::Unavailable("the quota is spent by other requests".into());
        tokio::time::timeout(EXPORT_WAIT_MAX, paid).await.map_err(late)?;
        self.actor = self.edge.app.renew(&self.actor).await?;
        self.read().await.map(Some)
    }

    /// The lines of the next page; none after the last.
    async fn read(&mut self) -> Result<Bytes, Error> {
        let Some(request) = self.next.take() else { return Ok(Bytes::new()) };
        let organization = self.caller.identity.as_ref().map(|identity| identity.organization);
        let turn = async {
            loop {
                if *self.edge.stage.borrow() == Stage::Ending {
                    return Err(Error::Unavailable("the server is stopping".into()));
                }
                match self.edge.admission.enter(organization).await {
                    Some(permit) => return Ok(permit),
                    None => tokio::time::sleep(TURN).await,
                }
            }
        };
        let late = |_| Error::Unavailable("there was no turn for the next page".into());
        let _permit = tokio::time::timeout(EXPORT_WAIT_MAX, turn).await.map_err(late)??;
        let page = self.edge.app.export_page(&self.actor, &self.selection, request);
        let late = |_| Error::Unavailable("a page took too long".into());
        let ExportPage { lines, next } =
            tokio::time::timeout(REQUEST_TIMEOUT, page).await.map_err(late)??;
        self.next = next;
        let mut text = String::new();
        for ExportLine { subject, id, mut line } in lines {
            line.insert("nodeId".into(), ids::encode_raw(graphql_type(subject), id).as_str().into());
            text += &Value::Object(line).to_string();
            text.push('\n');
        }
        Ok(text.into())
    }
}

/// Why there is no download.
fn refusal(cause: Error, request_id: &str) -> Refusal {
    let status = match &cause {
        Error::Unauthenticated(_) => 401,
        Error::Forbidden => 403,
        Error::NotFound => 404,
        Error::Unavailable(_) | Error::Contention => return Refusal::busy("Try again shortly.", 1),
        _ => 500,
    };
    let error: async_graphql::Error = cause.into();
    let error = error::present(error.into_server_error(async_graphql::Pos::default()), request_id);
    Refusal { status, transport: true, ..error.into() }
}
