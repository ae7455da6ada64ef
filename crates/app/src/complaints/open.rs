//! What is at stake with the customers who complain, and which of their complaints may be the same.

use std::collections::HashMap;

use chrono::Duration;
use evenhand_domain::access::Permission;
use evenhand_domain::complaints::{Complaint, DUPLICATE_DAYS, OpenComplaints};
use evenhand_domain::error::Result;
use evenhand_domain::id::CustomerId;
use evenhand_domain::money::Money;
use evenhand_persistence::Reader;

use crate::door::Query;

/// Days back for which won deals show what a customer brings.
const REVENUE_DAYS: i64 = 365;
/// Complaints of a customer among which duplicates are looked for.
const CANDIDATES: u32 = 20;

/// The open complaints of some customers, as far as the caller sees them; customers without any are left out.
#[derive(Debug)]
pub struct OpenComplaintsOfCustomers(pub Vec<CustomerId>);

impl Query for OpenComplaintsOfCustomers {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = HashMap<CustomerId, OpenComplaints>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.open_complaints_of_customers(&self.0).await
    }
}

/// What some customers bring: the value of their open deals and of those won within a year, as far as the caller sees
/// them, by currency; customers without any are left out.
#[derive(Debug)]
pub struct RevenueAtRiskOfCustomers(pub Vec<CustomerId>);

impl Query for RevenueAtRiskOfCustomers {
    const PERMISSION: Permission = Permission::ReadDeals;
    type Output = HashMap<CustomerId, Vec<Money>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let since = reader.now().plus(Duration::days(-REVENUE_DAYS));
        reader.deal_value_of_customers(&self.0, since).await
    }
}

/// The newest complaints of some customers that are open or were recorded lately: among them duplicates are looked for.
#[derive(Debug)]
pub struct RecentComplaintsOfCustomers(pub Vec<CustomerId>);

impl Query for RecentComplaintsOfCustomers {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = HashMap<CustomerId, Vec<Complaint>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let since = reader.now().plus(Duration::days(-DUPLICATE_DAYS));
        reader.recent_complaints_of_customers(&self.0, since, CANDIDATES).await
    }
}
