//! Rows of deals; their credit lines stand in [`credits`].

use std::collections::HashMap;

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::deals::{Deal, DealSort, DealStage, DealTerm};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::{Direction, Filter, Range};
use evenhand_domain::id::{CustomerId, DealId, EntityId, ProductId, UserId};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement, SimpleExpr};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Each, Keyset};
use crate::reconciliation::parse_currency;
use crate::store::{Reader, Stored, Tx};
use crate::{counters, row};

pub(crate) mod credits;

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "deals")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i32,
        pub number: String,
        pub number_key: String,
        pub name: Option<String>,
        pub customer_id: Option<Uuid>,
        pub product_id: Option<Uuid>,
        pub owner_id: Uuid,
        pub stage: String,
        pub value_minor: Option<i64>,
        pub value_currency: Option<String>,
        pub opened_at: DateTimeUtc,
        pub expected_close_on: Option<Date>,
        pub won_at: Option<DateTimeUtc>,
        pub lost_at: Option<DateTimeUtc>,
        pub cancelled_at: Option<DateTimeUtc>,
        pub close_reason: Option<String>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
pub(crate) use entity::{Column, Entity, Model as Row};

const SLICE: &[Permission] = &[Permission::ReadDeals, Permission::WriteDeals, Permission::CancelDeals];

/// Reads an optional amount, as stored in `table`.
pub(crate) fn parse_money(
    table: &str,
    id: Uuid,
    minor: Option<i64>,
    currency: Option<String>,
) -> Result<Option<Money>> {
    match (minor, currency) {
        (None, None) => Ok(None),
        (Some(minor), Some(currency)) => {
            let currency =
                Currency::parse(&currency).map_err(|problem| bad_row(table, id, &problem.message))?;
            Ok(Some(Money::new(minor, currency)))
        }
        _ => Err(bad_row(table, id, "half an amount")),
    }
}

pub(crate) fn restore(row: Row) -> Result<Deal> {
    Ok(Deal {
        id: DealId::from_uuid(row.id),
        version: row.version,
        number: row.number,
        name: row.name,
        customer_id: row.customer_id.map(CustomerId::from_uuid),
        product_id: row.product_id.map(ProductId::from_uuid),
        owner_id: UserId::from_uuid(row.owner_id),
        stage: DealStage::parse(&row.stage).ok_or_else(|| bad_row("deals", row.id, "unknown stage"))?,
        value: parse_money("deals", row.id, row.value_minor, row.value_currency)?,
        opened_at: Timestamp::new(row.opened_at),
        expected_close_on: row.expected_close_on,
        won_at: row.won_at.map(Timestamp::new),
        lost_at: row.lost_at.map(Timestamp::new),
        cancelled_at: row.cancelled_at.map(Timestamp::new),
        close_reason: row.close_reason,
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
    })
}

fn to_row(org_id: Uuid, deal: &Deal) -> Row {
    Row {
        org_id,
        id: deal.id.uuid(),
        version: deal.version,
        number: deal.number.clone(),
        number_key: fold(&deal.number),
        name: deal.name.clone(),
        customer_id: deal.customer_id.map(EntityId::uuid),
        product_id: deal.product_id.map(EntityId::uuid),
        owner_id: deal.owner_id.uuid(),
        stage: deal.stage.as_str().to_owned(),
        value_minor: deal.value.map(|value| value.minor),
        value_currency: deal.value.map(|value| value.currency.code().to_owned()),
        opened_at: deal.opened_at.utc(),
        expected_close_on: deal.expected_close_on,
        won_at: deal.won_at.map(Timestamp::utc),
        lost_at: deal.lost_at.map(Timestamp::utc),
        cancelled_at: deal.cancelled_at.map(Timestamp::utc),
        close_reason: deal.close_reason.clone(),
        created_at: deal.created_at.utc(),
        updated_at: deal.updated_at.utc(),
    }
}

impl Stored for Deal {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self), columns, (org, self.id.uuid(), expected)).await
    }

    async fn insert_all(deals: &[&Self], tx: &Tx) -> Result<()> {
        let org = tx.org()?;
        let rows: Vec<Row> = deals.iter().map(|deal| to_row(org, deal)).collect();
        row::insert_all::<Entity>(&tx.db, rows).await
    }
}

