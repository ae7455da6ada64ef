//! Deals: entered, won with credit for those who won them, lost, or taken back.

use std::collections::HashMap;

use chrono::NaiveDate;
use evenhand_domain::access::{Permission, Scope};
use evenhand_domain::change::Version;
use evenhand_domain::customers::Customer;
use evenhand_domain::deals::{
    CreditLine, Credited, Deal, DealSort, DealStage, DealTerm, DealUpdate, NewCredit, NewDeal, WinDeal as Win,
};
use evenhand_domain::error::{Code, Error, Problem, Problems, Reference, Result};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{CustomerId, DealId, ProductId, UserId};
use evenhand_domain::money::Money;
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::patch::Patch;
use evenhand_domain::products::ProductStatus;
use evenhand_domain::time::Timestamp;
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};
use crate::users::in_reach;

/// Loads the deal that a command is about, as the client saw it.
async fn load(tx: &Tx, id: DealId, version: Version) -> Result<Deal> {
    let deal = tx.read().deal(id).await?;
    if deal.version == version { Ok(deal) } else { Err(Error::Conflict) }
}

/// The owner must be somebody for whom the caller may act, and must still be there.
async fn check_owner(tx: &Tx, owner: UserId) -> Result<()> {
    Customer::check_owner(&in_reach(tx, owner, Permission::WriteDeals, "ownerId").await?)
}

/// The customer must be visible to the caller.
async fn check_customer(tx: &Tx, customer: CustomerId) -> Result<()> {
    tx.read().customer(customer).await.referenced("customerId").map(drop)
}

/// The product must still be sold.
async fn check_product(tx: &Tx, product: ProductId) -> Result<()> {
    let product = tx.read().product(product).await.referenced("productId")?;
    match product.status() {
        ProductStatus::Active => Ok(()),
        ProductStatus::Retired => {
            let message = format!("{} is no longer sold; choose another product.", product.name);
            Err(Problem::new(Code::ProductRetired, message).at("productId").into())
        }
    }
}

/// Everybody who is credited must exist. People who have left can be credited: they may have done the work.
async fn check_credits(tx: &Tx, credits: &[NewCredit]) -> Result<()> {
    let wanted: Vec<UserId> = credits.iter().filter_map(|credit| credit.user_id).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let known = tx.read().users_by_ids(&wanted).await?;
    let mut problems = Problems::default();
    for (index, credit) in credits.iter().enumerate() {
        if credit.user_id.is_some_and(|id| known.iter().all(|user| user.id != id)) {
            let problem = Problem::new(Code::NotFound, "There is no such person.");
            problems.push(problem.at("userId").at(index.to_string()).at("credits"));
        }
    }
    problems.finish()
}

/// Saves the new state of a deal and the credit lines that come with it.
async fn save(tx: &mut Tx, credited: Credited) -> Result<Deal> {
    let deal = tx.save(credited.change).await?;
    tx.add_credit_lines(&credited.lines).await?;
    Ok(deal)
}

/// Enters an open deal.
#[derive(Debug)]
pub struct CreateDeal {
    /// Number; `None` takes the next free one.
    pub number: Option<String>,
    /// Short description.
    pub name: Option<String>,
    /// Who buys.
    pub customer_id: Option<CustomerId>,
    /// What is sold.
    pub product_id: Option<ProductId>,
    /// Who sells; `None` means the caller, unless the caller answers for the whole organisation.
    pub owner_id: Option<UserId>,
    /// An open stage; `None` for the first.
    pub stage: Option<DealStage>,
    /// Expected value.
    pub value: Option<Money>,
    /// When it began; `None` means now.
    pub opened_at: Option<Timestamp>,
    /// Day on which it is expected to be won.
    pub expected_close_on: Option<NaiveDate>,
}

impl Command for CreateDeal {
    const PERMISSION: Permission = Permission::WriteDeals;
    type Output = Deal;

    async fn run(&self, tx: &mut Tx) -> Result<Deal> {
        let default = tx.grant().user().filter(|_| tx.grant().scope() != Scope::Organization);
        let owner_id = self.owner_id.or(default).ok_or_else(|| Problem::required("ownerId"))?;
        check_owner(tx, owner_id).await?;
        if let Some(customer) = self.customer_id {
            check_customer(tx, customer).await?;
        }
        if let Some(product) = self.product_id {
            check_product(tx, product).await?;
        }
        let number = match &self.number {
            Some(number) => number.clone(),
            None => tx.free_deal_numbers(1).await?.concat(),
        };
        let input = NewDeal {
            number,
            name: self.name.clone(),
            customer_id: self.customer_id,
            product_id: self.product_id,
            owner_id,
            stage: self.stage,
            value: self.value,
            opened_at: self.opened_at,
            expected_close_on: self.expected_close_on,
        };
        let change = Deal::create(&input, tx.new_id(), tx.now())?;
        tx.save(change).await
    }
}

/// Changes details of an open deal or moves it to another open stage.
#[derive(Debug)]
pub struct UpdateDeal {
    /// Which deal.
    pub id: DealId,
    /// The version that the client saw.
    pub version: Version,
    /// What to change.
    pub update: DealUpdate,
}

impl Command for UpdateDeal {
    const PERMISSION: Permission = Permission::WriteDeals;
    type Output = Deal;

