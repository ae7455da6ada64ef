//! Rows of customers, of their dated stages, and of their dated owners.

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::customers::{
    Advance, Customer, CustomerGrade, CustomerKind, CustomerSort, CustomerStage, CustomerTerm, Evidence,
    OwnerPeriod, Reassignment, StageChange,
};
use evenhand_domain::daily_facts::Fact;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{ActivityId, CustomerId, EntityId, StageChangeId, UserId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr, UnionType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::scope::People;
use crate::store::{Reader, Stored, Tx};
use crate::{counters, row};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "customers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i32,
        pub number: String,
        pub number_key: String,
        pub name: String,
        pub name_key: String,
        pub kind: String,
        pub stage: String,
        pub grade: Option<String>,
        pub sector: Option<String>,
        pub sector_key: Option<String>,
        pub source: Option<String>,
        pub source_key: Option<String>,
        pub owner_id: Option<Uuid>,
        pub collected_by: Option<Uuid>,
        pub collected_at: DateTimeUtc,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
pub(crate) use entity::{Column, Entity, Model as Row};

/// The steps through the stages; append-only. A step belongs to the version of the customer that it made,
/// which orders the steps where instants are equal.
pub(crate) mod step {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "customer_stages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub customer_id: Uuid,
        pub customer_version: i32,
        pub from_stage: Option<String>,
        pub to_stage: String,
        pub occurred_at: DateTimeUtc,
        pub recorded_at: DateTimeUtc,
        pub recorded_by: Option<Uuid>,
        pub reason: Option<String>,
        pub evidence_activity_id: Option<Uuid>,
        pub evidence_document: Option<String>,
        /// Whose work it is.
        pub user_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Who owned a customer, and when.
mod period {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "customer_owners")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub customer_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub valid_from: DateTimeUtc,
        pub valid_to: Option<DateTimeUtc>,
        pub owner_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

const SLICE: &[Permission] =
    &[Permission::ReadCustomers, Permission::WriteCustomers, Permission::AssignCustomers];

fn restore(row: Row) -> Result<Customer> {
    let bad = |what| bad_row("customers", row.id, what);
    Ok(Customer {
        id: CustomerId::from_uuid(row.id),
        version: row.version,
        kind: CustomerKind::parse(&row.kind).ok_or_else(|| bad("unknown kind"))?,
        stage: CustomerStage::parse(&row.stage).ok_or_else(|| bad("unknown stage"))?,
        grade: match &row.grade {
            Some(grade) => Some(CustomerGrade::parse(grade).ok_or_else(|| bad("unknown grade"))?),
            None => None,
        },
        number: row.number,
        name: row.name,
        sector: row.sector,
        source: row.source,
        owner_id: row.owner_id.map(UserId::from_uuid),
        collected_by: row.collected_by.map(UserId::from_uuid),
        collected_at: Timestamp::new(row.collected_at),
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
    })
}

fn to_row(org_id: Uuid, customer: &Customer) -> Row {
    Row {
        org_id,
        id: customer.id.uuid(),
        version: customer.version,
        number: customer.number.clone(),
        number_key: fold(&customer.number),
        name: customer.name.clone(),
        name_key: fold(&customer.name),
        kind: customer.kind.as_str().to_owned(),
        stage: customer.stage.as_str().to_owned(),
        grade: customer.grade.map(|grade| grade.as_str().to_owned()),
        sector: customer.sector.clone(),
        sector_key: customer.sector.as_deref().map(fold),
        source: customer.source.clone(),
        source_key: customer.source.as_deref().map(fold),
        owner_id: customer.owner_id.map(EntityId::uuid),
        collected_by: customer.collected_by.map(EntityId::uuid),
        collected_at: customer.collected_at.utc(),
        created_at: customer.created_at.utc(),
        updated_at: customer.updated_at.utc(),
    }
}

fn restore_step(row: step::Model) -> Result<StageChange> {
    let stage = |text: &str| {
        CustomerStage::parse(text).ok_or_else(|| bad_row("customer_stages", row.id, "unknown stage"))
    };
    Ok(StageChange {
        id: StageChangeId::from_uuid(row.id),
        customer_id: CustomerId::from_uuid(row.customer_id),
        from: row.from_stage.as_deref().map(stage).transpose()?,
        to: stage(&row.to_stage)?,
        at: Timestamp::new(row.occurred_at),
        recorded_at: Timestamp::new(row.recorded_at),
        by: row.recorded_by.map(UserId::from_uuid),
        reason: row.reason,
        evidence: match row.evidence_activity_id {
            Some(id) => Some(Evidence::Activity(ActivityId::from_uuid(id))),
            None => row.evidence_document.map(Evidence::Document),
        },
    })
}

fn to_step_row(org_id: Uuid, customer: &Customer, step: &StageChange) -> step::Model {
    let (evidence_activity_id, evidence_document) = match &step.evidence {
        Some(Evidence::Activity(id)) => (Some(id.uuid()), None),
        Some(Evidence::Document(document)) => (None, Some(document.clone())),
        None => (None, None),
    };
    step::Model {
        org_id,
        id: step.id.uuid(),
        customer_id: step.customer_id.uuid(),
        customer_version: customer.version,
        from_stage: step.from.map(|stage| stage.as_str().to_owned()),
        to_stage: step.to.as_str().to_owned(),
        occurred_at: step.at.utc(),
        recorded_at: step.recorded_at.utc(),
        recorded_by: step.by.map(EntityId::uuid),
        reason: step.reason.clone(),
        evidence_activity_id,
        evidence_document,
        user_id: Fact::worker(customer, step).map(EntityId::uuid),
    }
}

fn to_period_row(org_id: Uuid, period: &OwnerPeriod) -> period::Model {
    period::Model {
        org_id,
        customer_id: period.customer_id.uuid(),
        valid_from: period.from.utc(),
        valid_to: period.to.map(Timestamp::utc),
        owner_id: period.owner_id.map(EntityId::uuid),
    }
}

impl Stored for Customer {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self), columns, (org, self.id.uuid(), expected)).await
    }

    async fn insert_all(rows: &[&Self], tx: &Tx) -> Result<()> {
        let org = tx.org()?;
        let rows: Vec<_> = rows.iter().map(|customer| to_row(org, customer)).collect();
        row::insert_all::<Entity>(&tx.db, rows).await
    }
}

