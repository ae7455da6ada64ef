//! The departments that owe something for a target, by which they find it.

use std::collections::BTreeSet;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::prelude::Uuid;
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

const UP: &str = r"
CREATE TABLE target_departments (
    org_id {uuid} NOT NULL,
    -- The folded name of the department, as in teams.name_key; there need not be such a team.
    department_key {text} NOT NULL,
    target_id {uuid} NOT NULL,
    PRIMARY KEY (org_id, department_key, target_id),
    FOREIGN KEY (org_id, target_id) REFERENCES targets (org_id, id)
);
CREATE INDEX target_departments_target ON target_departments (org_id, target_id);
";

/// All terms of targets that are agreed and not withdrawn.
const TERMS: &str = "SELECT target_terms.org_id, target_terms.target_id, place, content FROM target_terms \
    JOIN targets ON targets.org_id = target_terms.org_id AND targets.id = target_terms.target_id \
    WHERE state IN ('AGREED', 'COMMITTED', 'ACTIVE', 'CLOSED')";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::execute(manager, UP).await?;
        let db = manager.get_connection();
        let backend = manager.get_database_backend();
        let mut rows = BTreeSet::new();
        for row in db.query_all_raw(Statement::from_string(backend, TERMS)).await? {
            let (org, target) = (row.try_get_by_index::<Uuid>(0)?, row.try_get_by_index::<Uuid>(1)?);
            let (place, content) = (row.try_get_by_index::<String>(2)?, row.try_get_by_index::<String>(3)?);
            let keys = owing(&place, &content).map_err(|error| DbErr::Migration(error.to_string()))?;
            rows.extend(keys.into_iter().map(|key| (org, key, target)));
        }
        for (org, key, target) in rows {
            let insert = Query::insert()
                .into_table("target_departments")
                .columns(["org_id", "department_key", "target_id"])
                .values_panic([org.into(), key.into(), target.into()])
                .to_owned();
            db.execute(&insert).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::execute(manager, "DROP TABLE target_departments;").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The folded names of the departments that owe something by these terms: those that stand, were in force, or
/// are agreed as an amendment.
fn owing(place: &str, content: &str) -> serde_json::Result<BTreeSet<String>> {
    let terms: Value = serde_json::from_str(content)?;
    let owed = match place {
        "AMENDMENT" => terms["agreedAt"].is_string(),
        "HISTORY" => terms["inForceFrom"].is_string(),
        _ => true,
    };
    let resources = terms["support"]["resources"].as_array().filter(|_| owed);
    let departments = resources.into_iter().flatten().filter_map(|resource| resource["department"].as_str());
    Ok(departments.map(fold).collect())
}

/// How names were folded when this file was written.
fn fold(text: &str) -> String {
    let lower = text.nfkc().flat_map(char::to_lowercase).collect::<String>();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}
