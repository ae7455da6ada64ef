//! Export: objects as JSON Lines, one a line, read page by page so that memory does not grow with them.
//!
//! A line is the object's view in the event log, with its type, id and version.

use std::io::Write;

use evenhand_domain::access::Actor;
use evenhand_domain::change::Aggregate;
use evenhand_domain::customers::CustomerSort;
use evenhand_domain::deals::DealSort;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::OrganizationId;
use evenhand_domain::page::{Page, PageRequest};
use serde_json::json;

use crate::activities::ListActivities;
use crate::customers::ListCustomers;
use crate::deals::ListDeals;
use crate::door::{App, Query};
use crate::products::ListProducts;
use crate::teams::ListTeams;
use crate::users::{ListUsers, MembershipsByUsers};

/// Objects that are read, and held in memory, at a time.
const PAGE_SIZE: u32 = 500;

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    /// Teams, by name.
    Teams,
    /// People with their memberships, by name.
    Users,
    /// Products, by name.
    Products,
    /// Customers, oldest record first.
    Customers,
    /// Deals, oldest record first.
    Deals,
    /// Activities, newest first.
    Activities,
}

impl Exported {
    /// Everything, so that what others refer to comes first.
    pub const ALL: [Self; 6] =
        [Self::Teams, Self::Users, Self::Products, Self::Customers, Self::Deals, Self::Activities];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Users => "users",
            Self::Products => "products",
            Self::Customers => "customers",
            Self::Deals => "deals",
            Self::Activities => "activities",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exported| exported.as_str() == text)
    }
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
    what: Exported,
    writer: &mut (impl Write + Send),
) -> Result<u64> {
    let actor = app.system(organization).await?;
    let mut lines = Lines { app, actor, writer, count: 0 };
    let direction = Direction::Asc;
    match what {
        Exported::Teams => lines.all(ListTeams).await?,
        Exported::Users => lines.users().await?,
        Exported::Products => lines.all(ListProducts).await?,
        Exported::Customers => {
            let sort = CustomerSort::CreatedAt;
            lines.all(|page| ListCustomers { page, filter: Filter::default(), sort, direction }).await?;
        }
        Exported::Deals => {
            let sort = DealSort::CreatedAt;
            lines.all(|page| ListDeals { page, filter: Filter::default(), sort, direction }).await?;
        }
        Exported::Activities => {
            lines.all(|page| ListActivities { page, filter: Filter::default() }).await?;
        }
    }
    lines.writer.flush().map_err(unwritten)?;
    Ok(lines.count)
}

struct Lines<'a, W> {
    app: &'a App,
    actor: Actor,
    writer: &'a mut W,
    count: u64,
}

impl<W: Write + Send> Lines<'_, W> {
    async fn all<T, Q>(&mut self, list: impl Fn(PageRequest) -> Q + Send) -> Result<()>
    where
        T: Aggregate + Send,
        Q: Query<Output = Page<T>> + Send,
    {
        let mut next = Some(PageRequest::first(PAGE_SIZE));
        while let Some(request) = next {
            let page = self.app.query(&self.actor, &list(request)).await?;
            next = following(&page);
            page.items.iter().try_for_each(|(object, _)| self.line(object))?;
        }
        Ok(())
    }

    /// Like [`Lines::all`], with the memberships, which a list of people does not read.
    async fn users(&mut self) -> Result<()> {
        let mut next = Some(PageRequest::first(PAGE_SIZE));
        while let Some(page) = next {
            let page = self.app.query(&self.actor, &ListUsers { page, filter: Filter::default() }).await?;
            next = following(&page);
            let ids = page.items.iter().map(|(user, _)| user.id).collect();
            let mut stays = self.app.query(&self.actor, &MembershipsByUsers(ids)).await?;
            for (mut user, _) in page.items {
                user.memberships = stays.remove(&user.id).unwrap_or_default();
                self.line(&user)?;
            }
        }
        Ok(())
    }

    fn line<T: Aggregate>(&mut self, object: &T) -> Result<()> {
        let mut line = json!({
            "type": T::SUBJECT, "id": object.subject_id(), "version": object.version(),
        });
        if let (Some(line), serde_json::Value::Object(view)) = (line.as_object_mut(), object.view()) {
            line.extend(view);
        }
        self.count += 1;
        writeln!(self.writer, "{line}").map_err(unwritten)
    }
}

/// Where the page after this one begins; `None` after the last.
fn following<T>(page: &Page<T>) -> Option<PageRequest> {
    let (_, last) = page.items.last().filter(|_| page.has_next)?;
    Some(PageRequest { after: Some(last.clone()), ..PageRequest::first(PAGE_SIZE) })
}

fn unwritten(error: std::io::Error) -> Error {
    Error::Unavailable(format!("the export cannot be written: {error}"))
}
