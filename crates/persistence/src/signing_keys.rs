//! Rows of the keys that sign access tokens. They belong to the installation, not to an organisation.

use evenhand_domain::error::Result;
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::error::database_error;
use crate::row::{self, entity};
use crate::store::Store;

entity!(signing_key, "signing_keys", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: String,
    public_key: String,
    sealed_private_key: String,
    created_at: DateTimeUtc,
    active_from: DateTimeUtc,
    retired_at: Option<DateTimeUtc>,
});

/// A key that signs access tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct SigningKey {
    /// Key id, as in the token's header.
    pub id: String,
    /// Public key, base64url.
    pub public_key: String,
    /// Private key, encrypted with the instance's secret.
    pub sealed_private_key: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it starts to sign; it is published before.
    pub active_from: Timestamp,
    /// When it stops to verify.
    pub retired_at: Option<Timestamp>,
}

impl Store {
    /// The keys that sign or verify access tokens, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        let rows = signing_key::Entity::find()
            .order_by_desc(signing_key::Column::ActiveFrom)
            .order_by_desc(signing_key::Column::Id)
            .all(self.backend.read())
            .await
            .map_err(database_error)?;
        Ok(rows
            .into_iter()
            .map(|row| SigningKey {
                id: row.id,
                public_key: row.public_key,
                sealed_private_key: row.sealed_private_key,
                created_at: Timestamp::new(row.created_at),
                active_from: Timestamp::new(row.active_from),
                retired_at: row.retired_at.map(Timestamp::new),
            })
            .collect())
    }

    /// Adds a signing key and lets the older ones retire at `others_retire_at`. Keys are technical state of
    /// the installation, not of an organisation, so there is no event.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn add_signing_key(&self, key: &SigningKey, others_retire_at: Timestamp) -> Result<()> {
        let tx = self.backend.begin().await?;
        signing_key::Entity::update_many()
            .col_expr(signing_key::Column::RetiredAt, Expr::value(others_retire_at.utc()))
            .filter(signing_key::Column::RetiredAt.is_null())
            .exec(&tx)
            .await
            .map_err(database_error)?;
        let row = signing_key::Model {
            id: key.id.clone(),
            public_key: key.public_key.clone(),
            sealed_private_key: key.sealed_private_key.clone(),
            created_at: key.created_at.utc(),
            active_from: key.active_from.utc(),
            retired_at: None,
        };
        row::insert::<signing_key::Entity>(&tx, row).await?;
        tx.commit().await.map_err(database_error)
    }
}
