//! Rows of organisations.

use evenhand_domain::access::Grant;
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::money::Currency;
use evenhand_domain::organizations::{Organization, parse_time_zone};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::error::{bad_row, database_error};
use crate::row;
use crate::store::{Reader, Store, Stored, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "organizations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i32,
        pub name: String,
        pub name_key: String,
        pub time_zone: String,
        pub currency: String,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{Column, Entity, Model as Row};

fn restore(row: Row) -> Result<Organization> {
    Ok(Organization {
        id: OrganizationId::from_uuid(row.id),
        version: row.version,
        name: row.name,
        time_zone: parse_time_zone(&row.time_zone)
            .map_err(|problem| bad_row("organizations", row.id, &problem.message))?,
        currency: Currency::parse(&row.currency)
            .map_err(|problem| bad_row("organizations", row.id, &problem.message))?,
        created_at: Timestamp::new(row.created_at),
    })
}

impl Stored for Organization {
    fn organization(&self, _: &Grant) -> Result<OrganizationId> {
        Ok(self.id)
    }

    async fn insert(&self, tx: &Tx) -> Result<()> {
        let row = Row {
            id: self.id.uuid(),
            version: self.version,
            name: self.name.clone(),
            name_key: fold(&self.name),
            time_zone: self.time_zone.name().to_owned(),
            currency: self.currency.code().to_owned(),
            created_at: self.created_at.utc(),
        };
        row::insert::<Entity>(&tx.db, row).await
    }

    async fn update(&self, _: &Tx, _: Version) -> Result<()> {
        Err(Error::Internal("organisations are not changed yet".into()))
    }
}

impl Reader<'_> {
    /// The caller's organisation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn organization(&self) -> Result<Organization> {
        let row = Entity::find_by_id(self.org()?).one(&self.db).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }
}

impl Store {
    /// The organisation with this name, ignoring case. Unscoped: for the command line, which acts as the
    /// operator of the installation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_organization_by_name(&self, name: &str) -> Result<Option<Organization>> {
        let row = Entity::find()
            .filter(Column::NameKey.eq(fold(name)))
            .one(self.backend.read())
            .await
            .map_err(database_error)?;
        row.map(restore).transpose()
    }

    /// An organisation by id. Unscoped: for jobs, which carry ids only.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn unscoped_organization(&self, id: OrganizationId) -> Result<Organization> {
        let row = Entity::find_by_id(id.uuid()).one(self.backend.read()).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }

    /// All organisations. Unscoped: for the command line and the background worker.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_organizations(&self) -> Result<Vec<Organization>> {
        let rows = Entity::find().all(self.backend.read()).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }
}
