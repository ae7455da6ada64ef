//! Rows of activities. They are written once.

use std::collections::HashMap;

use evenhand_domain::access::Permission;
use evenhand_domain::activities::{Activity, ActivityKind, ActivityTerm};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{ActivityId, CustomerId, DealId, EntityId, UserId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::SimpleExpr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Each, Keyset};
use crate::store::{Reader, Stored, Tx};
use crate::{customers, row};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "activities")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i32,
        pub kind: String,
        pub customer_id: Option<Uuid>,
        pub deal_id: Option<Uuid>,
        pub user_id: Uuid,
        pub started_at: DateTimeUtc,
        pub seconds: Option<i32>,
        pub connected: Option<bool>,
        pub outcome: Option<String>,
        pub note: Option<String>,
        pub recorded_at: DateTimeUtc,
        pub recorded_by: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
pub(crate) use entity::{Column, Entity, Model as Row};

const SLICE: &[Permission] = &[Permission::ReadActivities, Permission::LogActivities];

/// Newest first: the order of every list of activities.
const NEWEST_FIRST: Keyset<Column> =
    Keyset { column: Column::StartedAt, id: Column::Id, direction: Direction::Desc };

pub(crate) fn restore(row: Row) -> Result<Activity> {
    let bad = |what| bad_row("activities", row.id, what);
    Ok(Activity {
        id: ActivityId::from_uuid(row.id),
        version: row.version,
        kind: ActivityKind::parse(&row.kind).ok_or_else(|| bad("unknown kind"))?,
        customer_id: row.customer_id.map(CustomerId::from_uuid),
        deal_id: row.deal_id.map(DealId::from_uuid),
        user_id: UserId::from_uuid(row.user_id),
        started_at: Timestamp::new(row.started_at),
        seconds: row.seconds.map(u32::try_from).transpose().map_err(|_| bad("negative seconds"))?,
        connected: row.connected,
        outcome: row.outcome,
        note: row.note,
        recorded_at: Timestamp::new(row.recorded_at),
        recorded_by: row.recorded_by.map(UserId::from_uuid),
    })
}

fn to_row(org_id: Uuid, activity: &Activity) -> Result<Row> {
    let seconds = activity.seconds.map(i32::try_from).transpose();
    Ok(Row {
        org_id,
        id: activity.id.uuid(),
        version: activity.version,
        kind: activity.kind.as_str().to_owned(),
        customer_id: activity.customer_id.map(EntityId::uuid),
        deal_id: activity.deal_id.map(EntityId::uuid),
        user_id: activity.user_id.uuid(),
        started_at: activity.started_at.utc(),
        seconds: seconds.map_err(|_| Error::Internal("an activity of more than 68 years".into()))?,
        connected: activity.connected,
        outcome: activity.outcome.clone(),
        note: activity.note.clone(),
        recorded_at: activity.recorded_at.utc(),
        recorded_by: activity.recorded_by.map(EntityId::uuid),
    })
}

impl Stored for Activity {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)?).await
    }

    async fn update(&self, _: &Tx, _: Version) -> Result<()> {
        Err(Error::Internal("activities are never changed".into()))
    }

    async fn insert_all(rows: &[&Self], tx: &Tx) -> Result<()> {
        let org = tx.org()?;
        let rows = rows.iter().map(|activity| to_row(org, activity)).collect::<Result<Vec<_>>>()?;
        row::insert_all::<Entity>(&tx.db, rows).await
    }
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    let org = reader.org()?;
    let people = reader.people(SLICE)?;
    let mut select = Entity::find().filter(Column::OrgId.eq(org));
    if let Some(done) = people.include((Entity, Column::UserId)) {
        let mut reach = Condition::any().add(done);
        // Who owns a customer sees its whole history, whoever made it.
        if let Some(owned) = customers::owned_by(org, &people) {
            reach = reach.add(Column::CustomerId.in_subquery(owned));
        }
        select = select.filter(reach);
    }
    Ok(select)
}

/// Those of `ids` that `reader` may see.
pub(crate) async fn visible_ids(reader: &Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let seen = visible(reader)?.filter(Column::Id.is_in(ids)).select_only().column(Column::Id);
    seen.into_tuple().all(&reader.db).await.map_err(database_error)
}

fn sort_key(row: &Row) -> SortKey {
    SortKey::Time(Timestamp::new(row.started_at))
}

fn filtered(reader: &Reader<'_>, filter: &Filter<ActivityTerm>) -> Result<Select<Entity>> {
    Ok(visible(reader)?.filter(page::condition(filter, &comparison)))
}

fn comparison(term: &ActivityTerm) -> SimpleExpr {
    match term {
        ActivityTerm::Kind(one_of) => page::one_of(Column::Kind, one_of, ActivityKind::as_str),
        ActivityTerm::User(one_of) => page::one_of(Column::UserId, one_of, UserId::uuid),
        ActivityTerm::Customer(one_of) => page::one_of(Column::CustomerId, one_of, CustomerId::uuid),
        ActivityTerm::Deal(one_of) => page::one_of(Column::DealId, one_of, DealId::uuid),
        ActivityTerm::StartedAt(range) => page::range(Column::StartedAt, range, Timestamp::utc),
        ActivityTerm::Connected(one_of) => page::one_of(Column::Connected, one_of, |connected| connected),
    }
}

impl Reader<'_> {
    /// An activity.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn activity(&self, id: ActivityId) -> Result<Activity> {
        let row =
            visible(self)?.filter(Column::Id.eq(id.uuid())).one(&self.db).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }

    /// Those of `ids` that exist, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn activities_by_ids(&self, ids: &[ActivityId]) -> Result<Vec<Activity>> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows =
            visible(self)?.filter(Column::Id.is_in(ids)).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// A page of activities, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn activities(
        &self,
        page: &PageRequest,
        filter: &Filter<ActivityTerm>,
    ) -> Result<Page<Activity>> {
        let place = |row: &Row| (sort_key(row), row.id);
        page::fetch(&self.db, filtered(self, filter)?, &NEWEST_FIRST, page, place, restore).await
    }

    /// Number of activities.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_activities(&self, filter: &Filter<ActivityTerm>) -> Result<i64> {
        page::count(&self.db, filtered(self, filter)?).await
    }

    /// The first page of `size` activities with each of `customers`, newest first, in one statement. Customers
    /// without activities are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn activities_of_customers(
        &self,
        customers: &[CustomerId],
        size: u32,
    ) -> Result<HashMap<CustomerId, Page<Activity>>> {
        let of_customers = Column::CustomerId.is_in(customers.iter().map(|id| id.uuid()));
        let select = visible(self)?.filter(of_customers);
        let each = Each { parent: Column::CustomerId, org: (Column::OrgId, self.org()?), size };
        let place = |row: &Row| (sort_key(row), row.id);
        let restore = |row| restore(row).map(|activity| (activity.customer_id, activity));
        page::fetch_each(&self.db, select, &each, &NEWEST_FIRST, place, restore).await
    }

    /// Number of activities with each of `customers`; those without any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_activities_of_customers(
        &self,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, i64>> {
        let counts: Vec<(Uuid, i64)> = visible(self)?
            .filter(Column::CustomerId.is_in(customers.iter().map(|id| id.uuid())))
            .select_only()
            .column(Column::CustomerId)
            .column_as(Column::Id.count(), "activities")
            .group_by(Column::CustomerId)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(database_error)?;
        Ok(counts.into_iter().map(|(customer, count)| (CustomerId::from_uuid(customer), count)).collect())
    }
}
