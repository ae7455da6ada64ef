//! Customers: who was collected, how far they have come, and who looks after them.

use evenhand_domain::access::{Permission, Scope};
use evenhand_domain::change::Version;
use evenhand_domain::customers::{
    Customer, CustomerGrade, CustomerKind, CustomerSort, CustomerStage, CustomerTerm, CustomerUpdate,
    Evidence, NewCustomer, NewEvidence, NewStage, OwnerPeriod, StageChange,
};
use evenhand_domain::error::{Code, Error, Problem, Reference, Result};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{CustomerId, UserId};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::time::Timestamp;
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};
use crate::users::in_reach;

/// Loads the customer that a command is about, as the client saw it.
async fn load(tx: &Tx, id: CustomerId, version: Version) -> Result<Customer> {
    let customer = tx.read().customer(id).await?;
    if customer.version == version { Ok(customer) } else { Err(Error::Conflict) }
}

/// Records a new lead.
#[derive(Debug)]
pub struct CreateCustomer {
    /// Number; `None` takes the next free one.
    pub number: Option<String>,
    /// Name.
    pub name: String,
    /// Company or person.
    pub kind: CustomerKind,
    /// Grade.
    pub grade: Option<CustomerGrade>,
    /// Line of business.
    pub sector: Option<String>,
    /// Where the contact came from.
    pub source: Option<String>,
    /// Who looks after it; `None` means the caller, or nobody when the caller answers for the whole
    /// organisation.
    pub owner_id: Option<UserId>,
    /// Who collected it; `None` as for the owner.
    pub collected_by: Option<UserId>,
    /// When it was collected; `None` means now.
    pub collected_at: Option<Timestamp>,
}

impl Command for CreateCustomer {
    const PERMISSION: Permission = Permission::WriteCustomers;
    type Output = Customer;

    async fn run(&self, tx: &mut Tx) -> Result<Customer> {
        let caller = tx.grant().user();
        let default = caller.filter(|_| tx.grant().scope() != Scope::Organization);
        let owner_id = self.owner_id.or(default);
        if let Some(owner) = owner_id
            && caller != Some(owner)
        {
            let owner = in_reach(tx, owner, Self::PERMISSION, "ownerId").await?;
            Customer::check_owner(&owner)?;
        }
        let collected_by = self.collected_by.or(default);
        if let Some(collector) = collected_by
            && caller != Some(collector)
        {
            in_reach(tx, collector, Self::PERMISSION, "collectedById").await?;
        }
        let number = match &self.number {
            Some(number) => number.clone(),
            None => tx.free_customer_numbers(1).await?.concat(),
        };
        let input = NewCustomer {
            number,
            name: self.name.clone(),
            kind: self.kind,
            grade: self.grade,
            sector: self.sector.clone(),
            source: self.source.clone(),
            owner_id,
            collected_by,
            collected_at: self.collected_at,
        };
        let advance = Customer::create(&input, tx.new_id(), tx.new_id(), caller, tx.now())?;
        tx.save_advance(advance).await
    }
}

/// Changes details of a customer.
#[derive(Debug)]
pub struct UpdateCustomer {
    /// Which customer.
    pub id: CustomerId,
    /// The version that the client saw.
    pub version: Version,
    /// What to change.
    pub update: CustomerUpdate,
}

impl Command for UpdateCustomer {
    const PERMISSION: Permission = Permission::WriteCustomers;
    type Output = Customer;

    async fn run(&self, tx: &mut Tx) -> Result<Customer> {
        let customer = load(tx, self.id, self.version).await?;
        tx.save(customer.update(&self.update, tx.now())?).await
    }
}

/// Moves a customer to another stage.
#[derive(Debug)]
pub struct AdvanceCustomer {
    /// Which customer.
    pub id: CustomerId,
    /// The version that the client saw.
    pub version: Version,
    /// The stage reached.
    pub stage: CustomerStage,
    /// When it happened; `None` means now.
    pub occurred_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// What shows it.
    pub evidence: Option<Evidence>,
}

impl Command for AdvanceCustomer {
    const PERMISSION: Permission = Permission::WriteCustomers;
    type Output = Customer;

