//! Complaints as they are counted: narrow rows, in the order in which they were recorded.

use std::collections::HashMap;

use chrono::NaiveDate;
use evenhand_domain::complaints::{
    Channel, ComplaintFigures, ComplaintGroup, ComplaintState, CountedComplaint, GroupStatistics, SlaClock,
    SurveyState, SurveyVerdict, verdict,
};
use evenhand_domain::error::Result;
use evenhand_domain::filter::OneOf;
use evenhand_domain::id::{CustomerId, EntityId, ProductId, TeamId, UserId};
use evenhand_domain::time::Timestamp;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::{Column, Entity, parse_severity, surveys, visible};
use crate::error::{bad_row, database_error};
use crate::scope::lasts;
use crate::store::Reader;
use crate::targets::parse_json;
use crate::users::membership;

/// Complaints that are read, and held in memory, at a time.
const CHUNK: u64 = 2_000;

/// The instants `[from, until)` of record.
type Window = (Timestamp, Timestamp);

#[derive(FromQueryResult)]
struct CountedRow {
    id: Uuid,
    customer_id: Uuid,
    product_id: Option<Uuid>,
    root_cause: Option<String>,
    severity: Option<String>,
    channel: String,
    owner_id: Uuid,
    team_id: Option<Uuid>,
    state: String,
    recorded_at: DateTimeUtc,
    next_action_due: DateTimeUtc,
    ended_at: Option<DateTimeUtc>,
    reopen_count: i32,
    clocks: String,
}

type Surveys = Vec<(SurveyState, Option<SurveyVerdict>)>;

fn restore(row: CountedRow, surveys: Surveys, now: Timestamp) -> Result<CountedComplaint> {
    let bad = |what: &str| bad_row("complaints", row.id, what);
    let clocks: Vec<SlaClock> = parse_json("complaints", row.id, &row.clocks)?;
    Ok(CountedComplaint {
        customer_id: CustomerId::from_uuid(row.customer_id),
        product_id: row.product_id.map(ProductId::from_uuid),
        severity: parse_severity("complaints", row.id, row.severity.as_deref())?,
        channel: Channel::parse(&row.channel).ok_or_else(|| bad("unknown channel"))?,
        owner_id: UserId::from_uuid(row.owner_id),
        team_id: row.team_id.map(TeamId::from_uuid),
        figures: ComplaintFigures {
            state: ComplaintState::parse(&row.state).ok_or_else(|| bad("unknown state"))?,
            recorded_at: Timestamp::new(row.recorded_at),
            next_action_due: Timestamp::new(row.next_action_due),
            ended_at: row.ended_at.map(Timestamp::new),
            reopen_count: row.reopen_count,
            clocks: clocks.iter().map(|clock| (clock.kind, clock.outcome(now))).collect(),
        },
        surveys,
        root_cause: row.root_cause,
    })
}

/// The stays in teams that last on a day.
fn stays(org: Uuid, today: NaiveDate) -> SelectStatement {
    Query::select()
        .from(membership::Entity)
        .and_where(membership::Column::OrgId.eq(org))
        .and_where(lasts(membership::Entity, today))
        .to_owned()
}

/// The condition that the owner is in one of `teams` today.
pub(super) fn owner_in_team(org: Uuid, today: NaiveDate, teams: &OneOf<TeamId>) -> SimpleExpr {
    let mut people = stays(org, today);
    people.column(membership::Column::UserId);
    match teams {
        OneOf::In(teams) => {
            people.and_where(membership::Column::TeamId.is_in(teams.iter().map(|team| team.uuid())));
            Column::OwnerId.in_subquery(people)
        }
        OneOf::Missing => Column::OwnerId.not_in_subquery(people),
    }
}

/// The team that the owner is in today: nobody is in two at a time.
fn team_of_owner(org: Uuid, today: NaiveDate) -> SimpleExpr {
    let mut team = stays(org, today);
    let owner = Expr::col((Entity, Column::OwnerId));
    team.column(membership::Column::TeamId).and_where(membership::Column::UserId.into_expr().eq(owner));
    SimpleExpr::SubQuery(None, Box::new(team.into()))
}

