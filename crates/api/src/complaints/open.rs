//! What is at stake with customers who complain, the warning of whoever wants to sell them something, and complaints that
//! may be the same.

use async_graphql::{Context, Object, Result, SimpleObject};
use evenhand_app::complaints::{
    OpenComplaintsOfCustomers, RecentComplaintsOfCustomers, RevenueAtRiskOfCustomers,
};
use evenhand_domain::complaints::{self as domain, CustomerWarningCode, OpenComplaints, exposure};
use evenhand_domain::error::Error;
use evenhand_domain::id::CustomerId;

use super::Complaint;
use crate::context::Request;
use crate::deals::hidden;
use crate::scalars::Money;
use crate::wire::Wire;

/// What is at stake with a customer.
pub(crate) struct CustomerExposure {
    customer: CustomerId,
    open: OpenComplaints,
}

/// What is at stake with a customer, as far as you see it: complaints and deals that you may not see do not count.
#[Object]
impl CustomerExposure {
    /// How many of their complaints are open.
    async fn open_complaints(&self) -> u32 {
        self.open.count
    }

    /// How many of those are serious: their severity is HIGH or CRITICAL, or somebody's safety is at stake.
    async fn serious_complaints(&self) -> u32 {
        self.open.serious
    }

    /// Whether one is.
    async fn has_serious_complaint(&self) -> bool {
        self.open.serious > 0
    }

    /// How many people may hear of them: 616 for each open complaint, 11 from the customer and 55 from each of those. A
    /// claim that is often repeated and has no known source: for illustration, not for decisions.
    async fn hearers(&self) -> i64 {
        i64::try_from(exposure(self.open.count).hearers).unwrap_or(i64::MAX)
    }

    /// What the customer brings, one amount per currency: the value of their open deals, and of those that were won in the
    /// last 365 days and not taken back. Empty while no complaint is open: then nothing is at risk. Null where your role
    /// may not read deals.
    async fn revenue_at_risk(&self, ctx: &Context<'_>) -> Result<Option<Vec<Money>>> {
        let request = Request::of(ctx).asker();
        let values = Request::of(ctx).loaders().revenue_at_risk.load(self.customer, |customers| async move {
            request.query(&RevenueAtRiskOfCustomers(customers)).await
        });
        let values = match values.await {
            Err(Error::Forbidden) => return Ok(None),
            values => values?.unwrap_or_default(),
        };
        let at_risk = values.into_iter().filter(|_| self.open.count > 0);
        Ok(Some(at_risk.map(Money).collect()))
    }
}

/// Something to know before somebody contacts a customer.
#[derive(SimpleObject)]
pub(crate) struct CustomerWarning {
    /// Stable code to act on.
    code: Wire<CustomerWarningCode>,
    /// What it is, for a person.
    message: String,
}

/// The open complaints of a customer, counted for all customers of the answer together; `None` for a role that may not
/// read complaints.
async fn open(ctx: &Context<'_>, customer: CustomerId) -> Result<Option<OpenComplaints>> {
    let request = Request::of(ctx).asker();
    let open = Request::of(ctx).loaders().open_complaints.load(customer, |customers| async move {
        request.query(&OpenComplaintsOfCustomers(customers)).await
    });
    match open.await {
        Err(Error::Forbidden) => Ok(None),
        open => Ok(Some(open?.unwrap_or_default())),
    }
}

/// What is at stake with a customer; `None` for a role that may not read complaints.
pub(crate) async fn exposure_of(ctx: &Context<'_>, customer: CustomerId) -> Result<Option<CustomerExposure>> {
    Ok(open(ctx, customer).await?.map(|open| CustomerExposure { customer, open }))
}

/// What to know before somebody contacts a customer.
pub(crate) async fn warnings_of(
    ctx: &Context<'_>,
    customer: Option<CustomerId>,
) -> Result<Vec<CustomerWarning>> {
    let Some(customer) = customer else { return Ok(Vec::new()) };
    let serious = open(ctx, customer).await?.map_or(0, |open| open.serious);
    let warning = |serious: u32| CustomerWarning {
        code: Wire(CustomerWarningCode::OpenSeriousComplaint),
        message: format!(
            "This customer has serious complaints that are open ({serious}). Read them before you talk of selling."
        ),
    };
    Ok((serious > 0).then(|| warning(serious)).into_iter().collect())
}

/// The complaints that may be the same as one, looked for among those of all customers of the answer together.
pub(super) async fn duplicates_of(
    ctx: &Context<'_>,
    complaint: &domain::Complaint,
) -> Result<Vec<Complaint>> {
    let request = Request::of(ctx).asker();
    let recent =
        Request::of(ctx).loaders().recent_complaints.load(complaint.customer_id, |customers| async move {
            request.query(&RecentComplaintsOfCustomers(customers)).await
        });
    let recent = hidden(recent.await)?.unwrap_or_default();
    Ok(complaint.possible_duplicates(&recent).into_iter().cloned().map(Complaint::from).collect())
}
