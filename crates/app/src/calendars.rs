//! Work calendars, leave, and the workdays that follow from both.

use std::collections::HashMap;

use chrono::NaiveDate;
use evenhand_domain::access::Permission;
use evenhand_domain::calendars::{NewWorkCalendar, WorkCalendar, WorkCalendarUpdate};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Reference, Result};
use evenhand_domain::id::{LeaveId, UserId, WorkCalendarId};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::time::Period;
use evenhand_domain::users::{Leave, NewLeave, User};
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};
use crate::users::{in_reach, load};

/// The present default makes way for another one.
async fn clear_default(tx: &mut Tx) -> Result<()> {
    for calendar in tx.read().work_calendars_or_default(&[]).await? {
        tx.save(calendar.give_way(tx.now())).await?;
    }
    Ok(())
}

/// Adds a work calendar.
#[derive(Debug)]
pub struct CreateWorkCalendar(pub NewWorkCalendar);

impl Command for CreateWorkCalendar {
    const PERMISSION: Permission = Permission::ManageCalendars;
    type Output = WorkCalendar;

    async fn run(&self, tx: &mut Tx) -> Result<WorkCalendar> {
        let change = WorkCalendar::create(&self.0, tx.new_id(), tx.now())?;
        if self.0.is_default {
            clear_default(tx).await?;
            tx.look_at_all_complaints().await?;
        }
        tx.save(change).await
    }
}

/// Changes name or hours of a work calendar, or makes it the organisation's default.
#[derive(Debug)]
pub struct UpdateWorkCalendar {
    /// Which calendar.
    pub id: WorkCalendarId,
    /// The version that the client saw.
    pub version: Version,
    /// What to change.
    pub update: WorkCalendarUpdate,
}

impl Command for UpdateWorkCalendar {
    const PERMISSION: Permission = Permission::ManageCalendars;
    type Output = WorkCalendar;

    async fn run(&self, tx: &mut Tx) -> Result<WorkCalendar> {
        let calendar = tx.read().work_calendar(self.id).await?;
        if calendar.version != self.version {
            return Err(Error::Conflict);
        }
        let change = calendar.update(&self.update, tx.now())?;
        if self.update.is_default == Some(true) && !calendar.is_default {
            clear_default(tx).await?;
        }
        let calendar = tx.save(change).await?;
        tx.look_at_all_complaints().await?;
        Ok(calendar)
    }
}

/// Records days on which a person is away.
#[derive(Debug)]
pub struct RecordLeave {
    /// Who.
    pub user: UserId,
    /// The version that the client saw.
    pub version: Version,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
}

impl Command for RecordLeave {
    const PERMISSION: Permission = Permission::ManageLeave;
    type Output = User;

    async fn run(&self, tx: &mut Tx) -> Result<User> {
        in_reach(tx, self.user, Self::PERMISSION, "userId").await?;
        let user = load(tx, self.user, self.version).await?;
        let present = tx.read().leaves_of_users(&[user.id]).await?.remove(&user.id).unwrap_or_default();
        let input = NewLeave { id: tx.new_id(), from: self.from, to: self.to };
        let user = tx.save_leave(user.record_leave(&input, &present, tx.now())?).await?;
        tx.look_at_complaints_of(user.id).await?;
        Ok(user)
    }
}

/// Takes back recorded leave.
#[derive(Debug)]
pub struct CancelLeave {
    /// Whose.
    pub user: UserId,
    /// The version that the client saw.
    pub version: Version,
    /// Which leave.
    pub leave: LeaveId,
}

impl Command for CancelLeave {
    const PERMISSION: Permission = Permission::ManageLeave;
    type Output = User;

    async fn run(&self, tx: &mut Tx) -> Result<User> {
        in_reach(tx, self.user, Self::PERMISSION, "userId").await?;
        let user = load(tx, self.user, self.version).await?;
        let present = tx.read().leaves_of_users(&[user.id]).await?.remove(&user.id).unwrap_or_default();
        let leave = present.into_iter().find(|leave| leave.id == self.leave).ok_or(Error::NotFound);
        let user = tx.delete_leave(user.cancel_leave(leave.referenced("leaveId")?, tx.now())).await?;
        tx.look_at_complaints_of(user.id).await?;
        Ok(user)
    }
}

/// The calendars of people by what their entries name: `None` asks for the organisation's default. Keys without a
/// calendar are left out.
#[derive(Debug)]
pub struct CalendarsFor(pub Vec<Option<WorkCalendarId>>);

impl Query for CalendarsFor {
    const PERMISSION: Permission = Permission::ReadCalendars;
    type Output = HashMap<Option<WorkCalendarId>, WorkCalendar>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let ids: Vec<_> = self.0.iter().filter_map(|id| *id).collect();
        let calendars = reader.work_calendars_or_default(&ids).await?;
        let default = calendars.iter().find(|calendar| calendar.is_default).cloned();
        let mut found: HashMap<_, _> = default.into_iter().map(|calendar| (None, calendar)).collect();
        found.extend(calendars.into_iter().map(|calendar| (Some(calendar.id), calendar)));
        Ok(found)
    }
}

/// A page of work calendars, by name.
#[derive(Debug)]
pub struct ListWorkCalendars(pub PageRequest);

impl Query for ListWorkCalendars {
    const PERMISSION: Permission = Permission::ReadCalendars;
    type Output = Page<WorkCalendar>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<WorkCalendar>> {
        reader.work_calendars(&self.0).await
    }
}

/// Number of work calendars.
#[derive(Debug)]
pub struct CountWorkCalendars;

impl Query for CountWorkCalendars {
    const PERMISSION: Permission = Permission::ReadCalendars;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_work_calendars().await
    }
}

/// The leave of some people, oldest first; people without any are left out.
#[derive(Debug)]
pub struct LeavesOfUsers(pub Vec<UserId>);

impl Query for LeavesOfUsers {
    const PERMISSION: Permission = Permission::ReadCalendars;
    type Output = HashMap<UserId, Vec<Leave>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        reader.leaves_of_users(&self.0).await
    }
}

/// Number of workdays of some people in a period.
#[derive(Debug)]
pub struct WorkdaysOfUsers {
    /// Who.
    pub users: Vec<UserId>,
    /// Which days.
    pub period: Period,
}

impl Query for WorkdaysOfUsers {
    const PERMISSION: Permission = Permission::ReadCalendars;
    type Output = HashMap<UserId, u32>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let days = self.period.days();
        let times = reader.work_times(&self.users, days).await?;
        Ok(times.into_iter().map(|(user, time)| (user, time.workdays(days))).collect())
    }
}