/// Deals whose owner is in reach; to read, also deals that credit somebody in reach. A share in a deal shows
/// it, but only its owner's line may change or cancel it.
fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    let org = reader.org()?;
    let select = Entity::find().filter(Column::OrgId.eq(org));
    let people = reader.people(SLICE)?;
    let Some(owned) = people.include(Column::OwnerId) else { return Ok(select) };
    if matches!(reader.grant().permission(), Permission::WriteDeals | Permission::CancelDeals) {
        return Ok(select.filter(owned));
    }
    let credited = credits::deals_that_credit(org, &people);
    Ok(select.filter(owned.or(Column::Id.in_subquery(credited))))
}

fn filtered(reader: &Reader<'_>, filter: &Filter<DealTerm>) -> Result<Select<Entity>> {
    let term = |term: &DealTerm| match term {
        DealTerm::Id(ids) => page::one_of(Column::Id, ids, EntityId::uuid),
        DealTerm::Number(number) => page::text(Column::NumberKey, number),
        DealTerm::Stage(stages) => page::one_of(Column::Stage, stages, DealStage::as_str),
        DealTerm::Owner(users) => page::one_of(Column::OwnerId, users, EntityId::uuid),
        DealTerm::Customer(customers) => page::one_of(Column::CustomerId, customers, EntityId::uuid),
        DealTerm::Product(products) => page::one_of(Column::ProductId, products, EntityId::uuid),
        DealTerm::Value(value) => value_in(value),
        DealTerm::OpenedAt(at) => page::range(Column::OpenedAt, at, Timestamp::utc),
        DealTerm::WonAt(at) => page::range(Column::WonAt, at, Timestamp::utc),
        DealTerm::LostAt(at) => page::range(Column::LostAt, at, Timestamp::utc),
        DealTerm::CancelledAt(at) => page::range(Column::CancelledAt, at, Timestamp::utc),
        DealTerm::CreatedAt(at) => page::range(Column::CreatedAt, at, Timestamp::utc),
        DealTerm::UpdatedAt(at) => page::range(Column::UpdatedAt, at, Timestamp::utc),
    };
    Ok(visible(reader)?.filter(page::condition(filter, &term)))
}

/// Amounts of different currencies cannot be compared, so the currency must be the same.
fn value_in(value: &Range<Money>) -> SimpleExpr {
    let (Range::Eq(bound) | Range::Gte(bound) | Range::Lte(bound)) = value;
    Column::ValueCurrency.eq(bound.currency.code()).and(page::range(
        Column::ValueMinor,
        value,
        |money: Money| money.minor,
    ))
}

fn keyset(sort: DealSort, direction: Direction) -> Keyset<Column> {
    let column = match sort {
        DealSort::CreatedAt => Column::CreatedAt,
        DealSort::UpdatedAt => Column::UpdatedAt,
        DealSort::OpenedAt => Column::OpenedAt,
        DealSort::Number => Column::NumberKey,
    };
    Keyset { column, id: Column::Id, direction }
}

fn sort_key(sort: DealSort, row: &Row) -> SortKey {
    match sort {
        DealSort::CreatedAt => SortKey::Time(Timestamp::new(row.created_at)),
        DealSort::UpdatedAt => SortKey::Time(Timestamp::new(row.updated_at)),
        DealSort::OpenedAt => SortKey::Time(Timestamp::new(row.opened_at)),
        DealSort::Number => SortKey::Text(row.number_key.clone()),
    }
}

#[derive(FromQueryResult)]
struct CustomerCount {
    customer_id: Uuid,
    deals: i64,
}

impl Tx {
    /// The next `count` free numbers of deals. Others who ask for some wait for the end of this transaction.
    ///
    /// # Errors
    /// [`Error::Contention`] when another transaction holds the counter for too long.
    pub async fn free_deal_numbers(&self, count: u32) -> Result<Vec<String>> {
        counters::unscoped_free_numbers::<Entity>(
            self,
            "deal",
            'D',
            [Column::OrgId, Column::NumberKey],
            count,
        )
        .await
    }
}

