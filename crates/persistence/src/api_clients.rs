//! Rows of API clients, and of their tokens that were revoked.

use std::collections::HashSet;

use evenhand_domain::access::{ClientPrincipal, Permission};
use evenhand_domain::api_clients::{ApiClient, ClientToken, OldSecret, Scopes};
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::Direction;
use evenhand_domain::id::{ApiClientId, EntityId, OrganizationId};
use evenhand_domain::organizations::parse_time_zone;
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QuerySelect, Select, Statement,
};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::row::{self, entity};
use crate::store::{Reader, Store, Stored, Tx};
use crate::users::parse_role;

/// Tokens that one statement looks up.
const TOKENS_AT_ONCE: usize = 1_000;

/// The client of a token that works. As text, because every request sends it and building it costs as much as sending.
const PRINCIPAL: &str = "SELECT c.role, c.scopes, o.time_zone FROM api_clients c \
    JOIN organizations o ON o.id = c.org_id \
    WHERE c.org_id = $1 AND c.id = $2 AND c.revoked_at IS NULL \
    AND (c.generation = $3 OR (c.generation = $3 + 1 AND c.old_secret_expires_at > $4)) \
    AND NOT EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.org_id = $1 AND r.token_id = $5)";

entity!(entity, "api_clients", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version: i32,
    name: String,
    name_key: String,
    role: String,
    scopes: String,
    secret_hash: String,
    generation: i32,
    old_secret_hash: Option<String>,
    old_secret_expires_at: Option<DateTimeUtc>,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
    revoked_at: Option<DateTimeUtc>,
    last_used_at: Option<DateTimeUtc>,
});
use entity::{Column, Entity, Model as Row};

entity!(revoked, "revoked_tokens", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    token_id: Uuid,
    expires_at: DateTimeUtc,
});

const SLICE: &[Permission] = &[Permission::ReadApiClients, Permission::ManageApiClients];

fn restore(row: Row) -> Result<ApiClient> {
    let old_secret = row.old_secret_hash.zip(row.old_secret_expires_at);
    Ok(ApiClient {
        id: ApiClientId::from_uuid(row.id),
        version: row.version,
        name: row.name,
        role: parse_role("api_clients", row.id, &row.role)?,
        scopes: Scopes::known(&row.scopes),
        secret_hash: row.secret_hash,
        generation: row.generation,
        old_secret: old_secret.map(|(hash, at)| OldSecret { hash, expires_at: Timestamp::new(at) }),
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
        revoked_at: row.revoked_at.map(Timestamp::new),
        last_used_at: row.last_used_at.map(Timestamp::new),
    })
}

fn to_row(org_id: Uuid, client: &ApiClient) -> Row {
    let old_secret = client.old_secret.as_ref();
    Row {
        org_id,
        id: client.id.uuid(),
        version: client.version,
        name: client.name.clone(),
        name_key: fold(&client.name),
        role: client.role.as_str().to_owned(),
        scopes: client.scopes.to_string(),
        secret_hash: client.secret_hash.clone(),
        generation: client.generation,
        old_secret_hash: old_secret.map(|old| old.hash.clone()),
        old_secret_expires_at: old_secret.map(|old| old.expires_at.utc()),
        created_at: client.created_at.utc(),
        updated_at: client.updated_at.utc(),
        revoked_at: client.revoked_at.map(Timestamp::utc),
        last_used_at: client.last_used_at.map(Timestamp::utc),
    }
}

impl Stored for ApiClient {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self), columns, (org, self.id.uuid(), expected)).await
    }
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    reader.scope(SLICE)?;
    Ok(Entity::find().filter(Column::OrgId.eq(reader.org()?)))
}

impl Reader<'_> {
    /// An API client.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn api_client(&self, id: ApiClientId) -> Result<ApiClient> {
        self.api_clients_by_ids(&[id]).await?.pop().ok_or(Error::NotFound)
    }

    /// Those of `ids` that exist, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn api_clients_by_ids(&self, ids: &[ApiClientId]) -> Result<Vec<ApiClient>> {
        let rows = visible(self)?.filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        rows.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// A page of API clients, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn api_clients(&self, page: &PageRequest) -> Result<Page<ApiClient>> {
        let keyset = Keyset { column: Column::NameKey, id: Column::Id, direction: Direction::Asc };
        let place = |row: &Row| (SortKey::Text(row.name_key.clone()), row.id);
        page::fetch(&self.db, visible(self)?, &keyset, page, place, restore).await
    }

    /// Number of API clients.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_api_clients(&self) -> Result<i64> {
        page::count(&self.db, visible(self)?).await
    }
}

