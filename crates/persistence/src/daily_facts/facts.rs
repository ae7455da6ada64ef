//! The single facts of people within some days: one statement, each arm of it a range of an index.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use evenhand_domain::activities::ActivityKind;
use evenhand_domain::customers::CustomerStage;
use evenhand_domain::daily_facts::{BookedLine, Fact, FactKind};
use evenhand_domain::deals::{CreditBasis, CreditKind};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{CustomerId, EntityId, UserId};
use evenhand_domain::money::Money;
use evenhand_domain::time::{DateRange, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement, SimpleExpr, UnionType};
use sea_orm::{ColumnTrait, Condition, FromQueryResult};
use uuid::Uuid;

use crate::customers::step;
use crate::deals::credits;
use crate::events::head;
use crate::reconciliation::parse_currency;
use crate::store::Reader;
use crate::{activities, deals};

/// Whose facts of which instants are wanted.
struct Wanted {
    org: Uuid,
    /// Everybody's if `None`.
    people: Option<Vec<Uuid>>,
    from: Timestamp,
    until: Timestamp,
}

impl Wanted {
    fn rows(&self, org: impl ColumnTrait, user: impl ColumnTrait, moment: impl ColumnTrait) -> Condition {
        let people = self.people.as_ref().map(|people| user.is_in(people.iter().copied()));
        let within = moment.gte(self.from.utc()).and(moment.lt(self.until.utc()));
        Condition::all().add(org.eq(self.org)).add_option(people).add(within)
    }

    fn holds(&self, fact: &Fact) -> bool {
        let named = |people: &Vec<Uuid>| people.contains(&fact.user_id.uuid());
        self.people.as_ref().is_none_or(named) && (self.from..self.until).contains(&fact.occurred_at)
    }

    /// The deals that were won or cancelled, or that credit somebody.
    fn deals(&self) -> SelectStatement {
        use credits::Column as C;
        use deals::Column as D;
        let credited = self.rows(C::OrgId, C::UserId, C::OccurredAt);
        let mut ids = Query::select().column(C::DealId).from(credits::Entity).cond_where(credited).to_owned();
        if self.people.is_some() {
            for moment in [D::WonAt, D::CancelledAt] {
                let owned = self.rows(D::OrgId, D::OwnerId, moment);
                let owned = Query::select().column(D::Id).from(deals::Entity).cond_where(owned).to_owned();
                ids.union(UnionType::All, owned);
            }
        }
        ids
    }
}

/// A fact as it stands in one of the tables, in the columns that all of them share.
#[derive(FromQueryResult)]
struct FactRow {
    source: String,
    user_id: Option<Uuid>,
    occurred_at: Option<DateTime<Utc>>,
    recorded_at: Option<DateTime<Utc>>,
    /// Kind of an activity, stage reached, or currency.
    kind: Option<String>,
    /// Stage before.
    from_kind: Option<String>,
    /// The customer of a step, or the deal.
    about_id: Option<Uuid>,
    /// Who owns the deal.
    owner_id: Option<Uuid>,
    /// Seconds, minor units, or the position of the feed.
    number: Option<i64>,
    /// Whether somebody answered the call, or the line takes another one back.
    flag: Option<bool>,
}

const POSITION: &str = "POSITION";
const ACTIVITY: &str = "ACTIVITY";
const STEP: &str = "STEP";
const CREDIT: &str = "CREDIT";

/// The columns of [`FactRow`] in one arm of the union; what an arm has not is nothing.
struct Arm {
    user: SimpleExpr,
    occurred: SimpleExpr,
    recorded: SimpleExpr,
    kind: SimpleExpr,
    from_kind: SimpleExpr,
    about: SimpleExpr,
    owner: SimpleExpr,
    number: SimpleExpr,
    flag: SimpleExpr,
}

impl Default for Arm {
    fn default() -> Self {
        let (id, text, time) = (None::<Uuid>, None::<String>, None::<DateTime<Utc>>);
        Self {
            user: Expr::val(id),
            occurred: Expr::val(time),
            recorded: Expr::val(time),
            kind: Expr::val(text.clone()),
            from_kind: Expr::val(text),
            about: Expr::val(id),
            owner: Expr::val(id),
            number: Expr::val(None::<i64>),
            flag: Expr::val(None::<bool>),
        }
    }
}

impl Arm {
    fn select(self, source: &str) -> SelectStatement {
        Query::select()
            .expr_as(Expr::val(source), "source")
            .expr_as(self.user, "user_id")
            .expr_as(self.occurred, "occurred_at")
            .expr_as(self.recorded, "recorded_at")
            .expr_as(self.kind, "kind")
            .expr_as(self.from_kind, "from_kind")
            .expr_as(self.about, "about_id")
            .expr_as(self.owner, "owner_id")
            .expr_as(self.number, "number")
            .expr_as(self.flag, "flag")
            .to_owned()
    }
}

fn position(org: Uuid) -> SelectStatement {
    Arm { number: Expr::col(head::Column::Position), ..Arm::default() }
        .select(POSITION)
        .from(head::Entity)
        .and_where(head::Column::OrgId.eq(org))
        .to_owned()
}

fn activities(wanted: &Wanted) -> SelectStatement {
    use activities::Column as A;
    let arm = Arm {
        user: Expr::col(A::UserId),
        occurred: Expr::col(A::StartedAt),
        recorded: Expr::col(A::RecordedAt),
        kind: Expr::col(A::Kind),
        number: Expr::col(A::Seconds).cast_as("bigint"),
        flag: Expr::col(A::Connected),
        ..Arm::default()
    };
    let within = wanted.rows(A::OrgId, A::UserId, A::StartedAt);
    arm.select(ACTIVITY).from(activities::Entity).cond_where(within).to_owned()
}

