//! Rows of work calendars and of leave.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::NaiveDate;
use evenhand_domain::access::Permission;
use evenhand_domain::calendars::{WorkCalendar, WorkHours, WorkTime};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::Direction;
use evenhand_domain::id::{EntityId, LeaveId, UserId, WorkCalendarId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::text::fold;
use evenhand_domain::time::{DateRange, Timestamp};
use evenhand_domain::users::{Leave, LeaveChange, User};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Order, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Select};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::row::{self, entity};
use crate::store::{Reader, Stored, Tx};
use crate::users;

entity!(calendar, "work_calendars", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    name: String,
    name_key: String,
    hours: String,
    is_default: bool,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
});
use calendar::{Column, Entity, Model as Row};

entity!(leave, "user_leaves", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    user_id: Uuid,
    first_day: Date,
    end_day: Date,
});

const SLICE: &[Permission] =
    &[Permission::ReadCalendars, Permission::ManageCalendars, Permission::ManageLeave];

fn parse_hours(id: Uuid, hours: &str) -> Result<WorkHours> {
    serde_json::from_str(hours).map_err(|error| bad_row("work_calendars", id, &error.to_string()))
}

fn restore(row: Row) -> Result<WorkCalendar> {
    Ok(WorkCalendar {
        id: WorkCalendarId::from_uuid(row.id),
        version: row.version,
        name: row.name,
        hours: parse_hours(row.id, &row.hours)?,
        is_default: row.is_default,
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
    })
}

fn to_row(org_id: Uuid, calendar: &WorkCalendar) -> Result<Row> {
    Ok(Row {
        org_id,
        id: calendar.id.uuid(),
        version: calendar.version,
        name: calendar.name.clone(),
        name_key: fold(&calendar.name),
        hours: serde_json::to_string(&calendar.hours).map_err(|error| Error::Internal(error.to_string()))?,
        is_default: calendar.is_default,
        created_at: calendar.created_at.utc(),
        updated_at: calendar.updated_at.utc(),
    })
}

impl Stored for WorkCalendar {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)?).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self)?, columns, (org, self.id.uuid(), expected)).await
    }
}

fn restore_leave(row: &leave::Model) -> Leave {
    Leave {
        id: LeaveId::from_uuid(row.id),
        user_id: UserId::from_uuid(row.user_id),
        days: DateRange { from: row.first_day, to: row.end_day },
    }
}

impl Tx {
    /// Saves a person together with leave that was recorded.
    ///
    /// # Errors
    /// As [`Tx::save`].
    pub async fn save_leave(&mut self, recorded: LeaveChange) -> Result<User> {
        let LeaveChange { change, leave } = recorded;
        let user = self.save(change).await?;
        let row = leave::Model {
            org_id: self.org()?,
            id: leave.id.uuid(),
            user_id: user.id.uuid(),
            first_day: leave.days.from,
            end_day: leave.days.to,
        };
        row::insert::<leave::Entity>(&self.db, row).await?;
        Ok(user)
    }

    /// Saves a person together with leave that was taken back; the log remembers it.
    ///
    /// # Errors
    /// As [`Tx::save`].
    pub async fn delete_leave(&mut self, cancelled: LeaveChange) -> Result<User> {
        let LeaveChange { change, leave } = cancelled;
        let user = self.save(change).await?;
        leave::Entity::delete_many()
            .filter(leave::Column::OrgId.eq(self.org()?))
            .filter(leave::Column::Id.eq(leave.id.uuid()))
            .exec(&self.db)
            .await
            .map_err(database_error)?;
        Ok(user)
    }
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    // Everybody may know when colleagues work.
    reader.scope(SLICE)?;
    Ok(Entity::find().filter(Column::OrgId.eq(reader.org()?)))
}

fn visible_leaves(reader: &Reader<'_>, users: &[UserId]) -> Result<Select<leave::Entity>> {
    reader.scope(SLICE)?;
    Ok(leave::Entity::find()
        .filter(leave::Column::OrgId.eq(reader.org()?))
        .filter(leave::Column::UserId.is_in(users.iter().map(|id| id.uuid())))
        .order_by_asc(leave::Column::FirstDay))
}

