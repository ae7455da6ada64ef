//! Rows of imports, of their files while they wait, of the verdicts, and of the keys that later runs look up.
//! Verdicts are append-only; counts of rows are progress, not facts, and move without an event.

use evenhand_domain::access::Permission;
use evenhand_domain::change::{SubjectType, Version};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::Direction;
use evenhand_domain::id::{EntityId, ImportId, UserId};
use evenhand_domain::imports::{Counts, Import, ImportFile, ImportKey, ImportRow, ImportState, Verdict};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Select};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::row;
use crate::store::{Reader, Stored, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "imports")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i32,
        pub profile: String,
        pub dry_run: bool,
        pub without_aliases: bool,
        pub state: String,
        pub rows_total: i64,
        pub rows_created: i64,
        pub rows_updated: i64,
        pub rows_unchanged: i64,
        pub rows_skipped: i64,
        pub rows_rejected: i64,
        pub requested_by: Option<Uuid>,
        pub created_at: DateTimeUtc,
        pub started_at: Option<DateTimeUtc>,
        pub finished_at: Option<DateTimeUtc>,
        pub failure: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{Column, Entity, Model as Row};

/// Files, until the import has read them.
mod file {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_files")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub import_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub content: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Verdicts; `ordinal` counts the rows of all files of an import from 1.
mod verdict {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_rows")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub import_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ordinal: i64,
        pub file: String,
        pub row_number: i64,
        pub verdict: String,
        pub subject: String,
        pub subject_id: Option<Uuid>,
        pub reason: Option<String>,
        pub suggestion: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// What the rows of earlier runs became.
mod key {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub namespace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub subject: String,
        pub subject_id: Uuid,
        pub fingerprint: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

const SLICE: &[Permission] = &[Permission::ImportData];

fn restore(row: Row) -> Result<Import> {
    Ok(Import {
        id: ImportId::from_uuid(row.id),
        version: row.version,
        profile: row.profile,
        dry_run: row.dry_run,
        without_aliases: row.without_aliases,
        state: ImportState::parse(&row.state).ok_or_else(|| bad_row("imports", row.id, "unknown state"))?,
        counts: Counts {
            total: row.rows_total,
            created: row.rows_created,
            updated: row.rows_updated,
            unchanged: row.rows_unchanged,
            skipped: row.rows_skipped,
            rejected: row.rows_rejected,
        },
        requested_by: row.requested_by.map(UserId::from_uuid),
        created_at: Timestamp::new(row.created_at),
        started_at: row.started_at.map(Timestamp::new),
        finished_at: row.finished_at.map(Timestamp::new),
        failure: row.failure,
    })
}

fn to_row(org_id: Uuid, import: &Import) -> Row {
    Row {
        org_id,
        id: import.id.uuid(),
        version: import.version,
        profile: import.profile.clone(),
        dry_run: import.dry_run,
        without_aliases: import.without_aliases,
        state: import.state.as_str().to_owned(),
        rows_total: import.counts.total,
        rows_created: import.counts.created,
        rows_updated: import.counts.updated,
        rows_unchanged: import.counts.unchanged,
        rows_skipped: import.counts.skipped,
        rows_rejected: import.counts.rejected,
        requested_by: import.requested_by.map(EntityId::uuid),
        created_at: import.created_at.utc(),
        started_at: import.started_at.map(Timestamp::utc),
        finished_at: import.finished_at.map(Timestamp::utc),
        failure: import.failure.clone(),
    }
}

impl Stored for Import {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self), columns, (org, self.id.uuid(), expected)).await
    }
}

fn parse_subject(table: &str, id: impl std::fmt::Display, text: &str) -> Result<SubjectType> {
    SubjectType::parse(text).ok_or_else(|| bad_row(table, id, "unknown subject"))
}

fn restore_verdict(row: verdict::Model) -> Result<ImportRow> {
    Ok(ImportRow {
        verdict: Verdict::parse(&row.verdict)
            .ok_or_else(|| bad_row("import_rows", row.ordinal, "unknown verdict"))?,
        subject: parse_subject("import_rows", row.ordinal, &row.subject)?,
        file: row.file,
        row: row.row_number,
        subject_id: row.subject_id,
        reason: row.reason,
        suggestion: row.suggestion,
    })
}