fn steps(wanted: &Wanted) -> SelectStatement {
    use step::Column as S;
    let arm = Arm {
        user: Expr::col(S::UserId),
        occurred: Expr::col(S::OccurredAt),
        recorded: Expr::col(S::RecordedAt),
        kind: Expr::col(S::ToStage),
        from_kind: Expr::col(S::FromStage),
        about: Expr::col(S::CustomerId),
        ..Arm::default()
    };
    let within = wanted.rows(S::OrgId, S::UserId, S::OccurredAt);
    arm.select(STEP).from(step::Entity).cond_where(within).to_owned()
}

/// All direct, booked lines of the deals that are wanted for any of them.
fn lines(wanted: &Wanted) -> SelectStatement {
    use credits::Column as C;
    use deals::Column as D;
    let line = |column: C| Expr::col((credits::Entity, column));
    let deal = |column: D| Expr::col((deals::Entity, column));
    let arm = Arm {
        user: line(C::UserId),
        occurred: line(C::OccurredAt),
        recorded: line(C::RecordedAt),
        kind: line(C::Currency),
        about: line(C::DealId),
        owner: deal(D::OwnerId),
        number: line(C::AmountMinor),
        flag: line(C::ReversesId).is_not_null(),
        ..Arm::default()
    };
    arm.select(CREDIT)
        .from(credits::Entity)
        .join(
            JoinType::InnerJoin,
            deals::Entity,
            deal(D::OrgId).eq(wanted.org).and(deal(D::Id).equals((credits::Entity, C::DealId))),
        )
        .and_where(line(C::OrgId).eq(wanted.org))
        .and_where(line(C::DealId).in_subquery(wanted.deals()))
        .and_where(line(C::Kind).eq(CreditKind::Direct.as_str()))
        .and_where(line(C::Basis).eq(CreditBasis::Booked.as_str()))
        .to_owned()
}

impl Reader<'_> {
    /// What happened on the days of `range`, for `people` or, if `None`, for everybody. Each slice shows single facts
    /// to fewer people than their sums, so this is unscoped: callers name people from [`Reader::people_in_scope`], or
    /// act for the whole organisation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_facts(&self, people: Option<&[UserId]>, range: DateRange) -> Result<Vec<Fact>> {
        Ok(self.unscoped_facts_with_position(people, range).await?.1)
    }

    /// As [`Reader::unscoped_facts`], and the last position of the feed, all of which the facts hold; in one statement.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_facts_with_position(
        &self,
        people: Option<&[UserId]>,
        range: DateRange,
    ) -> Result<(i64, Vec<Fact>)> {
        let zone = self.grant().zone();
        let wanted = Wanted {
            org: self.org()?,
            people: people.map(|people| people.iter().map(|id| id.uuid()).collect()),
            from: Timestamp::start_of(range.from, zone),
            until: Timestamp::start_of(range.to, zone),
        };
        let mut select = position(wanted.org);
        for arm in [activities(&wanted), steps(&wanted), lines(&wanted)] {
            select.union(UnionType::All, arm);
        }
        restore(self.rows(&select).await?, &wanted)
    }
}

fn restore(rows: Vec<FactRow>, wanted: &Wanted) -> Result<(i64, Vec<Fact>)> {
    let (mut position, mut facts) = (0, Vec::new());
    let mut deals: HashMap<(Uuid, UserId), Vec<BookedLine>> = HashMap::new();
    for row in rows {
        if row.source == POSITION {
            position = row.number.unwrap_or(0);
            continue;
        }
        let bad =
            || Error::Internal(format!("a fact of {:?} for {:?} is incomplete", row.source, row.user_id));
        let user_id = row.user_id.map(UserId::from_uuid);
        let occurred_at = Timestamp::new(row.occurred_at.ok_or_else(bad)?);
        let recorded_at = Timestamp::new(row.recorded_at.ok_or_else(bad)?);
        let name = row.kind.as_deref().ok_or_else(bad)?;
        let kind = match row.source.as_str() {
            ACTIVITY => Some(FactKind::Activity {
                kind: ActivityKind::parse(name).ok_or_else(bad)?,
                seconds: row.number.and_then(|seconds| u32::try_from(seconds).ok()),
                connected: row.flag,
            }),
            STEP => {
                let stage = |name: &str| CustomerStage::parse(name).ok_or_else(bad);
                let customer = CustomerId::from_uuid(row.about_id.ok_or_else(bad)?);
                FactKind::of_step(customer, row.from_kind.as_deref().map(stage).transpose()?, stage(name)?)
            }
            _ => {
                let deal = row.about_id.zip(row.owner_id.map(UserId::from_uuid)).ok_or_else(bad)?;
                let amount = Money::new(row.number.ok_or_else(bad)?, parse_currency(name)?);
                let is_reversal = row.flag.ok_or_else(bad)?;
                let line = BookedLine { user_id, amount, occurred_at, recorded_at, is_reversal };
                deals.entry(deal).or_default().push(line);
                None
            }
        };
        facts.extend(user_id.zip(kind).map(|(user_id, kind)| Fact {
            user_id,
            occurred_at,
            recorded_at,
            kind,
        }));
    }
    for ((_, owner), lines) in &deals {
        facts.extend(Fact::of_deal(*owner, lines).filter(|fact| wanted.holds(fact)));
    }
    Ok((position, facts))
}
