//! What a derivation rests on: counts, deals and prospects of people over years, in few statements.
//!
//! All reads here are unscoped. A person's rates lean on those of their team, whose single rows they may not
//! see; callers name people whose targets the grant reaches, and the members of their teams.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use evenhand_domain::activities::ActivityKind;
use evenhand_domain::attainment::DealCourse;
use evenhand_domain::customers::CustomerStage;
use evenhand_domain::derivation::FunnelCounts;
use evenhand_domain::derivation::history::{PastCounts, PastDeal, PastProspect, RecordSpan};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{DealId, EntityId, UserId};
use evenhand_domain::time::{DateRange, Timestamp};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, JoinType, Query, SelectStatement, SimpleExpr, UnionType};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult};
use uuid::Uuid;

use crate::customers::step;
use crate::error::bad_row;
use crate::reconciliation::segment;
use crate::store::Reader;
use crate::{activities, customers, deals, users};

#[derive(FromQueryResult)]
struct SpanRow {
    won: Option<DateTime<Utc>>,
    lost: Option<DateTime<Utc>>,
    last_done: Option<DateTime<Utc>>,
    last_opened: Option<DateTime<Utc>>,
    last_won: Option<DateTime<Utc>>,
    last_lost: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct StartRow {
    id: Uuid,
    done: Option<DateTime<Utc>>,
    stepped: Option<DateTime<Utc>>,
    opened: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct CountRow {
    kind: String,
    user_id: Uuid,
    segment: i32,
    facts: i64,
}

#[derive(FromQueryResult)]
struct DealRow {
    id: Uuid,
    owner_id: Uuid,
    won_at: DateTime<Utc>,
    cancelled_at: Option<DateTime<Utc>>,
    value_minor: Option<i64>,
    value_currency: Option<String>,
}

#[derive(FromQueryResult)]
struct CourseRow {
    id: Uuid,
    owner_id: Uuid,
    opened_at: DateTime<Utc>,
    won_at: Option<DateTime<Utc>>,
    lost_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    value_minor: Option<i64>,
    value_currency: Option<String>,
}

#[derive(FromQueryResult)]
struct ProspectRow {
    customer_id: Uuid,
    user_id: Uuid,
    collected_at: DateTime<Utc>,
    occurred_at: DateTime<Utc>,
    won_at: Option<DateTime<Utc>>,
}

/// A value of one row, for a column.
fn scalar(value: SimpleExpr, from: impl EntityTrait, rows: Condition) -> SimpleExpr {
    let select = Query::select().expr(value).from(from).cond_where(rows).to_owned();
    SimpleExpr::SubQuery(None, Box::new(select.into()))
}

fn is_among(user: impl ColumnTrait, people: &[UserId]) -> SimpleExpr {
    user.is_in(people.iter().map(|id| id.uuid()))
}

/// The number of facts of each kind, person and segment, of the rows that `facts` selects.
fn counted(facts: SelectStatement) -> SelectStatement {
    let [kind, user, segment] = ["kind", "user_id", "segment"].map(Alias::new);
    Query::select()
        .columns([kind.clone(), user.clone(), segment.clone()])
        .expr_as(Expr::col(user.clone()).count(), "facts")
        .from_subquery(facts, "fact")
        .group_by_columns([kind, user, segment])
        .to_owned()
}

/// Calls with kind, person and segment.
fn calls(org: Uuid, people: &[UserId], cuts: &[Timestamp]) -> SelectStatement {
    use activities::Column as A;
    Query::select()
        .expr_as(Expr::col(A::Kind), "kind")
        .column(A::UserId)
        .expr_as(segment(A::StartedAt, cuts), "segment")
        .from(activities::Entity)
        .and_where(A::OrgId.eq(org))
        .and_where(is_among(A::UserId, people))
        .and_where(A::Kind.eq(ActivityKind::Call.as_str()))
        .cond_where(between(A::StartedAt, cuts))
        .to_owned()
}

/// Steps of the funnel, in the columns of [`calls`]. A revived lead is not collected again.
fn steps(org: Uuid, people: &[UserId], cuts: &[Timestamp]) -> SelectStatement {
    use step::Column as S;
    let onward = [CustomerStage::Qualified, CustomerStage::Prospect].map(CustomerStage::as_str);
    let collected = S::ToStage.eq(CustomerStage::Lead.as_str()).and(S::FromStage.is_null());
    Query::select()
        .expr_as(Expr::col(S::ToStage), "kind")
        .column(S::UserId)
        .expr_as(segment(S::OccurredAt, cuts), "segment")
        .from(step::Entity)
        .and_where(S::OrgId.eq(org))
        .and_where(is_among(S::UserId, people))
        .and_where(S::ToStage.is_in(onward).or(collected))
        .cond_where(between(S::OccurredAt, cuts))
        .to_owned()
}

fn between(moment: impl ColumnTrait, cuts: &[Timestamp]) -> Condition {
    let (first, last) = (cuts.first(), cuts.last());
    Condition::all()
        .add_option(first.map(|cut| moment.gte(cut.utc())))
        .add_option(last.map(|cut| moment.lt(cut.utc())))
}

/// The prospects that people made, with the first deal of each customer.
fn prospects(org: Uuid, people: &[UserId], (from, until): (Timestamp, Timestamp)) -> SelectStatement {
    use customers::Column as C;
    use deals::Column as D;
    use step::Column as S;
    let of_customer = Condition::all()
        .add(D::OrgId.eq(org))
        .add(Expr::col((deals::Entity, D::CustomerId)).equals((step::Entity, S::CustomerId)));
    Query::select()
        .columns([(step::Entity, S::CustomerId), (step::Entity, S::UserId), (step::Entity, S::OccurredAt)])
        .column((customers::Entity, C::CollectedAt))
        .expr_as(scalar(D::WonAt.min(), deals::Entity, of_customer), "won_at")
        .from(step::Entity)
        .join(
            JoinType::InnerJoin,
            customers::Entity,
            Expr::col((customers::Entity, C::OrgId))
                .eq(org)
                .and(Expr::col((customers::Entity, C::Id)).equals((step::Entity, S::CustomerId))),
        )
        .and_where(S::OrgId.eq(org))
        .and_where(is_among(S::UserId, people))
        .and_where(S::ToStage.eq(CustomerStage::Prospect.as_str()))
        .and_where(S::OccurredAt.gte(from.utc()))
        .and_where(S::OccurredAt.lt(until.utc()))
        .to_owned()
}

impl Reader<'_> {
    /// When the records of the organisation begin and end.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_record_span(&self) -> Result<RecordSpan> {
        use activities::Column as A;
        use deals::Column as D;
        let org = self.org()?;
        let of_deals = |value| scalar(value, deals::Entity, Condition::all().add(D::OrgId.eq(org)));
        let done = scalar(A::StartedAt.max(), activities::Entity, Condition::all().add(A::OrgId.eq(org)));
        let select = Query::select()
            .expr_as(of_deals(D::WonAt.min()), "won")
            .expr_as(of_deals(D::LostAt.min()), "lost")
            .expr_as(done, "last_done")
            .expr_as(of_deals(D::OpenedAt.max()), "last_opened")
            .expr_as(of_deals(D::WonAt.max()), "last_won")
            .expr_as(of_deals(D::LostAt.max()), "last_lost")
            .to_owned();
        let rows = self.rows::<SpanRow>(&select).await?;
        let Some(row) = rows.into_iter().next() else { return Ok(RecordSpan::default()) };
        let last = [row.last_done, row.last_opened, row.last_won, row.last_lost];
        Ok(RecordSpan {
            closes_from: [row.won, row.lost].into_iter().flatten().min().map(|at| self.local(at)),
            last_on: last.into_iter().flatten().max().map(|at| self.local(at)),
        })
    }