impl Tx {
    /// Keeps the files of an import until it has read them.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add_import_files(&self, import: ImportId, files: &[ImportFile]) -> Result<()> {
        let (org_id, import_id) = (self.org()?, import.uuid());
        for file in files {
            // One statement each: together they could be larger than what a connection takes at once.
            let (name, content) = (file.name.clone(), file.content.clone());
            row::insert::<file::Entity>(&self.db, file::Model { org_id, import_id, name, content }).await?;
        }
        Ok(())
    }

    /// Deletes the files of an import.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_import_files(&self, import: ImportId) -> Result<()> {
        file::Entity::delete_many()
            .filter(file::Column::OrgId.eq(self.org()?))
            .filter(file::Column::ImportId.eq(import.uuid()))
            .exec(&self.db)
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Writes state and counts of a running import.
    ///
    /// # Errors
    /// [`Error::Conflict`] when somebody else went on with it since `before` was read.
    pub async fn save_import_progress(&self, before: &Import, after: &Import) -> Result<()> {
        let counts = [
            (Column::RowsTotal, after.counts.total),
            (Column::RowsCreated, after.counts.created),
            (Column::RowsUpdated, after.counts.updated),
            (Column::RowsUnchanged, after.counts.unchanged),
            (Column::RowsSkipped, after.counts.skipped),
            (Column::RowsRejected, after.counts.rejected),
        ];
        let update = Entity::update_many()
            .col_expr(Column::State, Expr::value(after.state.as_str()))
            .col_expr(Column::StartedAt, Expr::value(after.started_at.map(Timestamp::utc)));
        let update = counts
            .into_iter()
            .fold(update, |update, (column, count)| update.col_expr(column, Expr::value(count)));
        let updated = update
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::Id.eq(before.id.uuid()))
            .filter(Column::Version.eq(before.version))
            .filter(Column::RowsTotal.eq(before.counts.total))
            .exec(&self.db)
            .await
            .map_err(database_error)?;
        if updated.rows_affected == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Appends the verdicts of rows; `before` is the number of rows that have one already.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add_import_rows(&self, import: ImportId, before: i64, rows: &[ImportRow]) -> Result<()> {
        let (org_id, import_id) = (self.org()?, import.uuid());
        let to_row = |(ordinal, row): (i64, &ImportRow)| verdict::Model {
            org_id,
            import_id,
            ordinal,
            file: row.file.clone(),
            row_number: row.row,
            verdict: row.verdict.as_str().to_owned(),
            subject: row.subject.as_str().to_owned(),
            subject_id: row.subject_id,
            reason: row.reason.clone(),
            suggestion: row.suggestion.clone(),
        };
        let rows: Vec<_> = (before + 1..).zip(rows).map(to_row).collect();
        row::insert_all::<verdict::Entity>(&self.db, rows).await
    }

    /// Forgets the verdicts of an import that begins again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_import_rows(&self, import: ImportId) -> Result<()> {
        verdict::Entity::delete_many()
            .filter(verdict::Column::OrgId.eq(self.org()?))
            .filter(verdict::Column::ImportId.eq(import.uuid()))
            .exec(&self.db)
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Remembers what the rows with these keys became; each key at most once in `keys`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another run gave one of the objects another key.
    pub async fn save_import_keys(&self, namespace: &str, keys: Vec<ImportKey>) -> Result<()> {
        let org_id = self.org()?;
        let to_row = |key: ImportKey| {
            let row = key::Model {
                org_id,
                namespace: namespace.to_owned(),
                key: key.key,
                subject: key.subject.as_str().to_owned(),
                subject_id: key.subject_id,
                fingerprint: key.fingerprint,
            };
            row.into_active_model().reset_all()
        };
        let told_anew = OnConflict::columns([key::Column::OrgId, key::Column::Namespace, key::Column::Key])
            .update_column(key::Column::Fingerprint)
            .to_owned();
        for batch in row::batches(keys.into_iter().map(to_row).collect()) {
            key::Entity::insert_many(batch)
                .on_conflict(told_anew.clone())
                .exec_without_returning(&self.db)
                .await
                .map_err(database_error)?;
        }
        Ok(())
    }
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    // Whoever may import at all reaches the whole organisation, and so sees what others imported.
    reader.scope(SLICE)?;
    Ok(Entity::find().filter(Column::OrgId.eq(reader.org()?)))
}

