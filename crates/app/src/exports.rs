//! Export: objects as JSON Lines, one a line, read page by page so that memory does not grow with them.
//!
//! A line is the object's view in the event log with its type, id and version, and with what the log leaves out.

use std::io::Write;

use evenhand_domain::access::{Actor, Permission};
use evenhand_domain::activities::Activity;
use evenhand_domain::calendars::WorkCalendar;
use evenhand_domain::change::{Aggregate, SubjectType};
use evenhand_domain::complaints::{Complaint, ComplaintSort, SlaPolicy};
use evenhand_domain::customers::{Customer, CustomerSort};
use evenhand_domain::deals::{Deal, DealSort};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::exports::{Export, ExportKind, ExportSelection};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{ExportId, OrganizationId};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::products::Product;
use evenhand_domain::teams::Team;
use evenhand_domain::users::User;
use evenhand_persistence::{Reader, Tx};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::activities::{CountActivities, ListActivities};
use crate::calendars::{CountWorkCalendars, ListWorkCalendars};
use crate::complaints::{CountComplaints, CountSlaPolicies, ListComplaints, ListSlaPolicies};
use crate::customers::{CountCustomers, ListCustomers};
use crate::deals::{CountDeals, ListDeals};
use crate::door::{App, Command, Query};
use crate::products::{CountProducts, ListProducts};
use crate::teams::{CountTeams, ListTeams};
use crate::users::{CountUsers, ListUsers, MembershipsByUsers};

/// Objects that are read, and held in memory, at a time.
pub const EXPORT_PAGE: u32 = 500;

/// Asks for a download. What it gives is read when it is downloaded.
#[derive(Debug)]
pub struct StartExport(pub ExportSelection);

impl Command for StartExport {
    const PERMISSION: Permission = Permission::UseOwnAccount;
    type Output = Export;

    async fn run(&self, tx: &mut Tx) -> Result<Export> {
        tx.grant().also(self.0.kind().permission())?;
        let user = tx.grant().user().ok_or(Error::Forbidden)?;
        tx.save(Export::start(self.0.clone(), tx.new_id(), user, tx.now())?).await
    }
}

/// An export of the caller.
#[derive(Debug)]
pub struct GetExport(pub ExportId);

impl Query for GetExport {
    const PERMISSION: Permission = Permission::UseOwnAccount;
    type Output = Export;

    async fn run(&self, reader: &Reader<'_>) -> Result<Export> {
        reader.export(self.0).await
    }
}

/// One object of an export.
#[derive(Debug)]
pub struct ExportLine {
    /// What it is.
    pub subject: SubjectType,
    /// Which.
    pub id: Uuid,
    /// The line, a JSON object.
    pub line: Map<String, Value>,
}

/// A part of an export.
#[derive(Debug)]
pub struct ExportPage {
    /// Its objects.
    pub lines: Vec<ExportLine>,
    /// Where the next part begins; `None` after the last.
    pub next: Option<PageRequest>,
}

/// How an object is exported.
trait Exported: Aggregate {
    /// What a line tells beyond the view in the log.
    fn more(&self) -> Value {
        json!({})
    }
}

impl Exported for Team {}
impl Exported for User {}
impl Exported for WorkCalendar {}
impl Exported for Product {}
impl Exported for SlaPolicy {}
impl Exported for Activity {}

impl Exported for Customer {
    fn more(&self) -> Value {
        json!({ "createdAt": self.created_at, "updatedAt": self.updated_at })
    }
}

impl Exported for Deal {
    fn more(&self) -> Value {
        json!({ "createdAt": self.created_at, "updatedAt": self.updated_at })
    }
}

impl Exported for Complaint {
    fn more(&self) -> Value {
        json!({
            "description": self.description, "reporter": self.reporter, "attachments": self.attachments,
            "createdAt": self.created_at, "updatedAt": self.updated_at,
        })
    }
}

impl App {
    /// A part of an export, of what `actor` may see at this moment.
    ///
    /// # Errors
    /// As [`App::query`].
    pub async fn export_page(
        &self,
        actor: &Actor,
        selection: &ExportSelection,
        page: PageRequest,
    ) -> Result<ExportPage> {
        let direction = Direction::Asc;
        match selection {
            ExportSelection::Customers(filter) => {
                let (filter, sort) = (filter.clone(), CustomerSort::CreatedAt);
                self.lines(actor, ListCustomers { page, filter, sort, direction }).await
            }
            ExportSelection::Deals(filter) => {
                let (filter, sort) = (filter.clone(), DealSort::CreatedAt);
                self.lines(actor, ListDeals { page, filter, sort, direction }).await
            }
            ExportSelection::Activities(filter) => {
                self.lines(actor, ListActivities { page, filter: filter.clone() }).await
            }
            ExportSelection::Complaints(filter) => {
                // The number is what never changes of a complaint.
                let (filter, sort) = (filter.clone(), ComplaintSort::Number);
                self.lines(actor, ListComplaints { page, filter, sort, direction }).await
            }
            ExportSelection::Teams => self.lines(actor, ListTeams(page)).await,
            ExportSelection::Users => self.users(actor, page).await,
            ExportSelection::WorkCalendars => self.lines(actor, ListWorkCalendars(page)).await,
            ExportSelection::Products => self.lines(actor, ListProducts(page)).await,
            ExportSelection::SlaPolicies => self.lines(actor, ListSlaPolicies(page)).await,
        }
    }

