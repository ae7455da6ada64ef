//! Rows of frozen results: written once, with the target that they close.

use std::collections::HashMap;

use chrono::Months;
use evenhand_domain::attainment::Snapshot;
use evenhand_domain::error::Result;
use evenhand_domain::id::{EntityId, TargetId};
use evenhand_domain::targets::{Closed, Target, TargetLevel, TargetOwner};
use evenhand_domain::time::{Period, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{json, parse_json};
use crate::error::{bad_row, database_error};
use crate::row;
use crate::store::{Reader, Tx};
use crate::targets;

row::entity!(entity, "attainment_snapshots", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    target_id: Uuid,
    terms_number: i32,
    as_of: DateTimeUtc,
    position: i64,
    lines: String,
    forecasts: String,
});
use entity::{Column, Entity, Model as Row};

/// How far back results are a base for a new target.
const RESULTS_MONTHS: Months = Months::new(12);

fn restore(row: Row) -> Result<Snapshot> {
    let id = row.target_id;
    Ok(Snapshot {
        target_id: TargetId::from_uuid(id),
        terms_number: row.terms_number,
        as_of: Timestamp::new(row.as_of),
        position: row.position,
        lines: parse_json("attainment_snapshots", id, &row.lines)?,
        forecasts: parse_json("attainment_snapshots", id, &row.forecasts)?,
    })
}

impl Tx {
    /// Saves a closed target together with its frozen result.
    ///
    /// # Errors
    /// As [`Tx::save`].
    pub async fn save_closed(&mut self, closed: Closed) -> Result<Target> {
        let Closed { change, snapshot } = closed;
        let target = self.save(change).await?;
        let row = Row {
            org_id: self.org()?,
            target_id: snapshot.target_id.uuid(),
            terms_number: snapshot.terms_number,
            as_of: snapshot.as_of.utc(),
            position: snapshot.position,
            lines: json(&snapshot.lines)?,
            forecasts: json(&snapshot.forecasts)?,
        };
        row::insert::<Entity>(&self.db, row).await?;
        Ok(target)
    }
}

impl Reader<'_> {
    /// The frozen results of `targets`, those that are closed. Unscoped: callers name targets that they have read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_snapshots(&self, targets: &[TargetId]) -> Result<HashMap<TargetId, Snapshot>> {
        let rows = Entity::find()
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::TargetId.is_in(targets.iter().map(|id| id.uuid())))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        rows.into_iter().map(|row| restore(row).map(|found| (found.target_id, found))).collect()
    }

    /// The frozen results of `owners` in periods of the same kind and at the same level that ended within a year before
    /// `period`, newest first. Unscoped: callers name owners whose targets they set.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_results(
        &self,
        owners: &[TargetOwner],
        period: Period,
        level: TargetLevel,
    ) -> Result<Vec<(TargetOwner, Period, Snapshot)>> {
        let start = period.start();
        let mut select = Entity::find();
        QuerySelect::query(&mut select).join(
            JoinType::InnerJoin,
            targets::Entity,
            Expr::col((targets::Entity, targets::Column::OrgId))
                .equals((Entity, Column::OrgId))
                .and(Expr::col((targets::Entity, targets::Column::Id)).equals((Entity, Column::TargetId))),
        );
        let rows = select
            .select_also(targets::Entity)
            .filter(Column::OrgId.eq(self.org()?))
            .filter(targets::owned(owners))
            .filter(targets::Column::PeriodKind.eq(period.kind().as_str()))
            .filter(targets::Column::Level.eq(level.as_str()))
            .filter(targets::Column::PeriodStart.lt(start))
            .filter(
                targets::Column::PeriodStart.gte(start.checked_sub_months(RESULTS_MONTHS).unwrap_or(start)),
            )
            .order_by_desc(targets::Column::PeriodStart)
            .all(&self.db)
            .await
            .map_err(database_error)?;
        let result = |(snapshot, target): (Row, Option<targets::Row>)| {
            let target =
                target.ok_or_else(|| bad_row("attainment_snapshots", snapshot.target_id, "no target"))?;
            Ok((targets::owner(&target)?, targets::period(&target)?, restore(snapshot)?))
        };
        rows.into_iter().map(result).collect()
    }
}