impl Reader<'_> {
    /// Counts the visible complaints that were recorded in a window, the earlier ones first; their clocks and surveys
    /// with `details` only.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tally_complaints(
        &self,
        statistics: &mut GroupStatistics,
        window: Window,
        details: bool,
    ) -> Result<()> {
        let by_team = statistics.group() == ComplaintGroup::Team;
        let mut place = None;
        loop {
            let rows = self.rows::<CountedRow>(&chunk(self, window, (details, by_team), place)?).await?;
            place = rows.last().map(|row| (row.recorded_at, row.id));
            let is_last = (rows.len() as u64) < CHUNK;
            let ids = rows.iter().map(|row| row.id).collect();
            let mut surveys = if details { surveys_of(self, ids).await? } else { HashMap::new() };
            for row in rows {
                let surveys = surveys.remove(&row.id).unwrap_or_default();
                statistics.add(restore(row, surveys, self.now())?);
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

/// The complaints of a window that follow a place.
fn chunk(
    reader: &Reader<'_>,
    (from, until): Window,
    (details, by_team): (bool, bool),
    after: Option<(DateTimeUtc, Uuid)>,
) -> Result<SelectStatement> {
    let beyond = after.map(|(at, id)| {
        let later = Condition::all().add(Column::RecordedAt.eq(at)).add(Column::Id.gt(id));
        Condition::any().add(Column::RecordedAt.gt(at)).add(later)
    });
    let clocks: SimpleExpr = if details { Expr::col((Entity, Column::Clocks)) } else { Expr::val("[]") };
    let team = if by_team {
        team_of_owner(reader.org()?, reader.grant().today(reader.now()))
    } else {
        Expr::val(None::<Uuid>)
    };
    let mut select = visible(reader)?
        .filter(Column::RecordedAt.gte(from.utc()).and(Column::RecordedAt.lt(until.utc())))
        .filter(Column::State.ne(ComplaintState::Merged.as_str()))
        .filter(Condition::all().add_option(beyond))
        .select_only()
        .columns([Column::Id, Column::CustomerId, Column::ProductId, Column::RootCause, Column::Severity])
        .columns([Column::Channel, Column::OwnerId, Column::State, Column::RecordedAt])
        .columns([Column::NextActionDue, Column::EndedAt, Column::ReopenCount])
        .into_query();
    select
        .expr_as(clocks, "clocks")
        .expr_as(team, "team_id")
        .order_by((Entity, Column::RecordedAt), Order::Asc)
        .order_by((Entity, Column::Id), Order::Asc)
        .limit(CHUNK);
    Ok(select)
}

/// What the customers of complaints that were read as visible ones were asked and said.
async fn surveys_of(reader: &Reader<'_>, complaints: Vec<Uuid>) -> Result<HashMap<Uuid, Surveys>> {
    let mut told: HashMap<Uuid, Surveys> = HashMap::new();
    if complaints.is_empty() {
        return Ok(told);
    }
    let rows: Vec<(Uuid, Uuid, String, String)> = surveys::Entity::find()
        .filter(surveys::Column::OrgId.eq(reader.org()?))
        .filter(surveys::Column::ComplaintId.is_in(complaints))
        .select_only()
        .columns([surveys::Column::Id, surveys::Column::ComplaintId])
        .columns([surveys::Column::State, surveys::Column::Scores])
        .into_tuple()
        .all(&reader.db)
        .await
        .map_err(database_error)?;
    for (id, complaint, state, scores) in rows {
        let state = SurveyState::parse(&state).ok_or_else(|| bad_row("surveys", id, "unknown state"))?;
        let scores: Vec<i32> = parse_json("surveys", id, &scores)?;
        told.entry(complaint).or_default().push((state, verdict(&scores)));
    }
    Ok(told)
}
