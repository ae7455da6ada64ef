//! Rows of the terms of targets: their numbers never change, signatures and dates are added.

use std::collections::HashMap;

use evenhand_domain::error::Result;
use evenhand_domain::id::EntityId;
use evenhand_domain::targets::{Target, Terms};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{json, parse_json};
use crate::error::{bad_row, database_error};
use crate::row;
use crate::store::{Reader, Tx};

row::entity!(entity, "target_terms", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    target_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    number: i32,
    place: String,
    derivation_id: Uuid,
    content: String,
});
pub(super) use entity::{Column, Entity};

const STANDING: &str = "STANDING";
const AMENDMENT: &str = "AMENDMENT";
const HISTORY: &str = "HISTORY";

/// The terms of one target by their place in it.
#[derive(Default)]
pub(super) struct Versions {
    pub(super) standing: Option<Terms>,
    pub(super) amendment: Option<Terms>,
    pub(super) history: Vec<Terms>,
}

/// Writes all terms of a target over what is there.
pub(super) async fn write(tx: &Tx, target: &Target) -> Result<()> {
    let org_id = tx.org()?;
    let places = [(STANDING, Some(&target.terms)), (AMENDMENT, target.amendment.as_ref())];
    let places = places.into_iter().filter_map(|(place, terms)| Some((place, terms?)));
    for (place, terms) in places.chain(target.history.iter().map(|terms| (HISTORY, terms))) {
        let row = entity::Model {
            org_id,
            target_id: target.id.uuid(),
            number: terms.number,
            place: place.to_owned(),
            derivation_id: terms.derivation_id.uuid(),
            content: json(terms)?,
        };
        Entity::insert(row.into_active_model().reset_all())
            .on_conflict(
                OnConflict::columns([Column::OrgId, Column::TargetId, Column::Number])
                    .update_columns([Column::Place, Column::Content])
                    .to_owned(),
            )
            .exec_without_returning(&tx.db)
            .await
            .map_err(database_error)?;
    }
    Ok(())
}

/// The terms of each of `targets`, which the caller may see.
pub(super) async fn of_targets(reader: &Reader<'_>, targets: Vec<Uuid>) -> Result<HashMap<Uuid, Versions>> {
    if targets.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = Entity::find()
        .filter(Column::OrgId.eq(reader.org()?))
        .filter(Column::TargetId.is_in(targets))
        .order_by_asc(Column::Number)
        .all(&reader.db)
        .await
        .map_err(database_error)?;
    let mut found: HashMap<Uuid, Versions> = HashMap::new();
    for row in rows {
        let terms: Terms = parse_json("target_terms", row.target_id, &row.content)?;
        let versions = found.entry(row.target_id).or_default();
        match row.place.as_str() {
            STANDING => versions.standing = Some(terms),
            AMENDMENT => versions.amendment = Some(terms),
            HISTORY => versions.history.push(terms),
            _ => return Err(bad_row("target_terms", row.target_id, "unknown place")),
        }
    }
    Ok(found)
}