    /// How many objects an export gives, of what `actor` may see at this moment.
    ///
    /// # Errors
    /// As [`App::query`].
    pub async fn count_export(&self, actor: &Actor, selection: &ExportSelection) -> Result<i64> {
        match selection {
            ExportSelection::Customers(filter) => self.query(actor, &CountCustomers(filter.clone())).await,
            ExportSelection::Deals(filter) => self.query(actor, &CountDeals(filter.clone())).await,
            ExportSelection::Activities(filter) => self.query(actor, &CountActivities(filter.clone())).await,
            ExportSelection::Complaints(filter) => self.query(actor, &CountComplaints(filter.clone())).await,
            ExportSelection::Teams => self.query(actor, &CountTeams).await,
            ExportSelection::Users => self.query(actor, &CountUsers(Filter::default())).await,
            ExportSelection::WorkCalendars => self.query(actor, &CountWorkCalendars).await,
            ExportSelection::Products => self.query(actor, &CountProducts).await,
            ExportSelection::SlaPolicies => self.query(actor, &CountSlaPolicies).await,
        }
    }

    async fn lines<T, Q>(&self, actor: &Actor, list: Q) -> Result<ExportPage>
    where
        T: Exported,
        Q: Query<Output = Page<T>>,
    {
        let page = self.query(actor, &list).await?;
        Ok(ExportPage { next: following(&page), lines: page.items.iter().map(|(it, _)| line(it)).collect() })
    }

    /// Like [`App::lines`], with the memberships, which a list of people does not read.
    async fn users(&self, actor: &Actor, page: PageRequest) -> Result<ExportPage> {
        let page = self.query(actor, &ListUsers { page, filter: Filter::default() }).await?;
        let next = following(&page);
        let ids = page.items.iter().map(|(user, _)| user.id).collect();
        let mut stays = self.query(actor, &MembershipsByUsers(ids)).await?;
        let lines = page.items.into_iter().map(|(mut user, _)| {
            user.memberships = stays.remove(&user.id).unwrap_or_default();
            line(&user)
        });
        Ok(ExportPage { lines: lines.collect(), next })
    }
}

fn line<T: Exported>(object: &T) -> ExportLine {
    let (subject, id) = (T::SUBJECT, object.subject_id());
    let head = json!({ "type": subject, "id": id, "version": object.version() });
    let parts = [head, object.view(), object.more()];
    let fields = parts.into_iter().filter_map(|part| match part {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    ExportLine { subject, id, line: fields.flatten().collect() }
}

/// Where the page after this one begins; `None` after the last.
fn following<T>(page: &Page<T>) -> Option<PageRequest> {
    let (_, last) = page.items.last().filter(|_| page.has_next)?;
    Some(PageRequest { after: Some(last.clone()), ..PageRequest::first(EXPORT_PAGE) })
}

/// Writes all objects of one kind and answers how many there were. Objects that are written while the export
/// runs may be missing or not.
///
/// # Errors
/// [`Error::NotFound`] when there is no such organisation; [`Error::Unavailable`] when the database cannot be
/// read or the lines cannot be written.
pub async fn export(
    app: &App,
    organization: OrganizationId,
    kind: ExportKind,
    writer: &mut (impl Write + Send),
) -> Result<u64> {
    let actor = app.system(organization).await?;
    let selection = ExportSelection::all(kind);
    let mut next = Some(PageRequest::first(EXPORT_PAGE));
    let mut count = 0;
    while let Some(request) = next {
        let page = app.export_page(&actor, &selection, request).await?;
        next = page.next;
        for ExportLine { line, .. } in page.lines {
            count += 1;
            writeln!(writer, "{}", Value::Object(line)).map_err(unwritten)?;
        }
    }
    writer.flush().map_err(unwritten)?;
    Ok(count)
}

fn unwritten(error: std::io::Error) -> Error {
    Error::Unavailable(format!("the export cannot be written: {error}"))
}