impl Tx {
    /// Saves a customer together with its step through the stages, and with its first owner when it is new.
    ///
    /// # Errors
    /// As [`Tx::save`].
    pub async fn save_advance(&mut self, advance: Advance) -> Result<Customer> {
        let Advance { change, step } = advance;
        let is_new = change.is_creation();
        let customer = self.save(change).await?;
        let org = self.org()?;
        row::insert::<step::Entity>(&self.db, to_step_row(org, &customer, &step)).await?;
        if is_new {
            row::insert::<period::Entity>(&self.db, to_period_row(org, &customer.first_period())).await?;
        }
        Ok(customer)
    }

    /// Saves many new customers with their steps and first owners, in few statements. The later steps of a
    /// customer follow its first.
    ///
    /// # Errors
    /// As [`Tx::save_new`].
    pub async fn save_new_customers(&mut self, advances: Vec<Advance>) -> Result<()> {
        let org = self.org()?;
        let mut changes = Vec::with_capacity(advances.len());
        let (mut steps, mut periods) = (Vec::new(), Vec::new());
        for Advance { change, step } in advances {
            steps.push(to_step_row(org, change.state(), &step));
            if change.is_creation() {
                periods.push(to_period_row(org, &change.state().first_period()));
            }
            changes.push(change);
        }
        self.save_new(changes).await?;
        row::insert_all::<step::Entity>(&self.db, steps).await?;
        row::insert_all::<period::Entity>(&self.db, periods).await
    }

    /// Saves a customer together with the period of its new owner, and ends the period before.
    ///
    /// # Errors
    /// As [`Tx::save`].
    pub async fn save_reassignment(&mut self, reassignment: Reassignment) -> Result<Customer> {
        let Reassignment { change, period } = reassignment;
        let customer = self.save(change).await?;
        let row = to_period_row(self.org()?, &period);
        let open = || {
            Query::update()
                .table(period::Entity)
                .and_where(period::Column::OrgId.eq(row.org_id))
                .and_where(period::Column::CustomerId.eq(row.customer_id))
                .and_where(period::Column::ValidTo.is_null())
                .to_owned()
        };
        let end = open()
            .value(period::Column::ValidTo, row.valid_from)
            .and_where(period::Column::ValidFrom.lt(row.valid_from))
            .to_owned();
        let ended = self.db.execute(&end).await.map_err(database_error)?;
        if ended.rows_affected() == 1 {
            row::insert::<period::Entity>(&self.db, row).await?;
            return Ok(customer);
        }
        // The open period began at this very instant: it held for no time, so the new owner takes its place.
        let replace = open().value(period::Column::OwnerId, row.owner_id).to_owned();
        let replaced = self.db.execute(&replace).await.map_err(database_error)?;
        if replaced.rows_affected() == 1 {
            Ok(customer)
        } else {
            Err(bad_row("customers", customer.id, "no open owner period"))
        }
    }
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    let org = reader.org()?;
    let select = Entity::find().filter(Column::OrgId.eq(org));
    Ok(match in_reach(org, &reader.people(SLICE)?) {
        Some(ids) => select.filter(Column::Id.in_subquery(ids)),
        None => select,
    })
}