    /// The first day on which anything of each of `people` is on record; those without any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_record_starts(&self, people: &[UserId]) -> Result<HashMap<UserId, NaiveDate>> {
        use activities::Column as A;
        use deals::Column as D;
        use step::Column as S;
        let org = self.org()?;
        let theirs = |in_org: SimpleExpr, user: SimpleExpr| {
            let own = user.eq(Expr::col((users::Entity, users::Column::Id)));
            Condition::all().add(in_org).add(own)
        };
        let of_activities = theirs(A::OrgId.eq(org), Expr::col((activities::Entity, A::UserId)));
        let of_steps = theirs(S::OrgId.eq(org), Expr::col((step::Entity, S::UserId)));
        let of_deals = theirs(D::OrgId.eq(org), Expr::col((deals::Entity, D::OwnerId)));
        let select = Query::select()
            .column((users::Entity, users::Column::Id))
            .expr_as(scalar(A::StartedAt.min(), activities::Entity, of_activities), "done")
            .expr_as(scalar(S::OccurredAt.min(), step::Entity, of_steps), "stepped")
            .expr_as(scalar(D::OpenedAt.min(), deals::Entity, of_deals), "opened")
            .from(users::Entity)
            .and_where(users::Column::OrgId.eq(org))
            .and_where(is_among(users::Column::Id, people))
            .to_owned();
        let rows = self.rows::<StartRow>(&select).await?;
        let start = |row: &StartRow| {
            let first = [row.done, row.stepped, row.opened].into_iter().flatten().min()?;
            Some((UserId::from_uuid(row.id), self.local(first)))
        };
        Ok(rows.iter().filter_map(start).collect())
    }

    /// Leads, usable leads, calls and prospects of `people` between the days `cuts`, which rise; in one statement.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_past_counts(
        &self,
        people: &[UserId],
        cuts: &[NaiveDate],
    ) -> Result<Vec<PastCounts>> {
        let (org, zone) = (self.org()?, self.grant().zone());
        let cuts: Vec<_> = cuts.iter().map(|&cut| Timestamp::start_of(cut, zone)).collect();
        let mut select = counted(calls(org, people, &cuts));
        select.union(UnionType::All, counted(steps(org, people, &cuts)));
        let rows = self.rows::<CountRow>(&select).await?;
        let restore = |row: CountRow| {
            let facts = u32::try_from(row.facts).unwrap_or(u32::MAX);
            let none = FunnelCounts::default();
            let counts = match CustomerStage::parse(&row.kind) {
                Some(CustomerStage::Lead) => FunnelCounts { leads: facts, ..none },
                Some(CustomerStage::Qualified) => FunnelCounts { usable_leads: facts, ..none },
                Some(_) => FunnelCounts { prospects: facts, ..none },
                None => FunnelCounts { calls: facts, ..none },
            };
            let segment = usize::try_from(row.segment)
                .map_err(|_| Error::Internal("a segment with a negative index".into()))?;
            Ok(PastCounts { user_id: UserId::from_uuid(row.user_id), segment, counts })
        };
        rows.into_iter().map(restore).collect()
    }

    /// The deals of `people` that were won or cancelled on the days of `range`, by the day on which they were won.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_past_deals(&self, people: &[UserId], range: DateRange) -> Result<Vec<PastDeal>> {
        use deals::Column as D;
        let (from, until) = self.instants(range);
        let select = Query::select()
            .columns([D::Id, D::OwnerId, D::WonAt, D::CancelledAt, D::ValueMinor, D::ValueCurrency])
            .from(deals::Entity)
            .and_where(D::OrgId.eq(self.org()?))
            .and_where(is_among(D::OwnerId, people))
            .and_where(D::WonAt.lt(until.utc()))
            .and_where(D::WonAt.gte(from.utc()).or(D::CancelledAt.gte(from.utc())))
            .to_owned();
        let rows = self.rows::<DealRow>(&select).await?;
        let restore = |row: DealRow| {
            let value = deals::parse_money("deals", row.id, row.value_minor, row.value_currency)?;
            Ok(PastDeal {
                owner_id: UserId::from_uuid(row.owner_id),
                won_on: self.local(row.won_at),
                cancelled_on: row.cancelled_at.map(|at| self.local(at)),
                value: value.ok_or_else(|| bad_row("deals", row.id, "won without a value"))?,
            })
        };
        rows.into_iter().map(restore).collect()
    }

    /// The deals of `people` that began on the days of `range`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_deal_courses(
        &self,
        people: &[UserId],
        range: DateRange,
    ) -> Result<Vec<DealCourse>> {
        use deals::Column as D;
        let (from, until) = self.instants(range);
        let select = Query::select()
            .columns([D::Id, D::OwnerId, D::OpenedAt, D::WonAt, D::LostAt, D::CancelledAt])
            .columns([D::ValueMinor, D::ValueCurrency])
            .from(deals::Entity)
            .and_where(D::OrgId.eq(self.org()?))
            .and_where(is_among(D::OwnerId, people))
            .and_where(D::OpenedAt.gte(from.utc()))
            .and_where(D::OpenedAt.lt(until.utc()))
            .to_owned();
        let restore = |row: CourseRow| {
            Ok(DealCourse {
                deal_id: DealId::from_uuid(row.id),
                owner_id: UserId::from_uuid(row.owner_id),
                opened_at: Timestamp::new(row.opened_at),
                won_at: row.won_at.map(Timestamp::new),
                lost_at: row.lost_at.map(Timestamp::new),
                cancelled_at: row.cancelled_at.map(Timestamp::new),
                value: deals::parse_money("deals", row.id, row.value_minor, row.value_currency)?,
            })
        };
        self.rows::<CourseRow>(&select).await?.into_iter().map(restore).collect()
    }

    /// The customers that `people` made prospects on the days of `range`, each once, when it first became one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_past_prospects(
        &self,
        people: &[UserId],
        range: DateRange,
    ) -> Result<Vec<PastProspect>> {
        let select = prospects(self.org()?, people, self.instants(range));
        let mut rows = self.rows::<ProspectRow>(&select).await?;
        rows.sort_unstable_by_key(|row| (row.customer_id, row.occurred_at));
        rows.dedup_by_key(|row| row.customer_id);
        let restore = |row: &ProspectRow| PastProspect {
            user_id: UserId::from_uuid(row.user_id),
            collected_on: self.local(row.collected_at),
            began_on: self.local(row.occurred_at),
            won_on: row.won_at.map(|at| self.local(at)),
        };
        Ok(rows.iter().map(restore).collect())
    }

    fn local(&self, at: DateTime<Utc>) -> NaiveDate {
        Timestamp::new(at).date_in(self.grant().zone())
    }

    fn instants(&self, range: DateRange) -> (Timestamp, Timestamp) {
        let zone = self.grant().zone();
        (Timestamp::start_of(range.from, zone), Timestamp::start_of(range.to, zone))
    }
}