fn visible_rows(
    reader: &Reader<'_>,
    import: ImportId,
    verdict: Option<Verdict>,
) -> Result<Select<verdict::Entity>> {
    reader.scope(SLICE)?;
    let rows = verdict::Entity::find()
        .filter(verdict::Column::OrgId.eq(reader.org()?))
        .filter(verdict::Column::ImportId.eq(import.uuid()));
    Ok(match verdict {
        Some(verdict) => rows.filter(verdict::Column::Verdict.eq(verdict.as_str())),
        None => rows,
    })
}

fn visible_keys(reader: &Reader<'_>, namespace: &str) -> Result<Select<key::Entity>> {
    reader.scope(SLICE)?;
    Ok(key::Entity::find()
        .filter(key::Column::OrgId.eq(reader.org()?))
        .filter(key::Column::Namespace.eq(namespace)))
}

impl Reader<'_> {
    /// An import.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn import(&self, id: ImportId) -> Result<Import> {
        let row =
            visible(self)?.filter(Column::Id.eq(id.uuid())).one(&self.db).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }

    /// Those of `ids` that exist, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn imports_by_ids(&self, ids: &[ImportId]) -> Result<Vec<Import>> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows =
            visible(self)?.filter(Column::Id.is_in(ids)).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// The text of a file that waits to be imported.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn import_file(&self, import: ImportId, name: &str) -> Result<String> {
        self.scope(SLICE)?;
        let row = file::Entity::find_by_id((self.org()?, import.uuid(), name.to_owned()))
            .one(&self.db)
            .await
            .map_err(database_error)?;
        row.map(|row| row.content).ok_or(Error::NotFound)
    }

    /// A page of the rows of an import, in their order, with one verdict or all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn import_rows(
        &self,
        import: ImportId,
        page: &PageRequest,
        verdict: Option<Verdict>,
    ) -> Result<Page<ImportRow>> {
        // The ordinal alone tells the rows of an import apart; the id is the same for all of them.
        let keyset = Keyset {
            column: verdict::Column::Ordinal,
            id: verdict::Column::ImportId,
            direction: Direction::Asc,
        };
        let place = |row: &verdict::Model| (SortKey::Number(row.ordinal), row.import_id);
        let rows = visible_rows(self, import, verdict)?;
        page::fetch(&self.db, rows, &keyset, page, place, restore_verdict).await
    }

    /// Number of rows of an import with one verdict or all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_import_rows(&self, import: ImportId, verdict: Option<Verdict>) -> Result<i64> {
        page::count(&self.db, visible_rows(self, import, verdict)?).await
    }

    /// What earlier runs made of the rows with these keys; at most 10,000 keys at a time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn import_keys(&self, namespace: &str, keys: &[&str]) -> Result<Vec<ImportKey>> {
        let rows = visible_keys(self, namespace)?
            .filter(key::Column::Key.is_in(keys.iter().copied()))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        rows.into_iter()
            .map(|row| {
                Ok(ImportKey {
                    subject: parse_subject("import_keys", &row.key, &row.subject)?,
                    key: row.key,
                    subject_id: row.subject_id,
                    fingerprint: row.fingerprint,
                })
            })
            .collect()
    }

    /// Those of `subjects` that have a key in this namespace; at most 10,000 at a time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn subjects_with_import_keys(&self, namespace: &str, subjects: &[Uuid]) -> Result<Vec<Uuid>> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let rows = visible_keys(self, namespace)?
            .filter(key::Column::SubjectId.is_in(subjects.iter().copied()))
            .all(&self.db)
            .await
            .map_err(database_error)?;
        Ok(rows.into_iter().map(|row| row.subject_id).collect())
    }
}