/// The ids of the customers that one of `people` owns or has a deal with, and nothing for deals without
/// customers. A union, because neither database finds an index for the same words with OR.
fn in_reach(org: Uuid, people: &People) -> Option<SelectStatement> {
    let sells = people.include(("deals", "owner_id"))?;
    let sold_to = Query::select()
        .column(("deals", "customer_id"))
        .from("deals")
        .and_where(Expr::col(("deals", "org_id")).eq(org))
        .and_where(sells)
        .to_owned();
    Some(owned_by(org, people)?.union(UnionType::All, sold_to).to_owned())
}

/// The ids of the customers that one of `people` owns; `None` where there is nothing to restrict.
pub(crate) fn owned_by(org: Uuid, people: &People) -> Option<SelectStatement> {
    let owned = people.include((Entity, Column::OwnerId))?;
    let select = Entity::find().select_only().column(Column::Id).filter(Column::OrgId.eq(org)).filter(owned);
    Some(select.into_query())
}

fn visible_among(reader: &Reader<'_>, ids: impl IntoIterator<Item = Uuid>) -> Result<Select<Entity>> {
    Ok(visible(reader)?.filter(Column::Id.is_in(ids)).select_only().column(Column::Id))
}

/// Those of `ids` that `reader` may see.
pub(crate) async fn visible_ids(reader: &Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    visible_among(reader, ids)?.into_tuple().all(&reader.db).await.map_err(database_error)
}

fn filtered(reader: &Reader<'_>, filter: &Filter<CustomerTerm>) -> Result<Select<Entity>> {
    Ok(visible(reader)?.filter(page::condition(filter, &comparison)))
}

fn comparison(term: &CustomerTerm) -> SimpleExpr {
    let by_user = |column: Column, one_of| page::one_of(column, one_of, UserId::uuid);
    match term {
        CustomerTerm::Id(one_of) => page::one_of(Column::Id, one_of, CustomerId::uuid),
        CustomerTerm::Name(text) => page::text(Column::NameKey, text),
        CustomerTerm::Number(text) => page::text(Column::NumberKey, text),
        CustomerTerm::Stage(one_of) => page::one_of(Column::Stage, one_of, CustomerStage::as_str),
        CustomerTerm::Kind(one_of) => page::one_of(Column::Kind, one_of, CustomerKind::as_str),
        CustomerTerm::Grade(one_of) => page::one_of(Column::Grade, one_of, CustomerGrade::as_str),
        CustomerTerm::Sector(text) => page::text(Column::SectorKey, text),
        CustomerTerm::Source(text) => page::text(Column::SourceKey, text),
        CustomerTerm::Owner(one_of) => by_user(Column::OwnerId, one_of),
        CustomerTerm::CollectedAt(range) => page::range(Column::CollectedAt, range, Timestamp::utc),
        CustomerTerm::CreatedAt(range) => page::range(Column::CreatedAt, range, Timestamp::utc),
        CustomerTerm::UpdatedAt(range) => page::range(Column::UpdatedAt, range, Timestamp::utc),
    }
}

fn sort_column(sort: CustomerSort) -> Column {
    match sort {
        CustomerSort::CreatedAt => Column::CreatedAt,
        CustomerSort::UpdatedAt => Column::UpdatedAt,
        CustomerSort::CollectedAt => Column::CollectedAt,
        CustomerSort::Name => Column::NameKey,
        CustomerSort::Number => Column::NumberKey,
    }
}

