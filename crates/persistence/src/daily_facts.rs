//! Rows of frozen days and of the closes that froze them; the facts of open days stand in [`facts`].

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use evenhand_domain::access::Permission;
use evenhand_domain::change::{Change, Version};
use evenhand_domain::daily_facts::{Closes, DailyFact, DayClose, Figures, Flag, flags};
use evenhand_domain::error::Result;
use evenhand_domain::id::{EntityId, OrganizationId, UserId};
use evenhand_domain::money::Currency;
use evenhand_domain::time::{DateRange, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::activities;
use crate::customers::step;
use crate::deals::credits;
use crate::error::{bad_row, database_error};
use crate::row::{self, entity};
use crate::store::{Reader, Stored, Tx};

mod facts;

entity!(close, "day_closes", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    version: i32,
    through_day: Date,
    closed_at: DateTimeUtc,
});

entity!(frozen, "daily_facts", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    day: Date,
    leads: i64,
    qualified: i64,
    calls: i64,
    connected_calls: i64,
    talk_seconds: i64,
    prospects: i64,
    deals: i64,
});

entity!(revenue, "daily_fact_revenue", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    day: Date,
    #[sea_orm(primary_key, auto_increment = false)]
    currency: String,
    amount_minor: i64,
});

const SLICE: &[Permission] = &[Permission::ReadDailyFacts, Permission::CloseDays];

fn restore(row: close::Model) -> DayClose {
    DayClose {
        organization: OrganizationId::from_uuid(row.org_id),
        version: row.version,
        through: row.through_day,
        closed_at: Timestamp::new(row.closed_at),
    }
}

/// Each version of a close stays as a row, so that its key decides between two who close at once.
impl Stored for DayClose {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        let row = close::Model {
            org_id: tx.org()?,
            version: self.version,
            through_day: self.through,
            closed_at: self.closed_at.utc(),
        };
        row::insert::<close::Entity>(&tx.db, row).await
    }

    async fn update(&self, tx: &Tx, _: Version) -> Result<()> {
        self.insert(tx).await
    }
}

impl Tx {
    /// Saves a close together with the days that it freezes.
    ///
    /// # Errors
    /// As [`Tx::save`].
    pub async fn save_close(&mut self, change: Change<DayClose>, days: &[DailyFact]) -> Result<DayClose> {
        let close = self.save(change).await?;
        let org_id = self.org()?;
        let row = |day: &DailyFact| frozen::Model {
            org_id,
            user_id: day.user_id.uuid(),
            day: day.date,
            leads: day.figures.leads,
            qualified: day.figures.qualified,
            calls: day.figures.calls,
            connected_calls: day.figures.connected_calls,
            talk_seconds: day.figures.talk_seconds,
            prospects: day.figures.prospects,
            deals: day.figures.deals,
        };
        let mut amounts = Vec::new();
        for day in days {
            amounts.extend(day.figures.revenue.iter().map(|(currency, &amount_minor)| revenue::Model {
                org_id,
                user_id: day.user_id.uuid(),
                day: day.date,
                currency: currency.code().to_owned(),
                amount_minor,
            }));
        }
        let rows: Vec<_> = days.iter().map(row).collect();
        row::insert_all::<frozen::Entity>(&self.db, rows).await?;
        row::insert_all::<revenue::Entity>(&self.db, amounts).await?;
        Ok(close)
    }
}

/// The first instant in a column, of the organisation's rows.
fn first(
    entity: impl EntityTrait,
    org: (impl ColumnTrait, Uuid),
    moment: impl ColumnTrait,
) -> SelectStatement {
    Query::select().expr_as(moment.min(), "first").from(entity).and_where(org.0.eq(org.1)).to_owned()
}

