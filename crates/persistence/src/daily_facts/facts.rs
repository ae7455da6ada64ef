//! The single facts of people within some days: few statements, each a range of an index.

use std::collections::HashMap;

use evenhand_domain::daily_facts::Fact;
use evenhand_domain::error::Result;
use evenhand_domain::id::{EntityId, UserId};
use evenhand_domain::time::{DateRange, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement, SimpleExpr, UnionType};
use sea_orm::{ColumnTrait, Condition, EntityTrait, Iterable, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::customers::step;
use crate::deals::credits;
use crate::error::database_error;
use crate::store::Reader;
use crate::{activities, customers, deals};

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

impl Reader<'_> {
    /// What happened on the days of `range`, for `people` or, if `None`, for everybody; in three statements. Each
    /// slice shows single facts to fewer people than their sums, so this is unscoped: callers name people from
    /// [`Reader::people_in_scope`], or act for the whole organisation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_facts(&self, people: Option<&[UserId]>, range: DateRange) -> Result<Vec<Fact>> {
        let zone = self.grant().zone();
        let wanted = Wanted {
            org: self.org()?,
            people: people.map(|people| people.iter().map(|id| id.uuid()).collect()),
            from: Timestamp::start_of(range.from, zone),
            until: Timestamp::start_of(range.to, zone),
        };
        let mut facts = activity_facts(self, &wanted).await?;
        facts.extend(step_facts(self, &wanted).await?);
        facts.extend(deal_facts(self, &wanted).await?);
        Ok(facts)
    }
}

async fn activity_facts(reader: &Reader<'_>, wanted: &Wanted) -> Result<Vec<Fact>> {
    use activities::Column as A;
    let text = |column: &A| matches!(column, A::Outcome | A::Note);
    let none = || Expr::val(None::<String>);
    let rows = activities::Entity::find()
        .select_only()
        .columns(A::iter().filter(|column| !text(column)))
        // Long texts count nothing.
        .expr_as(none(), "outcome")
        .expr_as(none(), "note")
        .filter(wanted.rows(A::OrgId, A::UserId, A::StartedAt))
        .all(&reader.db)
        .await
        .map_err(database_error)?;
    rows.into_iter().map(|row| activities::restore(row).map(|done| Fact::of_activity(&done))).collect()
}

async fn step_facts(reader: &Reader<'_>, wanted: &Wanted) -> Result<Vec<Fact>> {
    use step::Column as S;
    let rows = step::Entity::find()
        .filter(wanted.rows(S::OrgId, S::UserId, S::OccurredAt))
        .all(&reader.db)
        .await
        .map_err(database_error)?;
    let mut facts = Vec::new();
    for row in rows {
        let Some(user) = row.user_id.map(UserId::from_uuid) else { continue };
        facts.extend(Fact::of_step(&customers::restore_step(row)?, user));
    }
    Ok(facts)
}

async fn deal_facts(reader: &Reader<'_>, wanted: &Wanted) -> Result<Vec<Fact>> {
    let same = |line: credits::Column, deal: deals::Column| -> SimpleExpr {
        Expr::col((credits::Entity, line)).equals((deals::Entity, deal))
    };
    let mut select = credits::Entity::find();
    QuerySelect::query(&mut select).join(
        JoinType::InnerJoin,
        deals::Entity,
        same(credits::Column::OrgId, deals::Column::OrgId)
            .and(same(credits::Column::DealId, deals::Column::Id)),
    );
    let rows = select
        .filter(credits::Column::OrgId.eq(wanted.org))
        .filter(credits::Column::DealId.in_subquery(wanted.deals()))
        .select_also(deals::Entity)
        .all(&reader.db)
        .await
        .map_err(database_error)?;
    let mut by_deal: HashMap<Uuid, (deals::Row, Vec<_>)> = HashMap::new();
    for (line, deal) in rows {
        let Some(deal) = deal else { continue };
        by_deal.entry(deal.id).or_insert((deal, Vec::new())).1.push(credits::restore(line)?);
    }
    let mut facts = Vec::new();
    for (deal, lines) in by_deal.into_values() {
        let of_deal = Fact::of_deal(&deals::restore(deal)?, &lines);
        facts.extend(of_deal.into_iter().filter(|fact| wanted.holds(fact)));
    }
    Ok(facts)
}