fn sort_key(sort: CustomerSort, row: &Row) -> SortKey {
    match sort {
        CustomerSort::CreatedAt => SortKey::Time(Timestamp::new(row.created_at)),
        CustomerSort::UpdatedAt => SortKey::Time(Timestamp::new(row.updated_at)),
        CustomerSort::CollectedAt => SortKey::Time(Timestamp::new(row.collected_at)),
        CustomerSort::Name => SortKey::Text(row.name_key.clone()),
        CustomerSort::Number => SortKey::Text(row.number_key.clone()),
    }
}

impl Tx {
    /// The next `count` free numbers of customers. Others who ask for some wait for the end of this transaction.
    ///
    /// # Errors
    /// [`Error::Contention`] when another transaction holds the counter for too long.
    pub async fn free_customer_numbers(&self, count: u32) -> Result<Vec<String>> {
        counters::unscoped_free_numbers::<Entity>(
            self,
            "customer",
            'C',
            [Column::OrgId, Column::NumberKey],
            count,
        )
        .await
    }
}

impl Reader<'_> {
    /// A customer.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn customer(&self, id: CustomerId) -> Result<Customer> {
        let row =
            visible(self)?.filter(Column::Id.eq(id.uuid())).one(&self.db).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }

    /// Those of `ids` that exist, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn customers_by_ids(&self, ids: &[CustomerId]) -> Result<Vec<Customer>> {
        self.customers_where(Column::Id.is_in(ids.iter().map(|id| id.uuid()))).await
    }

    /// The customers with one of these numbers, ignoring case; at most 10,000 numbers at a time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_customers_by_numbers(&self, numbers: &[&str]) -> Result<Vec<Customer>> {
        self.customers_where(Column::NumberKey.is_in(numbers.iter().map(|number| fold(number)))).await
    }

    /// The customers with one of these names, ignoring case; at most 10,000 names at a time.
    /// Names need not be unique.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_customers_by_names(&self, names: &[&str]) -> Result<Vec<Customer>> {
        self.customers_where(Column::NameKey.is_in(names.iter().map(|name| fold(name)))).await
    }

    async fn customers_where(&self, condition: SimpleExpr) -> Result<Vec<Customer>> {
        let rows = visible(self)?.filter(condition).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// A page of customers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn customers(
        &self,
        page: &PageRequest,
        filter: &Filter<CustomerTerm>,
        sort: CustomerSort,
        direction: Direction,
    ) -> Result<Page<Customer>> {
        let keyset = Keyset { column: sort_column(sort), id: Column::Id, direction };
        let place = |row: &Row| (sort_key(sort, row), row.id);
        page::fetch(&self.db, filtered(self, filter)?, &keyset, page, place, restore).await
    }

    /// Number of customers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_customers(&self, filter: &Filter<CustomerTerm>) -> Result<i64> {
        page::count(&self.db, filtered(self, filter)?).await
    }

    /// The steps of `customers` through the stages, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn stage_changes(&self, customers: &[CustomerId]) -> Result<Vec<StageChange>> {
        let seen = visible_among(self, customers.iter().map(|id| id.uuid()))?;
        let rows = step::Entity::find()
            .filter(step::Column::OrgId.eq(self.org()?))
            .filter(step::Column::CustomerId.in_subquery(seen.into_query()))
            .order_by_asc(step::Column::CustomerId)
            .order_by_asc(step::Column::CustomerVersion)
            .all(&self.db)
            .await
            .map_err(database_error)?;
        rows.into_iter().map(restore_step).collect()
    }

    /// Who owned `customers`, and when; oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn customer_owner_periods(&self, customers: &[CustomerId]) -> Result<Vec<OwnerPeriod>> {
        let seen = visible_among(self, customers.iter().map(|id| id.uuid()))?;
        let rows = period::Entity::find()
            .filter(period::Column::OrgId.eq(self.org()?))
            .filter(period::Column::CustomerId.in_subquery(seen.into_query()))
            .order_by_asc(period::Column::CustomerId)
            .order_by_asc(period::Column::ValidFrom)
            .all(&self.db)
            .await
            .map_err(database_error)?;
        Ok(rows
            .into_iter()
            .map(|row| OwnerPeriod {
                customer_id: CustomerId::from_uuid(row.customer_id),
                owner_id: row.owner_id.map(UserId::from_uuid),
                from: Timestamp::new(row.valid_from),
                to: row.valid_to.map(Timestamp::new),
            })
            .collect())
    }
}