impl Reader<'_> {
    /// A deal.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn deal(&self, id: DealId) -> Result<Deal> {
        let row =
            visible(self)?.filter(Column::Id.eq(id.uuid())).one(&self.db).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }

    /// Those of `ids` that are visible, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn deals_by_ids(&self, ids: &[DealId]) -> Result<Vec<Deal>> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows =
            visible(self)?.filter(Column::Id.is_in(ids)).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// The visible deals with these folded numbers, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_deals_by_number_keys(&self, keys: &[String]) -> Result<Vec<Deal>> {
        let rows = visible(self)?.filter(Column::NumberKey.is_in(keys.iter().cloned()));
        rows.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// A page of deals.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn deals(
        &self,
        page: &PageRequest,
        filter: &Filter<DealTerm>,
        sort: DealSort,
        direction: Direction,
    ) -> Result<Page<Deal>> {
        let place = |row: &Row| (sort_key(sort, row), row.id);
        let keyset = keyset(sort, direction);
        page::fetch(&self.db, filtered(self, filter)?, &keyset, page, place, restore).await
    }

    /// Number of deals.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_deals(&self, filter: &Filter<DealTerm>) -> Result<i64> {
        page::count(&self.db, filtered(self, filter)?).await
    }

    /// The first page of `size` deals of each of `customers`, newest first, in one statement. Customers
    /// without deals are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest_deals_of_customers(
        &self,
        customers: &[CustomerId],
        size: u32,
    ) -> Result<HashMap<CustomerId, Page<Deal>>> {
        let of_customers = Column::CustomerId.is_in(customers.iter().map(|id| id.uuid()));
        let select = visible(self)?.filter(of_customers);
        let each = Each { parent: Column::CustomerId, org: (Column::OrgId, self.org()?), size };
        let newest_first = keyset(DealSort::CreatedAt, Direction::Desc);
        let place = |row: &Row| (sort_key(DealSort::CreatedAt, row), row.id);
        let restore = |row| restore(row).map(|deal| (deal.customer_id, deal));
        page::fetch_each(&self.db, select, &each, &newest_first, place, restore).await
    }

    /// Number of visible deals of each of `customers`; those without any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_deals_of_customers(
        &self,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, i64>> {
        let counts = visible(self)?
            .filter(Column::CustomerId.is_in(customers.iter().map(|id| id.uuid())))
            .select_only()
            .column(Column::CustomerId)
            .column_as(Column::Id.count(), "deals")
            .group_by(Column::CustomerId)
            .into_model::<CustomerCount>()
            .all(&self.db)
            .await
            .map_err(database_error)?;
        Ok(counts.into_iter().map(|count| (CustomerId::from_uuid(count.customer_id), count.deals)).collect())
    }
}

/// Value of the deals of a customer in one currency.
#[derive(FromQueryResult)]
struct ValueRow {
    customer_id: Uuid,
    currency: String,
    minor: i64,
}

impl Reader<'_> {
    /// The value of the visible deals of each of `customers` that are open, or were won since an instant and not taken
    /// back, by currency; customers without any are left out.
    ///
    /// # Errors
    /// When the database cannot be read, or a sum leaves the range of an i64.
    pub async fn deal_value_of_customers(
        &self,
        customers: &[CustomerId],
        won_since: Timestamp,
    ) -> Result<HashMap<CustomerId, Vec<Money>>> {
        let open = DealStage::ALL.iter().filter(|stage| stage.is_open()).map(|stage| stage.as_str());
        let won = Column::Stage.eq(DealStage::Won.as_str()).and(Column::WonAt.gte(won_since.utc()));
        let rows = visible(self)?
            .filter(Column::CustomerId.is_in(customers.iter().map(|id| id.uuid())))
            .filter(Column::ValueMinor.is_not_null())
            .filter(Column::Stage.is_in(open).or(won))
            .select_only()
            .column(Column::CustomerId)
            .column_as(Column::ValueCurrency, "currency")
            .column_as(Expr::col((Entity, Column::ValueMinor)).sum().cast_as("BIGINT"), "minor")
            .group_by(Column::CustomerId)
            .group_by(Column::ValueCurrency)
            .order_by_asc(Column::ValueCurrency)
            .into_model::<ValueRow>()
            .all(&self.db)
            .await
            .map_err(database_error)?;
        let mut values: HashMap<CustomerId, Vec<Money>> = HashMap::new();
        for row in rows {
            let value = Money::new(row.minor, parse_currency(&row.currency)?);
            values.entry(CustomerId::from_uuid(row.customer_id)).or_default().push(value);
        }
        Ok(values)
    }
}

/// Ids of the deals that `reader` sees, for conditions on what belongs to them.
fn visible_deals(reader: &Reader<'_>) -> Result<SelectStatement> {
    Ok(visible(reader)?.select_only().column(Column::Id).into_query())
}

/// Those of `ids` that `reader` sees.
pub(crate) async fn visible_ids(reader: &Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let rows = visible(reader)?.filter(Column::Id.is_in(ids)).select_only().column(Column::Id);
    rows.into_tuple().all(&reader.db).await.map_err(database_error)
}
