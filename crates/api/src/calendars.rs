//! Work calendars, leave and workdays in GraphQL.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use evenhand_app::calendars::{
    CalendarsFor, CancelLeave, CountWorkCalendars, CreateWorkCalendar, LeavesOfUsers, ListWorkCalendars,
    RecordLeave, UpdateWorkCalendar, WorkdaysOfUsers,
};
use evenhand_domain::calendars::{self as domain, HoursInput, NewWorkCalendar, Weekday, WorkCalendarUpdate};
use evenhand_domain::error::Problems;
use evenhand_domain::id::{UserId, WorkCalendarId};
use evenhand_domain::{time, users};

use crate::context::{Request, total};
use crate::error::payload;
use crate::ids;
use crate::page::{PageArgs, connection};
use crate::scalars::{Date, DateTime, PeriodInput};
use crate::users::User;
use crate::wire::Wire;

/// The order of the list, as its cursors know it.
const BY_NAME: &str = "workCalendars:name";

/// A named set of working hours.
#[derive(Clone)]
pub(crate) struct WorkCalendar(domain::WorkCalendar);

impl From<domain::WorkCalendar> for WorkCalendar {
    fn from(calendar: domain::WorkCalendar) -> Self {
        Self(calendar)
    }
}

connection!(WorkCalendarConnection, WorkCalendarEdge, WorkCalendar, "work calendars");

/// A named set of working hours: open intervals of each week, and dates that differ. Workdays and deadlines are
/// counted on it.
#[Object]
impl WorkCalendar {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; send it back when you update.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// IANA time zone, whose clocks count.
    async fn time_zone(&self) -> &str {
        self.0.hours.time_zone().name()
    }

    /// What is open every week, from Monday on.
    async fn weekly(&self) -> Vec<WeeklyInterval> {
        let weekly = self.0.hours.input().weekly.into_iter();
        weekly
            .map(|open| WeeklyInterval {
                weekday: Wire(open.weekday),
                from_minute: open.from_minute,
                to_minute: open.to_minute,
            })
            .collect()
    }

    /// Dates whose hours differ from those of their weekday, oldest first.
    async fn exceptions(&self) -> Vec<CalendarException> {
        let open = |open: domain::OpenInterval| OpenInterval {
            from_minute: open.from_minute,
            to_minute: open.to_minute,
        };
        let exceptions = self.0.hours.input().exceptions.into_iter();
        exceptions
            .map(|exception| CalendarException {
                date: Date(exception.date),
                open: exception.open.into_iter().map(open).collect(),
            })
            .collect()
    }

