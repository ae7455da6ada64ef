//! What an operator asks of the database: how far its schema is, and whether it is sound.

use evenhand_domain::error::Result;

use crate::jobs::DeadJob;
use crate::store::Store;

/// How far the schema of a database is, compared with what this program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// There is none yet.
    Empty,
    /// These migrations, oldest first, are still to run.
    Behind(Vec<String>),
    /// It fits.
    Current,
    /// A later version of the program has changed it.
    Ahead,
}

/// What a database says about itself.
#[derive(Clone, Debug)]
pub struct Health {
    /// Name and version, such as `SQLite 3.51.3`.
    pub version: String,
    /// What it finds damaged; empty when all is well.
    pub damage: Vec<String>,
    /// Jobs that were given up.
    pub dead_jobs: Vec<DeadJob>,
}

impl Store {
    /// How far the schema is. Changes nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn schema_state(&self) -> Result<SchemaState> {
        self.backend.schema_state().await
    }

    /// Looks at everything; takes as long as reading the whole database. The schema must be current.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn health(&self) -> Result<Health> {
        Ok(Health {
            version: self.backend.version().await?,
            damage: self.backend.damage().await?,
            dead_jobs: self.dead_jobs().await?,
        })
    }
}