    async fn run(&self, tx: &mut Tx) -> Result<Deal> {
        let deal = load(tx, self.id, self.version).await?;
        if let Some(owner) = self.update.owner_id.filter(|&owner| owner != deal.owner_id) {
            check_owner(tx, owner).await?;
        }
        if let Patch::Set(customer) = self.update.customer_id
            && deal.customer_id != Some(customer)
        {
            check_customer(tx, customer).await?;
        }
        if let Patch::Set(product) = self.update.product_id
            && deal.product_id != Some(product)
        {
            check_product(tx, product).await?;
        }
        tx.save(deal.update(&self.update, tx.now())?).await
    }
}

/// Wins a deal and credits it.
#[derive(Debug)]
pub struct WinDeal {
    /// Which deal.
    pub id: DealId,
    /// The version that the client saw.
    pub version: Version,
    /// When, for how much, and who is credited.
    pub win: Win,
}

impl Command for WinDeal {
    const PERMISSION: Permission = Permission::WriteDeals;
    type Output = Deal;

    async fn run(&self, tx: &mut Tx) -> Result<Deal> {
        let deal = load(tx, self.id, self.version).await?;
        let credited = deal.win(&self.win, || tx.new_id(), tx.now())?;
        check_credits(tx, &self.win.credits).await?;
        save(tx, credited).await
    }
}

/// Closes a deal without a sale.
#[derive(Debug)]
pub struct LoseDeal {
    /// Which deal.
    pub id: DealId,
    /// The version that the client saw.
    pub version: Version,
    /// When; `None` means now.
    pub lost_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

impl Command for LoseDeal {
    const PERMISSION: Permission = Permission::WriteDeals;
    type Output = Deal;

    async fn run(&self, tx: &mut Tx) -> Result<Deal> {
        let deal = load(tx, self.id, self.version).await?;
        tx.save(deal.lose(self.lost_at, self.reason.as_deref(), tx.now())?).await
    }
}

/// Takes a won deal back and reverses its credit.
#[derive(Debug)]
pub struct CancelDeal {
    /// Which deal.
    pub id: DealId,
    /// The version that the client saw.
    pub version: Version,
    /// When; `None` means now.
    pub cancelled_at: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

impl Command for CancelDeal {
    const PERMISSION: Permission = Permission::CancelDeals;
    type Output = Deal;

    async fn run(&self, tx: &mut Tx) -> Result<Deal> {
        load(tx, self.id, self.version).await?;
        let lines = tx.read().credit_lines_by_deals(&[self.id]).await?.remove(&self.id).unwrap_or_default();
        // Each statement may see a later state: only a deal that is the same before and after has these lines.
        let deal = load(tx, self.id, self.version).await?;
        let credited = deal.cancel(self.cancelled_at, &self.reason, &lines, || tx.new_id(), tx.now())?;
        save(tx, credited).await
    }
}

/// Deals by id; those that the caller may not see are left out.
#[derive(Debug)]
pub struct DealsByIds(pub Vec<DealId>);

impl Query for DealsByIds {
    const PERMISSION: Permission = Permission::ReadDeals;
    type Output = Vec<Deal>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Deal>> {
        reader.deals_by_ids(&self.0).await
    }
}

/// A page of deals.
#[derive(Debug)]
pub struct ListDeals {
    /// Which part.
    pub page: PageRequest,
    /// Which deals.
    pub filter: Filter<DealTerm>,
    /// By what they are sorted.
    pub sort: DealSort,
    /// Which end comes first.
    pub direction: Direction,
}

impl Query for ListDeals {
    const PERMISSION: Permission = Permission::ReadDeals;
    type Output = Page<Deal>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<Deal>> {
        reader.deals(&self.page, &self.filter, self.sort, self.direction).await
    }
}

/// Number of deals.
#[derive(Debug)]
pub struct CountDeals(pub Filter<DealTerm>);

impl Query for CountDeals {
    const PERMISSION: Permission = Permission::ReadDeals;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_deals(&self.0).await
    }
}

/// The first page of deals of each of some customers, newest first; customers without deals are left out.
#[derive(Debug)]
pub struct NewestDealsOfCustomers {
    /// Which customers.
    pub customers: Vec<CustomerId>,
    /// Deals wanted for each.
    pub size: u32,
}

impl Query for NewestDealsOfCustomers {
    const PERMISSION: Permission = Permission::ReadDeals;
    type Output = HashMap<CustomerId, Page<Deal>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.newest_deals_of_customers(&self.customers, self.size).await
    }
}

/// Number of deals of each of some customers; customers without deals are left out.
#[derive(Debug)]
pub struct CountDealsOfCustomers(pub Vec<CustomerId>);

impl Query for CountDealsOfCustomers {
    const PERMISSION: Permission = Permission::ReadDeals;
    type Output = HashMap<CustomerId, i64>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.count_deals_of_customers(&self.0).await
    }
}

/// The credit lines of some deals, oldest first.
#[derive(Debug)]
pub struct CreditLinesByDeals(pub Vec<DealId>);

impl Query for CreditLinesByDeals {
    const PERMISSION: Permission = Permission::ReadDeals;
    type Output = HashMap<DealId, Vec<CreditLine>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.credit_lines_by_deals(&self.0).await
    }
}