    /// Whether it counts for everybody who has no calendar of their own.
    async fn is_default(&self) -> bool {
        self.0.is_default
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// An interval that is open every week.
#[derive(SimpleObject)]
pub(crate) struct WeeklyInterval {
    /// On which day.
    weekday: Wire<Weekday>,
    /// First open minute after local midnight.
    from_minute: i32,
    /// First minute that is closed again; 1440 is the end of the day.
    to_minute: i32,
}

/// An open interval of one date.
#[derive(SimpleObject)]
pub(crate) struct OpenInterval {
    /// First open minute after local midnight.
    from_minute: i32,
    /// First minute that is closed again; 1440 is the end of the day.
    to_minute: i32,
}

/// A date whose hours differ from those of its weekday: a holiday, or a make-up workday.
#[derive(SimpleObject)]
pub(crate) struct CalendarException {
    /// The date.
    date: Date,
    /// What is open on it; empty for a day that is closed.
    open: Vec<OpenInterval>,
}

/// Days on which a person is away.
pub(crate) struct Leave(users::Leave);

/// Days on which a person is away. They are no workdays.
#[Object]
impl Leave {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// First day.
    async fn from(&self) -> Date {
        Date(self.0.days.from)
    }

    /// Last day.
    async fn to(&self) -> Date {
        Date(self.0.last_day())
    }
}

/// The calendar that an entry of a person names, for `None` the organisation's default; null where there is none.
pub(crate) async fn load(ctx: &Context<'_>, id: Option<WorkCalendarId>) -> Result<Option<WorkCalendar>> {
    let request = Request::of(ctx).asker();
    let calendar = Request::of(ctx)
        .loaders()
        .work_calendars
        .load(id, |ids| async move { request.query(&CalendarsFor(ids)).await });
    Ok(calendar.await?.map(WorkCalendar))
}

/// The hours of a calendar; those of the standard week for `None`.
pub(crate) async fn hours(ctx: &Context<'_>, id: Option<WorkCalendarId>) -> Result<domain::WorkHours> {
    let calendar = match id {
        Some(_) => load(ctx, id).await?,
        None => None,
    };
    let standard = || domain::WorkHours::standard(Request::of(ctx).actor().zone());
    Ok(calendar.map_or_else(standard, |calendar| calendar.0.hours))
}

/// The leave of a person, oldest first.
pub(crate) async fn leaves(ctx: &Context<'_>, user: UserId) -> Result<Vec<Leave>> {
    let request = Request::of(ctx).asker();
    let leaves = Request::of(ctx)
        .loaders()
        .leaves
        .load(user, |users| async move { request.query(&LeavesOfUsers(users)).await });
    Ok(leaves.await?.unwrap_or_default().into_iter().map(Leave).collect())
}

/// Number of workdays of a person in a period.
pub(crate) async fn workdays(ctx: &Context<'_>, user: UserId, period: &PeriodInput) -> Result<u32> {
    let key = (user, period.parse().map_err(evenhand_domain::error::Error::from)?);
    let request = Request::of(ctx).asker();
    let found = Request::of(ctx).loaders().workdays.load(key, |keys| async move {
        let mut periods: HashMap<time::Period, Vec<UserId>> = HashMap::new();
        for (user, period) in keys {
            periods.entry(period).or_default().push(user);
        }
        let mut workdays = HashMap::new();
        for (period, users) in periods {
            let found = request.query(&WorkdaysOfUsers { users, period }).await?;
            workdays.extend(found.into_iter().map(|(user, days)| ((user, period), days)));
        }
        Ok(workdays)
    });
    Ok(found.await?.unwrap_or_default())
}

/// Queries about work calendars.
#[derive(Default)]
pub(crate) struct CalendarQueries;

#[Object]
impl CalendarQueries {
    /// All work calendars of the organisation, by name.
    async fn work_calendars(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of calendars, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
    ) -> Result<WorkCalendarConnection> {
        let request = Request::of(ctx);
        let page = request.query(&ListWorkCalendars(PageArgs::forward(first, after).parse(BY_NAME)?)).await?;
        Ok(WorkCalendarConnection::new(page, BY_NAME, total(request, CountWorkCalendars)))
    }
}

/// An interval that is open every week, as input.
#[derive(InputObject)]
pub(crate) struct WeeklyIntervalInput {
    /// On which day.
    weekday: Wire<Weekday>,
    /// First open minute after local midnight, 0 to 1439.
    from_minute: i32,
    /// First minute that is closed again, after `fromMinute`, at most 1440.
    to_minute: i32,
}

/// An open interval of one date, as input.
#[derive(InputObject)]
pub(crate) struct OpenIntervalInput {
    /// First open minute after local midnight, 0 to 1439.
    from_minute: i32,
    /// First minute that is closed again, after `fromMinute`, at most 1440.
    to_minute: i32,
}

/// A date whose hours differ from those of its weekday, as input.
#[derive(InputObject)]
pub(crate) struct CalendarExceptionInput {
    /// The date; each stands at most once.
    date: Date,
    /// What is open on it, at most 8 intervals; empty for a day that is closed.
    open: Vec<OpenIntervalInput>,
}

fn weekly(input: Vec<WeeklyIntervalInput>) -> Vec<domain::WeeklyInterval> {
    let interval = |open: WeeklyIntervalInput| domain::WeeklyInterval {
        weekday: open.weekday.0,
        from_minute: open.from_minute,
        to_minute: open.to_minute,
    };
    input.into_iter().map(interval).collect()
}

fn exceptions(input: Vec<CalendarExceptionInput>) -> Vec<domain::CalendarException> {
    let open = |open: OpenIntervalInput| domain::OpenInterval {
        from_minute: open.from_minute,
        to_minute: open.to_minute,
    };
    let exception = |exception: CalendarExceptionInput| domain::CalendarException {
        date: exception.date.0,
        open: exception.open.into_iter().map(open).collect(),
    };
    input.into_iter().map(exception).collect()
}

/// Input of `createWorkCalendar`. The calendar must open at least once within the next 366 days.
#[derive(InputObject)]
pub(crate) struct CreateWorkCalendarInput {
    /// Name, unique in the organisation, 1 to 200 characters.
    name: String,
    /// IANA time zone, e.g. `Asia/Shanghai`.
    time_zone: String,
    /// What is open every week, at most 8 intervals a day, without overlap.
    weekly: Vec<WeeklyIntervalInput>,
    /// Dates that differ, at most 1000; none if not given.
    exceptions: Option<Vec<CalendarExceptionInput>>,
    /// Whether it counts, in place of the present default, for everybody who has no calendar of their own; no if
    /// not given.
    is_default: Option<bool>,
}

/// Input of `updateWorkCalendar`. What is left out stays as it is; a list replaces the whole list.
#[derive(InputObject)]
pub(crate) struct UpdateWorkCalendarInput {
    /// The calendar.
    id: ID,
    /// The version that you read.
    version: i32,
    /// New name.
    name: Option<String>,
    /// New IANA time zone.
    time_zone: Option<String>,
    /// What is open every week.
    weekly: Option<Vec<WeeklyIntervalInput>>,
    /// Dates that differ.
    exceptions: Option<Vec<CalendarExceptionInput>>,
    /// Whether it counts, in place of the present default, for everybody who has no calendar of their own.
    is_default: Option<bool>,
}

/// Input of `recordLeave`.
#[derive(InputObject)]
pub(crate) struct RecordLeaveInput {
    /// Who is away.
    user_id: ID,
    /// The version of the user that you read.
    version: i32,
    /// First day.
    from: Date,
    /// Last day.
    to: Date,
}

/// Input of `cancelLeave`.
#[derive(InputObject)]
pub(crate) struct CancelLeaveInput {
    /// Whose leave.
    user_id: ID,
    /// The version of the user that you read.
    version: i32,
    /// The leave.
    leave_id: ID,
}

payload! {
    /// Result of `createWorkCalendar`.
    CreateWorkCalendarPayload {
        /// The new calendar; null when the input was wrong.
        work_calendar: WorkCalendar
    }
}

payload! {
    /// Result of `updateWorkCalendar`.
    UpdateWorkCalendarPayload {
        /// The calendar after the change; null when the input was wrong.
        work_calendar: WorkCalendar
    }
}

payload! {
    /// Result of `recordLeave`.
    RecordLeavePayload {
        /// The person with the new leave; null when the input was wrong.
        user: User
    }
}

payload! {
    /// Result of `cancelLeave`.
    CancelLeavePayload {
        /// The person without the leave; null when the input was wrong.
        user: User
    }
}

/// Mutations of work calendars and leave.
#[derive(Default)]
pub(crate) struct CalendarMutations;

#[Object]
impl CalendarMutations {
    /// Adds a work calendar. For administrators.
    async fn create_work_calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new calendar.")] input: CreateWorkCalendarInput,
    ) -> Result<CreateWorkCalendarPayload> {
        let command = CreateWorkCalendar(NewWorkCalendar {
            name: input.name,
            hours: HoursInput {
                time_zone: input.time_zone,
                weekly: weekly(input.weekly),
                exceptions: exceptions(input.exceptions.unwrap_or_default()),
            },
            is_default: input.is_default.unwrap_or(false),
        });
        CreateWorkCalendarPayload::of(Request::of(ctx).execute(&command).await)
    }

    /// Changes name or hours of a work calendar, or makes it the organisation's default. Workdays are counted on
    /// the new hours from now on, those of the past too. For administrators.
    async fn update_work_calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateWorkCalendarInput,
    ) -> Result<UpdateWorkCalendarPayload> {
        UpdateWorkCalendarPayload::of(
            async {
                let id = ids::decode(&input.id).map_err(|problem| problem.at("id"))?;
                let update = WorkCalendarUpdate {
                    name: input.name,
                    time_zone: input.time_zone,
                    weekly: input.weekly.map(weekly),
                    exceptions: input.exceptions.map(exceptions),
                    is_default: input.is_default,
                };
                Request::of(ctx).execute(&UpdateWorkCalendar { id, version: input.version, update }).await
            }
            .await,
        )
    }

    /// Records days on which a person is away. For administrators, and for managers in the teams that they lead.
    async fn record_leave(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is away, and when.")] input: RecordLeaveInput,
    ) -> Result<RecordLeavePayload> {
        RecordLeavePayload::of(
            async {
                let user = ids::decode(&input.user_id).map_err(|problem| problem.at("userId"))?;
                let (from, to) = (input.from.0, input.to.0);
                Request::of(ctx).execute(&RecordLeave { user, version: input.version, from, to }).await
            }
            .await,
        )
    }

    /// Takes back recorded leave. For administrators, and for managers in the teams that they lead.
    async fn cancel_leave(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which leave.")] input: CancelLeaveInput,
    ) -> Result<CancelLeavePayload> {
        CancelLeavePayload::of(
            async {
                let mut problems = Problems::default();
                let user = problems.take("userId", ids::decode(&input.user_id));
                let leave = problems.take("leaveId", ids::decode(&input.leave_id));
                let command = problems.finish_with(|| {
                    Some(CancelLeave { user: user?, version: input.version, leave: leave? })
                })?;
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }
}
