//! Rows of work calendars and of leave.

use std::collections::HashMap;

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
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, Select};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::row::{self, entity};
use crate::store::{Reader, Stored, Tx};

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

fn restore(row: Row) -> Result<WorkCalendar> {
    let bad = |error: serde_json::Error| bad_row("work_calendars", row.id, &error.to_string());
    Ok(WorkCalendar {
        id: WorkCalendarId::from_uuid(row.id),
        version: row.version,
        name: row.name,
        hours: serde_json::from_str(&row.hours).map_err(bad)?,
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

    /// What decides on which days within `range` each of `users` works, in three statements: the hours of their
    /// calendar, else of the organisation's default, else [`WorkHours::standard`]; and their leave.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn work_times(&self, users: &[UserId], range: DateRange) -> Result<HashMap<UserId, WorkTime>> {
        let people = self.users_by_ids(users).await?;
        let mut ids: Vec<_> = people.iter().filter_map(|user| user.calendar_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let calendars = self.work_calendars_or_default(&ids).await?;
        let default = calendars.iter().find(|calendar| calendar.is_default);
        let mut leaves = by_user(&self.leave_within(users, range.from, range.to).await?);
        let time = |user: &User| {
            let own = calendars.iter().find(|calendar| Some(calendar.id) == user.calendar_id);
            let hours = own.or(default).map(|calendar| calendar.hours.clone());
            let hours = hours.unwrap_or_else(|| WorkHours::standard(self.grant().zone()));
            let leave = leaves.remove(&user.id).unwrap_or_default();
            (user.id, WorkTime { hours, leave: leave.iter().map(|leave| leave.days).collect() })
        };
        Ok(people.iter().map(time).collect())
    }

    async fn leave_within(
        &self,
        users: &[UserId],
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<leave::Model>> {
        visible_leaves(self, users)?
            .filter(leave::Column::FirstDay.lt(to))
            .filter(leave::Column::EndDay.gt(from))
            .all(&self.db)
            .await
            .map_err(database_error)
    }
}

fn by_user(rows: &[leave::Model]) -> HashMap<UserId, Vec<Leave>> {
    let mut leaves: HashMap<UserId, Vec<Leave>> = HashMap::new();
    for leave in rows.iter().map(restore_leave) {
        leaves.entry(leave.user_id).or_default().push(leave);
    }
    leaves
}