impl Reader<'_> {
    /// Each day from `from` to `to` of those of `people` whose days the grant may see, by person and day: open days
    /// as the facts say now, closed ones as they were frozen, with late work beside. In four statements, however many
    /// people and days.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn facts_of(
        &self,
        people: &[UserId],
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<DailyFact>> {
        Ok(self.flagged_facts_of(people, from, to).await?.0)
    }

    /// As [`Reader::facts_of`], with what looks implausible on these days.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn flagged_facts_of(
        &self,
        people: &[UserId],
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<(Vec<DailyFact>, Vec<Flag>)> {
        let (range, zone) = (DateRange { from, to: to + chrono::Days::new(1) }, self.grant().zone());
        let people = self.people_in_scope(people, SLICE).await?;
        // Each statement may see a later state: what was frozen is read before the facts, so that nothing is missed.
        let closes = self.closes(range).await?;
        let frozen = self.unscoped_frozen_days(Some(&people), range).await?;
        let facts = self.unscoped_facts(Some(&people), range).await?;
        let flags = flags(&facts, zone);
        Ok((closes.days((&people, range), facts, frozen, zone)?, flags))
    }

    /// When the days of a range were closed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn closes(&self, range: DateRange) -> Result<Closes> {
        self.scope(SLICE)?;
        // No two closes end on the same day, so a close for each day is as many as can matter.
        let days = u64::try_from((range.to - range.from).num_days()).unwrap_or(0);
        let rows = close::Entity::find()
            .filter(close::Column::OrgId.eq(self.org()?))
            .filter(close::Column::ThroughDay.gte(range.from))
            .order_by_asc(close::Column::ThroughDay)
            .limit(days)
            .all(&self.db)
            .await
            .map_err(database_error)?;
        Ok(Closes::new(rows.into_iter().map(|row| (row.through_day, Timestamp::new(row.closed_at)))))
    }

    /// The latest close of the organisation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn day_close(&self) -> Result<Option<DayClose>> {
        self.scope(SLICE)?;
        let row = close::Entity::find()
            .filter(close::Column::OrgId.eq(self.org()?))
            .order_by_desc(close::Column::Version)
            .one(&self.db)
            .await
            .map_err(database_error)?;
        Ok(row.map(restore))
    }

    /// The first day on which anything happened in the organisation. Unscoped: a close is for everybody.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_first_work(&self) -> Result<Option<NaiveDate>> {
        use activities::Column as A;
        use credits::Column as C;
        use step::Column as S;
        let org = self.org()?;
        let mut firsts = first(activities::Entity, (A::OrgId, org), A::StartedAt);
        firsts
            .union(UnionType::All, first(step::Entity, (S::OrgId, org), S::OccurredAt))
            .union(UnionType::All, first(credits::Entity, (C::OrgId, org), C::OccurredAt));
        let rows = self.db.query_all(&firsts).await.map_err(database_error)?;
        let firsts = rows.iter().map(|row| row.try_get::<Option<DateTime<Utc>>>("", "first"));
        let firsts = firsts.collect::<Result<Vec<_>, _>>().map_err(database_error)?;
        let first = firsts.into_iter().flatten().min().map(Timestamp::new);
        Ok(first.map(|at| at.date_in(self.grant().zone())))
    }

    /// The first day that was frozen. Unscoped: for the check of all of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_first_frozen_day(&self) -> Result<Option<NaiveDate>> {
        let row = frozen::Entity::find()
            .filter(frozen::Column::OrgId.eq(self.org()?))
            .order_by_asc(frozen::Column::Day)
            .one(&self.db)
            .await
            .map_err(database_error)?;
        Ok(row.map(|row| row.day))
    }

    /// The frozen figures of the days of `range`, for `people` or, if `None`, for everybody. Unscoped, as
    /// [`Reader::unscoped_facts`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_frozen_days(
        &self,
        people: Option<&[UserId]>,
        range: DateRange,
    ) -> Result<Vec<DailyFact>> {
        use frozen::Column as F;
        use revenue::Column as R;
        let same = |day: F, amount: R| Expr::col((frozen::Entity, day)).equals((revenue::Entity, amount));
        let mut select = frozen::Entity::find()
            .filter(F::OrgId.eq(self.org()?))
            .filter(F::Day.gte(range.from))
            .filter(F::Day.lt(range.to));
        if let Some(people) = people {
            select = select.filter(F::UserId.is_in(people.iter().map(|id| id.uuid())));
        }
        QuerySelect::query(&mut select).join(
            JoinType::LeftJoin,
            revenue::Entity,
            same(F::OrgId, R::OrgId).and(same(F::UserId, R::UserId)).and(same(F::Day, R::Day)),
        );
        let rows = select.select_also(revenue::Entity).all(&self.db).await.map_err(database_error)?;
        let mut days: HashMap<(Uuid, NaiveDate), DailyFact> = HashMap::new();
        for (row, amount) in rows {
            let day = days.entry((row.user_id, row.day)).or_insert_with(|| restore_day(&row));
            if let Some(revenue::Model { user_id, currency, amount_minor, .. }) = amount {
                let bad = |what: &str| bad_row("daily_fact_revenue", user_id, what);
                let currency = Currency::parse(&currency).map_err(|problem| bad(&problem.message))?;
                day.figures.revenue.insert(currency, amount_minor);
            }
        }
        Ok(days.into_values().collect())
    }
}

fn restore_day(row: &frozen::Model) -> DailyFact {
    let figures = Figures {
        leads: row.leads,
        qualified: row.qualified,
        calls: row.calls,
        connected_calls: row.connected_calls,
        talk_seconds: row.talk_seconds,
        prospects: row.prospects,
        deals: row.deals,
        revenue: BTreeMap::new(),
    };
    DailyFact { figures, ..DailyFact::empty(UserId::from_uuid(row.user_id), row.day, None) }
}
