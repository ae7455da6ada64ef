//! The policies that say how soon complaints are answered.

use evenhand_domain::access::Permission;
use evenhand_domain::complaints::{NewSlaPolicy, SlaPolicy};
use evenhand_domain::error::{Reference, Result};
use evenhand_domain::id::SlaPolicyId;
use evenhand_domain::page::{Page, PageRequest};
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};

/// Adds a policy: complaints that are recorded or assessed from now on may follow it.
#[derive(Debug)]
pub struct CreateSlaPolicy(pub NewSlaPolicy);

impl Command for CreateSlaPolicy {
    const PERMISSION: Permission = Permission::ManageSlaPolicies;
    type Output = SlaPolicy;

    async fn run(&self, tx: &mut Tx) -> Result<SlaPolicy> {
        let change = SlaPolicy::create(&self.0, tx.new_id(), tx.now())?;
        if let Some(product) = self.0.criteria.product_id {
            tx.read().product(product).await.referenced("productId")?;
        }
        if let Some(calendar) = self.0.calendar_id {
            tx.read().work_calendar(calendar).await.referenced("calendarId")?;
        }
        tx.save(change).await
    }
}

/// Policies by id; unknown ids are left out.
#[derive(Debug)]
pub struct SlaPoliciesByIds(pub Vec<SlaPolicyId>);

impl Query for SlaPoliciesByIds {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Vec<SlaPolicy>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<SlaPolicy>> {
        reader.sla_policies_by_ids(&self.0).await
    }
}

/// A page of policies, by name.
#[derive(Debug)]
pub struct ListSlaPolicies(pub PageRequest);

impl Query for ListSlaPolicies {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Page<SlaPolicy>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<SlaPolicy>> {
        reader.sla_policies(&self.0).await
    }
}

/// Number of policies.
#[derive(Debug)]
pub struct CountSlaPolicies;

impl Query for CountSlaPolicies {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_sla_policies().await
    }
}