#[derive(FromQueryResult)]
struct PrincipalRow {
    role: String,
    scopes: String,
    time_zone: String,
}

impl Store {
    /// The client of a token that works, as it is now, with those of `asked` that it has. Unscoped: this is how a
    /// caller becomes known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_client_principal(
        &self,
        token: ClientToken,
        asked: Scopes,
        now: Timestamp,
    ) -> Result<Option<ClientPrincipal>> {
        let db = self.backend.read();
        let ClientToken { organization, client, id, generation } = token;
        let values = [
            organization.uuid().into(),
            client.uuid().into(),
            generation.into(),
            now.utc().into(),
            id.into(),
        ];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), PRINCIPAL, values);
        let row = db.query_one_raw(statement).await.map_err(database_error)?;
        let Some(row) = row else { return Ok(None) };
        let row = PrincipalRow::from_query_result(&row, "").map_err(database_error)?;
        Ok(Some(ClientPrincipal {
            token,
            role: parse_role("api_clients", client.uuid(), &row.role)?,
            scopes: Scopes::known(&row.scopes).and(asked),
            zone: parse_time_zone(&row.time_zone)
                .map_err(|problem| bad_row("organizations", organization, &problem.message))?,
        }))
    }

    /// Which of these tokens still work. Unscoped: the open connections of a node belong to many organisations.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_live_tokens(
        &self,
        tokens: &[ClientToken],
        now: Timestamp,
    ) -> Result<HashSet<ClientToken>> {
        let mut live = HashSet::new();
        for part in tokens.chunks(TOKENS_AT_ONCE) {
            let db = self.backend.read();
            let clients = Entity::find()
                .filter(Column::Id.is_in(part.iter().map(|token| token.client.uuid())))
                .all(db)
                .await
                .map_err(database_error)?;
            let revoked: Vec<(Uuid, Uuid)> = revoked::Entity::find()
                .filter(revoked::Column::TokenId.is_in(part.iter().map(|token| token.id)))
                .select_only()
                .columns([revoked::Column::OrgId, revoked::Column::TokenId])
                .into_tuple()
                .all(db)
                .await
                .map_err(database_error)?;
            let mut secrets = HashSet::new();
            for row in clients {
                let (organization, client) = (row.org_id, restore(row)?);
                secrets.extend(
                    client.secrets(now).map(|(generation, _)| (organization, client.id.uuid(), generation)),
                );
            }
            live.extend(part.iter().filter(|token| {
                let organization = token.organization.uuid();
                secrets.contains(&(organization, token.client.uuid(), token.generation))
                    && !revoked.contains(&(organization, token.id))
            }));
        }
        Ok(live)
    }

    /// A client that names itself, with its organisation. Unscoped: its secret is still to be checked.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_api_client(&self, id: ApiClientId) -> Result<Option<(OrganizationId, ApiClient)>> {
        let row = Entity::find()
            .filter(Column::Id.eq(id.uuid()))
            .one(self.backend.read())
            .await
            .map_err(database_error)?;
        row.map(|row| Ok((OrganizationId::from_uuid(row.org_id), restore(row)?))).transpose()
    }

    /// Notes that a client got a token. Technical state, so there is no event: the log would tell of little else.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn note_client_use(
        &self,
        organization: OrganizationId,
        client: ApiClientId,
        now: Timestamp,
    ) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(now.utc()))
            .filter(Column::OrgId.eq(organization.uuid()))
            .filter(Column::Id.eq(client.uuid()))
            .exec(self.backend.write())
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Revokes a token that would end by itself at `expires_at`. Technical state of a client, as its tokens are.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn revoke_token(&self, token: ClientToken, expires_at: Timestamp) -> Result<()> {
        let row = revoked::Model {
            org_id: token.organization.uuid(),
            token_id: token.id,
            expires_at: expires_at.utc(),
        };
        revoked::Entity::insert(row.into_active_model().reset_all())
            .on_conflict(
                OnConflict::columns([revoked::Column::OrgId, revoked::Column::TokenId])
                    .update_column(revoked::Column::ExpiresAt)
                    .to_owned(),
            )
            .exec_without_returning(self.backend.write())
            .await
            .map_err(database_error)
            .map(drop)
    }

    /// Forgets revoked tokens that ended by themselves before `now`.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn forget_revoked_tokens(&self, now: Timestamp) -> Result<u64> {
        let gone = revoked::Entity::delete_many()
            .filter(revoked::Column::ExpiresAt.lt(now.utc()))
            .exec(self.backend.write())
            .await
            .map_err(database_error)?;
        Ok(gone.rows_affected)
    }
}
