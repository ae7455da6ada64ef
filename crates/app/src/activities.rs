//! Daily work: calls, visits, meetings, messages and notes.

use std::collections::HashMap;

use evenhand_domain::access::Permission;
use evenhand_domain::activities::{Activity, ActivityKind, ActivityTerm, NewActivity};
use evenhand_domain::error::{Code, Problem, Reference, Result};
use evenhand_domain::filter::Filter;
use evenhand_domain::id::{ActivityId, CustomerId, DealId, UserId};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::time::Timestamp;
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};
use crate::users::in_reach;

/// Logs an activity.
#[derive(Debug)]
pub struct LogActivity {
    /// What was done.
    pub kind: ActivityKind,
    /// With which customer; `None` means that of the deal.
    pub customer_id: Option<CustomerId>,
    /// For which deal.
    pub deal_id: Option<DealId>,
    /// Who did it; `None` means the caller.
    pub user_id: Option<UserId>,
    /// When it began; `None` means now.
    pub started_at: Option<Timestamp>,
    /// How long it took, in seconds.
    pub seconds: Option<u32>,
    /// Whether somebody answered the call.
    pub connected: Option<bool>,
    /// What came of it.
    pub outcome: Option<String>,
    /// What was said.
    pub note: Option<String>,
}

impl LogActivity {
    /// The customer that it was done with, checked against the deal.
    async fn customer(&self, tx: &Tx) -> Result<Option<CustomerId>> {
        if let Some(id) = self.customer_id {
            tx.read().customer(id).await.referenced("customerId")?;
        }
        let Some(id) = self.deal_id else { return Ok(self.customer_id) };
        let deal = tx.read().deal(id).await.referenced("dealId")?;
        match (self.customer_id, deal.customer_id) {
            (Some(named), Some(of_deal)) if named != of_deal => {
                let message = "This deal is with another customer; leave out the customer or the deal.";
                Err(Problem::new(Code::NotFound, message).at("dealId").into())
            }
            (named, of_deal) => Ok(named.or(of_deal)),
        }
    }
}

impl Command for LogActivity {
    const PERMISSION: Permission = Permission::LogActivities;
    type Output = Activity;

    async fn run(&self, tx: &mut Tx) -> Result<Activity> {
        let caller = tx.grant().user();
        let user_id = self.user_id.or(caller).ok_or_else(|| Problem::required("userId"))?;
        if caller != Some(user_id) {
            in_reach(tx, user_id, Self::PERMISSION, "userId").await?;
        }
        let input = NewActivity {
            kind: self.kind,
            customer_id: self.customer(tx).await?,
            deal_id: self.deal_id,
            user_id,
            started_at: self.started_at.unwrap_or_else(|| tx.now()),
            seconds: self.seconds,
            connected: self.connected,
            outcome: self.outcome.clone(),
            note: self.note.clone(),
        };
        let change = Activity::log(&input, tx.new_id(), caller, tx.now())?;
        tx.save(change).await
    }
}

/// Activities by id; those that the caller may not see are left out.
#[derive(Debug)]
pub struct ActivitiesByIds(pub Vec<ActivityId>);

impl Query for ActivitiesByIds {
    const PERMISSION: Permission = Permission::ReadActivities;
    type Output = Vec<Activity>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Activity>> {
        reader.activities_by_ids(&self.0).await
    }
}

/// A page of activities, newest first.
#[derive(Debug)]
pub struct ListActivities {
    /// Which part.
    pub page: PageRequest,
    /// Which activities.
    pub filter: Filter<ActivityTerm>,
}

impl Query for ListActivities {
    const PERMISSION: Permission = Permission::ReadActivities;
    type Output = Page<Activity>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<Activity>> {
        reader.activities(&self.page, &self.filter).await
    }
}

/// Number of activities.
#[derive(Debug)]
pub struct CountActivities(pub Filter<ActivityTerm>);

impl Query for CountActivities {
    const PERMISSION: Permission = Permission::ReadActivities;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_activities(&self.0).await
    }
}

/// The first page of the activities with each of some customers, newest first.
#[derive(Debug)]
pub struct ActivitiesOfCustomers {
    /// With which customers.
    pub customers: Vec<CustomerId>,
    /// Rows of each page.
    pub size: u32,
}

impl Query for ActivitiesOfCustomers {
    const PERMISSION: Permission = Permission::ReadActivities;
    type Output = HashMap<CustomerId, Page<Activity>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.activities_of_customers(&self.customers, self.size).await
    }
}

/// Number of activities with each of some customers.
#[derive(Debug)]
pub struct CountActivitiesOfCustomers(pub Vec<CustomerId>);

impl Query for CountActivitiesOfCustomers {
    const PERMISSION: Permission = Permission::ReadActivities;
    type Output = HashMap<CustomerId, i64>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.count_activities_of_customers(&self.0).await
    }
}