impl Reader<'_> {
    /// A work calendar.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn work_calendar(&self, id: WorkCalendarId) -> Result<WorkCalendar> {
        let row =
            visible(self)?.filter(Column::Id.eq(id.uuid())).one(&self.db).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }

    /// Those of `ids` that exist, and the organisation's default where there is one, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn work_calendars_or_default(&self, ids: &[WorkCalendarId]) -> Result<Vec<WorkCalendar>> {
        let named = Column::Id.is_in(ids.iter().map(|id| id.uuid()));
        let wanted = Condition::any().add(named).add(Column::IsDefault.eq(true));
        let rows = visible(self)?.filter(wanted).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// A page of work calendars, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn work_calendars(&self, page: &PageRequest) -> Result<Page<WorkCalendar>> {
        let keyset = Keyset { column: Column::NameKey, id: Column::Id, direction: Direction::Asc };
        let place = |row: &Row| (SortKey::Text(row.name_key.clone()), row.id);
        page::fetch(&self.db, visible(self)?, &keyset, page, place, restore).await
    }

    /// Number of work calendars.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_work_calendars(&self) -> Result<i64> {
        page::count(&self.db, visible(self)?).await
    }

    /// The leave of each of `users`, oldest first; people without any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn leaves_of_users(&self, users: &[UserId]) -> Result<HashMap<UserId, Vec<Leave>>> {
        let rows = visible_leaves(self, users)?.all(&self.db).await.map_err(database_error)?;
        Ok(by_user(&rows))
    }

    /// The hours of the organisation: those of its default calendar, else [`WorkHours::standard`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn default_hours(&self) -> Result<WorkHours> {
        let default = self.work_calendars_or_default(&[]).await?.pop();
        Ok(default.map_or_else(|| WorkHours::standard(self.grant().zone()), |calendar| calendar.hours))
    }

    /// What decides on which days within `range` each of `users` works, in one statement: the hours of their calendar,
    /// else of the organisation's default, else [`WorkHours::standard`]; and their leave.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn work_times(&self, users: &[UserId], range: DateRange) -> Result<HashMap<UserId, WorkTime>> {
        self.scope(SLICE)?;
        let mut times: HashMap<UserId, WorkTime> = HashMap::new();
        for row in self.rows::<WorkTimeRow>(&work_times(self.org()?, users, range)).await? {
            let time = match times.entry(UserId::from_uuid(row.user_id)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let hours = match row.hours {
                        Some(hours) => parse_hours(row.user_id, &hours)?,
                        None => WorkHours::standard(self.grant().zone()),
                    };
                    new.insert(WorkTime { hours, leave: Vec::new() })
                }
            };
            time.leave.extend(row.first_day.zip(row.end_day).map(|(from, to)| DateRange { from, to }));
        }
        Ok(times)
    }
}

#[derive(FromQueryResult)]
struct WorkTimeRow {
    user_id: Uuid,
    hours: Option<String>,
    first_day: Option<NaiveDate>,
    end_day: Option<NaiveDate>,
}

/// A row for each leave of each of `users` that touches `range`, or one without; oldest leave first.
fn work_times(org: Uuid, people: &[UserId], range: DateRange) -> SelectStatement {
    use leave::Column as L;
    use users::Column as U;
    let user = |column: U| Expr::col((users::Entity, column));
    let hours = |column: Column| Expr::col((Entity, column));
    let away = |column: L| Expr::col((leave::Entity, column));
    let own = hours(Column::Id).equals((users::Entity, U::CalendarId));
    let default = user(U::CalendarId).is_null().and(hours(Column::IsDefault).eq(true));
    Query::select()
        .expr_as(user(U::Id), "user_id")
        .expr(hours(Column::Hours))
        .expr(away(L::FirstDay))
        .expr(away(L::EndDay))
        .from(users::Entity)
        .join(JoinType::LeftJoin, Entity, hours(Column::OrgId).eq(org).and(own.or(default)))
        .join(
            JoinType::LeftJoin,
            leave::Entity,
            away(L::OrgId)
                .eq(org)
                .and(away(L::UserId).equals((users::Entity, U::Id)))
                .and(away(L::FirstDay).lt(range.to))
                .and(away(L::EndDay).gt(range.from)),
        )
        .and_where(user(U::OrgId).eq(org))
        .and_where(user(U::Id).is_in(people.iter().map(|id| id.uuid())))
        .order_by((leave::Entity, L::FirstDay), Order::Asc)
        .to_owned()
}

fn by_user(rows: &[leave::Model]) -> HashMap<UserId, Vec<Leave>> {
    let mut leaves: HashMap<UserId, Vec<Leave>> = HashMap::new();
    for leave in rows.iter().map(restore_leave) {
        leaves.entry(leave.user_id).or_default().push(leave);
    }
    leaves
}
