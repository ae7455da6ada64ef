//! Rows of organisations.

use evenhand_domain::access::Grant;
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::money::Currency;
use evenhand_domain::organizations::{Organization, parse_time_zone};
use evenhand_domain::targets::Bands;
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::error::{bad_row, database_error};
use crate::row;
use crate::store::{Reader, Store, Stored, Tx};
use crate::targets::{json, parse_json};

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
        pub target_bands: Option<String>,
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
        // An organisation that has never set them has the defaults.
        bands: match row.target_bands {
            Some(text) => parse_json("organizations", row.id, &text)?,
            None => Bands::default(),
        },
        created_at: Timestamp::new(row.created_at),
    })
}

fn to_row(organization: &Organization) -> Result<Row> {
    Ok(Row {
        id: organization.id.uuid(),
        version: organization.version,
        name: organization.name.clone(),
        name_key: fold(&organization.name),
        time_zone: organization.time_zone.name().to_owned(),
        currency: organization.currency.code().to_owned(),
        target_bands: Some(json(&organization.bands)?),
        created_at: organization.created_at.utc(),
    })
}

impl Stored for Organization {
    fn organization(&self, _: &Grant) -> Result<OrganizationId> {
        Ok(self.id)
    }

    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(self)?).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        // An organisation is a tenant by itself: its id stands for both.
        let (columns, id) = ([Column::Id, Column::Id, Column::Version], self.id.uuid());
        row::update::<Entity>(&tx.db, to_row(self)?, columns, (tx.org()?, id, expected)).await
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
