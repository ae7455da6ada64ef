//! Complaints: recorded, worked on step by step against their clocks, and settled.

use std::collections::HashMap;

use evenhand_domain::access::Permission;
use evenhand_domain::complaints::{
    Attachment, Channel, Complaint, ComplaintSort, ComplaintTerm, Confidentiality, Remedy, Reporter,
};
use evenhand_domain::error::Result;
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{ComplaintId, CustomerId, ProductId, UserId};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::time::Timestamp;
use evenhand_persistence::Reader;

use crate::door::Query;

mod handling;
mod news;
mod notices;
mod open;
mod policies;
mod statistics;
mod surveys;
mod timers;

pub use handling::{HandleComplaint, Step};
pub use news::ComplaintNews;
pub use open::{OpenComplaintsOfCustomers, RecentComplaintsOfCustomers, RevenueAtRiskOfCustomers};
pub use policies::{CountSlaPolicies, CreateSlaPolicy, ListSlaPolicies, SlaPoliciesByIds, UpdateSlaPolicy};
pub use statistics::ComplaintStatistics;
pub use surveys::{ScoreSurveys, ScoredSurveys, SurveyForm, SurveysByIds, SurveysOfComplaints, survey_token};

/// Writes a complaint down; its clocks run from now.
#[derive(Debug)]
pub struct RecordComplaint {
    /// Number; `None` takes the next free one.
    pub number: Option<String>,
    /// Whose complaint it is.
    pub customer_id: CustomerId,
    /// Who complained, where the customer has no such contact.
    pub reporter: Option<Reporter>,
    /// What it is about, in a line.
    pub subject: String,
    /// What happened.
    pub description: String,
    /// How it came.
    pub channel: Channel,
    /// What the customer wants; `None` when nobody asked.
    pub remedy: Option<Remedy>,
    /// Which product it is about; also one that is no longer sold.
    pub product_id: Option<ProductId>,
    /// Who answers for it; `None` means the caller.
    pub owner_id: Option<UserId>,
    /// Who may read it.
    pub confidentiality: Confidentiality,
    /// Whether somebody's safety is at stake.
    pub is_safety_risk: bool,
    /// Documents.
    pub attachments: Vec<Attachment>,
    /// When it happened.
    pub occurred_at: Option<Timestamp>,
}

/// Complaints by id; those that the caller may not see are left out.
#[derive(Debug)]
pub struct ComplaintsByIds(pub Vec<ComplaintId>);

impl Query for ComplaintsByIds {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Vec<Complaint>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Complaint>> {
        reader.complaints_by_ids(&self.0).await
    }
}

/// A page of complaints.
#[derive(Debug)]
pub struct ListComplaints {
    /// Which part.
    pub page: PageRequest,
    /// Which complaints.
    pub filter: Filter<ComplaintTerm>,
    /// By what they are sorted.
    pub sort: ComplaintSort,
    /// Which end comes first.
    pub direction: Direction,
}

impl Query for ListComplaints {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Page<Complaint>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<Complaint>> {
        reader.complaints(&self.page, &self.filter, self.sort, self.direction).await
    }
}

/// Number of complaints.
#[derive(Debug)]
pub struct CountComplaints(pub Filter<ComplaintTerm>);

impl Query for CountComplaints {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_complaints(&self.0).await
    }
}

/// The first page of complaints of each of some customers, newest first; customers without complaints are left out.
#[derive(Debug)]
pub struct NewestComplaintsOfCustomers {
    /// Which customers.
    pub customers: Vec<CustomerId>,
    /// Complaints wanted for each.
    pub size: u32,
}

impl Query for NewestComplaintsOfCustomers {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = HashMap<CustomerId, Page<Complaint>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.newest_complaints_of_customers(&self.customers, self.size).await
    }
}

/// Number of complaints of each of some customers; customers without complaints are left out.
#[derive(Debug)]
pub struct CountComplaintsOfCustomers(pub Vec<CustomerId>);

impl Query for CountComplaintsOfCustomers {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = HashMap<CustomerId, i64>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.count_complaints_of_customers(&self.0).await
    }
}
