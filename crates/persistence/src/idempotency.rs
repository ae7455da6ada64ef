//! Rows of idempotency keys. Technical state, so there is no event.

use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::error::database_error;
use crate::row::entity;
use crate::store::{Store, Tx};

entity!(idempotency_key, "idempotency_keys", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    key_hash: String,
    fingerprint: String,
    holder: Uuid,
    claimed_until: DateTimeUtc,
    effects: i64,
    status: Option<i32>,
    sealed_answer: Option<String>,
    expires_at: DateTimeUtc,
});

/// The key of a mutation: whose it is, and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// The organisation.
    pub organization: OrganizationId,
    /// The person or API client that sent it.
    pub sender: Uuid,
    /// SHA-256 of the key, in hexadecimal digits.
    pub hash: String,
}

/// What is known of a key that was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// The caller holds it and runs the mutation; these commands were committed before, one bit for each.
    Held(i64),
    /// It was answered: status, and the sealed answer.
    Answered(i32, String),
    /// Somebody else holds it.
    InFlight,
    /// It was sent with another document or other variables.
    Mismatch,
}

impl KeyName {
    fn condition(&self) -> Condition {
        Condition::all()
            .add(idempotency_key::Column::OrgId.eq(self.organization.uuid()))
            .add(idempotency_key::Column::UserId.eq(self.sender))
            .add(idempotency_key::Column::KeyHash.eq(&self.hash))
    }
}

impl Store {
    /// Claims a key for `holder`. A claim that was not answered can be taken over once it has run out.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn claim_key(
        &self,
        name: &KeyName,
        fingerprint: &str,
        holder: Uuid,
        now: Timestamp,
        (claimed_until, expires_at): (Timestamp, Timestamp),
    ) -> Result<KeyState> {
        use idempotency_key::Column as K;
        idempotency_key::Entity::delete_many()
            .filter(name.condition())
            .filter(K::ExpiresAt.lte(now.utc()))
            .exec(self.backend.write())
            .await
            .map_err(database_error)?;
        let statement = Query::insert()
            .into_table(idempotency_key::Entity)
            .columns([
                K::OrgId,
                K::UserId,
                K::KeyHash,
                K::Fingerprint,
                K::Holder,
                K::ClaimedUntil,
                K::Effects,
                K::ExpiresAt,
            ])
            .values_panic([
                name.organization.uuid().into(),
                name.sender.into(),
                name.hash.as_str().into(),
                fingerprint.into(),
                holder.into(),
                claimed_until.utc().into(),
                0_i64.into(),
                expires_at.utc().into(),
            ])
            .on_conflict(
                OnConflict::columns([K::OrgId, K::UserId, K::KeyHash])
                    .value(K::Holder, holder)
                    .value(K::ClaimedUntil, claimed_until.utc())
                    .action_and_where(
                        Expr::col((idempotency_key::Entity, K::Status))
                            .is_null()
                            .and(Expr::col((idempotency_key::Entity, K::Fingerprint)).eq(fingerprint))
                            .and(Expr::col((idempotency_key::Entity, K::ClaimedUntil)).lte(now.utc())),
                    )
                    .to_owned(),
            )
            .returning_col(K::Effects)
            .to_owned();
        let held = self.backend.write().query_one(&statement).await.map_err(database_error)?;
        if let Some(row) = held {
            return row.try_get("", "effects").map(KeyState::Held).map_err(database_error);
        }
        let row = idempotency_key::Entity::find()
            .filter(name.condition())
            .one(self.backend.write())
            .await
            .map_err(database_error)?;
        Ok(match row {
            Some(row) if row.fingerprint != fingerprint => KeyState::Mismatch,
            Some(idempotency_key::Model { status: Some(status), sealed_answer: Some(answer), .. }) => {
                KeyState::Answered(status, answer)
            }
            // Given up in this moment, or still running.
            _ => KeyState::InFlight,
        })
    }

    /// Keeps the answer of a key that `holder` holds.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn answer_key(&self, name: &KeyName, holder: Uuid, status: i32, sealed: &str) -> Result<()> {
        use idempotency_key::Column as K;
        idempotency_key::Entity::update_many()
            .col_expr(K::Status, Expr::value(status))
            .col_expr(K::SealedAnswer, Expr::value(sealed))
            .filter(name.condition())
            .filter(K::Holder.eq(holder))
            .exec(self.backend.write())
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Gives up a key that `holder` holds, so that the next attempt can run at once.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn release_key(&self, name: &KeyName, holder: Uuid, now: Timestamp) -> Result<()> {
        use idempotency_key::Column as K;
        idempotency_key::Entity::update_many()
            .col_expr(K::ClaimedUntil, Expr::value(now.utc()))
            .filter(name.condition())
            .filter(K::Holder.eq(holder))
            .exec(self.backend.write())
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Forgets keys that expired before `now`.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn forget_old_keys(&self, now: Timestamp) -> Result<u64> {
        let gone = idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::ExpiresAt.lt(now.utc()))
            .exec(self.backend.write())
            .await
            .map_err(database_error)?;
        Ok(gone.rows_affected)
    }
}

impl Tx {
    /// Marks a command of a keyed mutation as done, in its own transaction, so that both or neither are there.
    ///
    /// # Errors
    /// [`Error::Contention`] when another process took over the key: this one must not commit.
    pub async fn mark_effect(&self, name: &KeyName, holder: Uuid, bit: i64) -> Result<()> {
        use idempotency_key::Column as K;
        let marked = idempotency_key::Entity::update_many()
            .col_expr(K::Effects, Expr::col(K::Effects).add(bit))
            .filter(name.condition())
            .filter(K::Holder.eq(holder))
            .exec(&self.db)
            .await
            .map_err(database_error)?;
        if marked.rows_affected == 1 { Ok(()) } else { Err(Error::Contention) }
    }
}
