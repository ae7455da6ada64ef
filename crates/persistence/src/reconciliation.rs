//! Sums of won revenue, from the deals and from the credit lines, each side on its own.
//!
//! Each statement sees one state of the database, and a deal is always written together with its lines: what
//! must agree is therefore read in one statement, so that a win during the read cannot look like a fault.

use std::collections::{HashMap, HashSet};

use evenhand_domain::access::{Permission, Scope};
use evenhand_domain::deals::{CreditBasis, CreditKind};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{DealId, EntityId, TeamId, UserId};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::reconciliation::{CompanyFigure, CreditFigure, Difference, SegmentFigure, Stay};
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::TeamRole;
use sea_orm::sea_query::{
    Alias, CaseStatement, Expr, ExprTrait, Func, Order, Query, SelectStatement, SimpleExpr, UnionType,
    WindowStatement,
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::scope::{People, lasts};
use crate::store::Reader;
use crate::users::membership;
use crate::{deals, deals::credits, teams::closure};

/// The instants `[from, until)` whose facts count.
type Window = (Timestamp, Timestamp);

const SLICE: &[Permission] = &[Permission::ReadRevenue];

/// From which side a row of [`FigureRow`] comes.
const CREDITED: i32 = 0;
const WON: i32 = 1;
const CANCELLED: i32 = 2;

#[derive(FromQueryResult)]
struct FigureRow {
    side: i32,
    user_id: Option<Uuid>,
    segment: i32,
    currency: String,
    minor: i64,
    facts: i64,
}

#[derive(FromQueryResult)]
struct DifferenceRow {
    deal_id: Uuid,
    currency: String,
    booked: i64,
    credited: i64,
}

pub(crate) fn parse_currency(code: &str) -> Result<Currency> {
    Currency::parse(code).map_err(|problem| bad_row("deals or credit_lines", code, &problem.message))
}

impl FigureRow {
    fn credit(&self) -> Result<SegmentFigure> {
        let credit = CreditFigure {
            user_id: self.user_id.map(UserId::from_uuid),
            amount: Money::new(self.minor, parse_currency(&self.currency)?),
        };
        let segment = usize::try_from(self.segment)
            .map_err(|_| Error::Internal("a segment with a negative index".into()))?;
        Ok(SegmentFigure { segment, credit })
    }

    fn company(&self) -> Result<CompanyFigure> {
        let currency = parse_currency(&self.currency)?;
        let none =
            CompanyFigure { currency, won_minor: 0, won_deals: 0, cancelled_minor: 0, cancelled_deals: 0 };
        Ok(if self.side == WON {
            CompanyFigure { won_minor: self.minor, won_deals: self.facts, ..none }
        } else {
            CompanyFigure { cancelled_minor: self.minor, cancelled_deals: self.facts, ..none }
        })
    }
}

fn sum(column: impl sea_orm::sea_query::IntoColumnRef) -> SimpleExpr {
    Expr::col(column).sum().cast_as("BIGINT")
}

fn within(column: impl ColumnTrait, (from, until): Window) -> SimpleExpr {
    column.gte(from.utc()).and(column.lt(until.utc()))
}

/// The booked direct credit lines of a window.
fn direct(org: Uuid, window: Window) -> Condition {
    use credits::Column as C;
    Condition::all()
        .add(C::OrgId.eq(org))
        .add(C::Kind.eq(CreditKind::Direct.as_str()))
        .add(C::Basis.eq(CreditBasis::Booked.as_str()))
        .add(within(C::OccurredAt, window))
}

/// The index of the segment that an instant lies in: the number of `cuts`, which rise, that are not after it.
pub(crate) fn segment(moment: impl ColumnTrait, cuts: &[Timestamp]) -> SimpleExpr {
    let mut cases = CaseStatement::new();
    let mut index = 0_i32;
    for cut in cuts {
        cases = cases.case(moment.lt(cut.utc()), index);
        index += 1;
    }
    if cuts.is_empty() { Expr::val(0_i32) } else { cases.finally(index).into() }
}

/// Sums of credit lines per person, segment and currency.
fn credit_sums(lines: Condition, cuts: &[Timestamp]) -> SelectStatement {
    use credits::Column as C;
    let (line, place) = (Alias::new("line"), Alias::new("segment"));
    let lines = Query::select()
        .columns([C::UserId, C::Currency, C::AmountMinor])
        .expr_as(segment(C::OccurredAt, cuts), place.clone())
        .from(credits::Entity)
        .cond_where(lines)
        .to_owned();
    Query::select()
        .expr_as(Expr::val(CREDITED), "side")
        .column(C::UserId)
        .column(place.clone())
        .column(C::Currency)
        .expr_as(sum(C::AmountMinor), "minor")
        .expr_as(Expr::col(C::Currency).count(), "facts")
        .from_subquery(lines, line)
        .group_by_columns([C::UserId, C::Currency])
        .group_by_col(place)
        .to_owned()
}

/// Sums of deals per currency, in the columns of [`credit_sums`].
fn deal_sums(org: Uuid, side: i32, moment: deals::Column, window: Window) -> SelectStatement {
    use deals::Column as D;
    Query::select()
        .expr_as(Expr::val(side), "side")
        .expr_as(Expr::val(None::<Uuid>), "user_id")
        .expr_as(Expr::val(0_i32), "segment")
        .expr_as(Expr::col(D::ValueCurrency), "currency")
        .expr_as(sum(D::ValueMinor), "minor")
        .expr_as(Expr::col(D::Id).count(), "facts")
        .from(deals::Entity)
        .and_where(D::OrgId.eq(org))
        .and_where(within(moment, window))
        .group_by_col(D::ValueCurrency)
        .to_owned()
}

/// One row for each fact: what it adds to the company's total and what to the credits.
fn facts(org: Uuid, window: Window) -> SelectStatement {
    use credits::Column as C;
    use deals::Column as D;
    let deal = |moment: D, sign: i64| {
        Query::select()
            .expr_as(Expr::col(D::Id), "deal_id")
            .expr_as(Expr::col(D::ValueCurrency), "currency")
            .expr_as(Expr::col(D::ValueMinor).mul(sign), "booked")
            .expr_as(Expr::val(0_i64), "credited")
            .from(deals::Entity)
            .and_where(D::OrgId.eq(org))
            .and_where(within(moment, window))
            .to_owned()
    };
    let line = Query::select()
        .column(C::DealId)
        .column(C::Currency)
        .expr_as(Expr::val(0_i64), "booked")
        .expr_as(Expr::col(C::AmountMinor), "credited")
        .from(credits::Entity)
        .cond_where(direct(org, window))
        .to_owned();
    let mut facts = deal(D::WonAt, 1);
    facts.union(UnionType::All, deal(D::CancelledAt, -1)).union(UnionType::All, line);
    facts
}

/// The first deal in each currency whose two sides differ.
fn first_differences(org: Uuid, window: Window) -> SelectStatement {
    let [deal, currency, booked, credited, place] =
        ["deal_id", "currency", "booked", "credited", "place"].map(Alias::new);
    let differing = Query::select()
        .columns([deal.clone(), currency.clone()])
        .expr_as(sum(booked.clone()), booked.clone())
        .expr_as(sum(credited.clone()), credited.clone())
        .from_subquery(facts(org, window), "facts")
        .group_by_columns([deal.clone(), currency.clone()])
        .and_having(sum(booked.clone()).ne(sum(credited.clone())))
        .to_owned();
    let by_deal =
        WindowStatement::partition_by(currency.clone()).order_by(deal.clone(), Order::Asc).to_owned();
    let ranked = Query::select()
        .columns([deal.clone(), currency.clone(), booked.clone(), credited.clone()])
        .expr_window_as(Func::cust("ROW_NUMBER"), by_deal, place.clone())
        .from_subquery(differing, "differing")
        .to_owned();
    Query::select()
        .columns([deal, currency.clone(), booked, credited])
        .from_subquery(ranked, "ranked")
        .and_where(Expr::col(place).eq(1_i64))
        .order_by(currency, Order::Asc)
        .to_owned()
}

impl Reader<'_> {
    /// Both sides of the law within a window, read in one statement: what the deals say, and the direct credits
    /// per person and segment. Unscoped: the company's figures are those of everybody.
    ///
    /// # Errors
    /// When the database cannot be read, or a sum leaves the range of an i64.
    pub async fn unscoped_figures(
        &self,
        window: Window,
        cuts: &[Timestamp],
    ) -> Result<(Vec<CompanyFigure>, Vec<SegmentFigure>)> {
        let org = self.org()?;
        let mut select = credit_sums(direct(org, window), cuts);
        select
            .union(UnionType::All, deal_sums(org, WON, deals::Column::WonAt, window))
            .union(UnionType::All, deal_sums(org, CANCELLED, deals::Column::CancelledAt, window));
        let (mut company, mut credited) = (Vec::new(), Vec::new());
        for row in self.rows::<FigureRow>(&select).await? {
            if row.side == CREDITED { credited.push(row.credit()?) } else { company.push(row.company()?) }
        }
        Ok((company, credited))
    }

    /// The first deal in each currency whose direct credits within a window differ from what it adds to the
    /// company's total; "first" is by id, which is the order of entry. Unscoped, as [`Reader::unscoped_figures`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_first_differences(&self, window: Window) -> Result<Vec<Difference>> {
        let rows = self.rows::<DifferenceRow>(&first_differences(self.org()?, window)).await?;
        rows.into_iter()
            .map(|row| {
                let currency = parse_currency(&row.currency)?;
                Ok(Difference {
                    deal_id: DealId::from_uuid(row.deal_id),
                    deal_amount: Money::new(row.booked, currency),
                    credited_amount: Money::new(row.credited, currency),
                })
            })
            .collect()
    }

    /// Direct credits of `users` per segment of a window. Unscoped: callers pass people whose figures the grant
    /// may see, from [`Reader::users_with_visible_revenue`] or from a visible team.
    ///
    /// # Errors
    /// When the database cannot be read, or a sum leaves the range of an i64.
    pub async fn unscoped_credits_of_users(
        &self,
        users: &[UserId],
        window: Window,
        cuts: &[Timestamp],
    ) -> Result<Vec<SegmentFigure>> {
        let ids = users.iter().map(|id| id.uuid());
        let lines = direct(self.org()?, window).add(credits::Column::UserId.is_in(ids));
        let rows = self.rows::<FigureRow>(&credit_sums(lines, cuts)).await?;
        rows.iter().map(FigureRow::credit).collect()
    }

    /// The stays that touch a window: in the teams `within` and below them, or in all teams if `None`.
    /// Unscoped: for figures of teams, which outlive the membership of those who made them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_stays(
        &self,
        (from, until): Window,
        within: Option<&[TeamId]>,
    ) -> Result<Vec<Stay>> {
        use membership::Column as M;
        let org = self.org()?;
        let zone = self.grant().zone();
        let mut select = membership::Entity::find()
            .filter(M::OrgId.eq(org))
            .filter(M::ValidFrom.lte(until.date_in(zone)))
            .filter(M::ValidTo.is_null().or(M::ValidTo.gt(from.date_in(zone))));
        if let Some(teams) = within {
            let below = Query::select()
                .column(closure::Column::DescendantId)
                .from(closure::Entity)
                .and_where(closure::Column::OrgId.eq(org))
                .and_where(closure::Column::AncestorId.is_in(teams.iter().map(|id| id.uuid())))
                .to_owned();
            select = select.filter(M::TeamId.in_subquery(below));
        }
        let rows = select.all(&self.db).await.map_err(database_error)?;
        let stay = |row: membership::Model| Stay {
            user_id: UserId::from_uuid(row.user_id),
            team_id: TeamId::from_uuid(row.team_id),
            valid_from: row.valid_from,
            valid_to: row.valid_to,
        };
        Ok(rows.into_iter().map(stay).collect())
    }

    /// For each team of the organisation, the teams up to the top, itself included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_teams_above(&self) -> Result<HashMap<TeamId, Vec<TeamId>>> {
        let rows = closure::Entity::find()
            .filter(closure::Column::OrgId.eq(self.org()?))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        let mut above: HashMap<TeamId, Vec<TeamId>> = HashMap::new();
        for pair in rows {
            let team = TeamId::from_uuid(pair.descendant_id);
            above.entry(team).or_default().push(TeamId::from_uuid(pair.ancestor_id));
        }
        Ok(above)
    }

    /// Those of `users` whose won revenue the grant may see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn users_with_visible_revenue(&self, users: &[UserId]) -> Result<HashSet<UserId>> {
        if matches!(self.people(SLICE)?, People::All) {
            return Ok(users.iter().copied().collect());
        }
        Ok(self.people_in_scope(users, SLICE).await?.into_iter().collect())
    }

    /// Those of `teams` whose won revenue the grant may see: all, or those that the caller leads and those below.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn teams_with_visible_revenue(&self, teams: &[TeamId]) -> Result<HashSet<TeamId>> {
        use membership::Column as M;
        let caller = match self.scope(SLICE)? {
            Scope::Organization => return Ok(teams.iter().copied().collect()),
            Scope::Own => return Ok(HashSet::new()),
            Scope::Team => self.grant().user().ok_or(Error::Forbidden)?,
        };
        let org = self.org()?;
        let today = self.grant().today(self.now());
        let led = Query::select()
            .column(M::TeamId)
            .from(membership::Entity)
            .and_where(M::OrgId.eq(org))
            .and_where(M::UserId.eq(caller.uuid()))
            .and_where(M::Role.eq(TeamRole::Lead.as_str()))
            .and_where(lasts(membership::Entity, today))
            .to_owned();
        let rows = closure::Entity::find()
            .filter(closure::Column::OrgId.eq(org))
            .filter(closure::Column::DescendantId.is_in(teams.iter().map(|id| id.uuid())))
            .filter(closure::Column::AncestorId.in_subquery(led))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        Ok(rows.into_iter().map(|pair| TeamId::from_uuid(pair.descendant_id)).collect())
    }

    pub(crate) async fn rows<R: FromQueryResult>(&self, select: &SelectStatement) -> Result<Vec<R>> {
        let rows = self.db.query_all(select).await.map_err(database_error)?;
        rows.iter().map(|row| R::from_query_result(row, "").map_err(database_error)).collect()
    }
}