    async fn run(&self, tx: &mut Tx) -> Result<Customer> {
        let customer = load(tx, self.id, self.version).await?;
        let activity = match &self.evidence {
            Some(Evidence::Activity(id)) => {
                let activity = tx.read().activity(*id).await.referenced("activityId");
                Some(activity.map_err(|error| error.at("evidence"))?)
            }
            _ => None,
        };
        let evidence = match &self.evidence {
            Some(Evidence::Document(document)) => Some(NewEvidence::Document(document.clone())),
            _ => activity.as_ref().map(NewEvidence::Activity),
        };
        let steps = tx.read().stage_changes(&[self.id]).await?;
        let last = steps.last().ok_or_else(|| Error::Internal(format!("{} has no stages", self.id)))?;
        let input = NewStage {
            stage: self.stage,
            occurred_at: self.occurred_at,
            reason: self.reason.clone(),
            evidence,
        };
        let by = tx.grant().user();
        let advance = customer.advance(&input, last.at, tx.new_id(), by, tx.now())?;
        tx.save_advance(advance).await
    }
}

/// Gives a customer to another owner, or to nobody.
#[derive(Debug)]
pub struct AssignCustomer {
    /// Which customer.
    pub id: CustomerId,
    /// The version that the client saw.
    pub version: Version,
    /// Who looks after it from now on.
    pub owner_id: Option<UserId>,
}

impl Command for AssignCustomer {
    const PERMISSION: Permission = Permission::AssignCustomers;
    type Output = Customer;

    async fn run(&self, tx: &mut Tx) -> Result<Customer> {
        let customer = load(tx, self.id, self.version).await?;
        // A manager may also see customers of others, through a deal of the team; they are not theirs to give.
        if let Some(owner) = customer.owner_id
            && !tx.read().person_in_scope(owner, &[Self::PERMISSION]).await?
        {
            let message = "Somebody outside your teams looks after this customer; ask their manager.";
            return Err(Problem::new(Code::NotPermitted, message).at("id").into());
        }
        let owner = match self.owner_id {
            Some(id) => Some(in_reach(tx, id, Self::PERMISSION, "ownerId").await?),
            None => None,
        };
        tx.save_reassignment(customer.assign(owner.as_ref(), tx.now())?).await
    }
}

/// Customers by id; those that the caller may not see are left out.
#[derive(Debug)]
pub struct CustomersByIds(pub Vec<CustomerId>);

impl Query for CustomersByIds {
    const PERMISSION: Permission = Permission::ReadCustomers;
    type Output = Vec<Customer>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Customer>> {
        reader.customers_by_ids(&self.0).await
    }
}

/// A page of customers.
#[derive(Debug)]
pub struct ListCustomers {
    /// Which part.
    pub page: PageRequest,
    /// Which customers.
    pub filter: Filter<CustomerTerm>,
    /// By what they are sorted.
    pub sort: CustomerSort,
    /// Which end comes first.
    pub direction: Direction,
}

impl Query for ListCustomers {
    const PERMISSION: Permission = Permission::ReadCustomers;
    type Output = Page<Customer>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<Customer>> {
        reader.customers(&self.page, &self.filter, self.sort, self.direction).await
    }
}

/// Number of customers.
#[derive(Debug)]
pub struct CountCustomers(pub Filter<CustomerTerm>);

impl Query for CountCustomers {
    const PERMISSION: Permission = Permission::ReadCustomers;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_customers(&self.0).await
    }
}

/// The steps of customers through the stages, oldest first.
#[derive(Debug)]
pub struct StageChangesByCustomers(pub Vec<CustomerId>);

impl Query for StageChangesByCustomers {
    const PERMISSION: Permission = Permission::ReadCustomers;
    type Output = Vec<StageChange>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<StageChange>> {
        reader.stage_changes(&self.0).await
    }
}

/// Who owned customers, and when; oldest first.
#[derive(Debug)]
pub struct OwnerPeriodsByCustomers(pub Vec<CustomerId>);

impl Query for OwnerPeriodsByCustomers {
    const PERMISSION: Permission = Permission::ReadCustomers;
    type Output = Vec<OwnerPeriod>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<OwnerPeriod>> {
        reader.customer_owner_periods(&self.0).await
    }
}
