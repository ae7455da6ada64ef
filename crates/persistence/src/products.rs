//! Rows of products.

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::Direction;
use evenhand_domain::id::{EntityId, ProductId};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::products::Product;
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

use crate::deals::parse_money;
use crate::error::database_error;
use crate::page::{self, Keyset};
use crate::row;
use crate::store::{Reader, Stored, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "products")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i32,
        pub code: Option<String>,
        pub code_key: Option<String>,
        pub name: String,
        pub name_key: String,
        pub series: Option<String>,
        pub list_price_minor: Option<i64>,
        pub list_price_currency: Option<String>,
        pub retired_at: Option<DateTimeUtc>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{Column, Entity, Model as Row};

const SLICE: &[Permission] = &[Permission::ReadProducts, Permission::ManageProducts];

fn restore(row: Row) -> Result<Product> {
    Ok(Product {
        id: ProductId::from_uuid(row.id),
        version: row.version,
        code: row.code,
        name: row.name,
        series: row.series,
        list_price: parse_money("products", row.id, row.list_price_minor, row.list_price_currency)?,
        retired_at: row.retired_at.map(Timestamp::new),
        created_at: Timestamp::new(row.created_at),
        updated_at: Timestamp::new(row.updated_at),
    })
}

fn to_row(org_id: Uuid, product: &Product) -> Row {
    Row {
        org_id,
        id: product.id.uuid(),
        version: product.version,
        code: product.code.clone(),
        code_key: product.code.as_deref().map(fold),
        name: product.name.clone(),
        name_key: fold(&product.name),
        series: product.series.clone(),
        list_price_minor: product.list_price.map(|price| price.minor),
        list_price_currency: product.list_price.map(|price| price.currency.code().to_owned()),
        retired_at: product.retired_at.map(Timestamp::utc),
        created_at: product.created_at.utc(),
        updated_at: product.updated_at.utc(),
    }
}

impl Stored for Product {
    async fn insert(&self, tx: &Tx) -> Result<()> {
        row::insert::<Entity>(&tx.db, to_row(tx.org()?, self)).await
    }

    async fn update(&self, tx: &Tx, expected: Version) -> Result<()> {
        let org = tx.org()?;
        let columns = [Column::OrgId, Column::Id, Column::Version];
        row::update::<Entity>(&tx.db, to_row(org, self), columns, (org, self.id.uuid(), expected)).await
    }

    async fn insert_all(products: &[&Self], tx: &Tx) -> Result<()> {
        let org = tx.org()?;
        let rows: Vec<Row> = products.iter().map(|product| to_row(org, product)).collect();
        row::insert_all::<Entity>(&tx.db, rows).await
    }
}

fn visible(reader: &Reader<'_>) -> Result<Select<Entity>> {
    // Everybody sees the whole range: a price list is no secret inside the organisation.
    reader.scope(SLICE)?;
    Ok(Entity::find().filter(Column::OrgId.eq(reader.org()?)))
}

impl Reader<'_> {
    /// A product.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn product(&self, id: ProductId) -> Result<Product> {
        let row =
            visible(self)?.filter(Column::Id.eq(id.uuid())).one(&self.db).await.map_err(database_error)?;
        row.map_or(Err(Error::NotFound), restore)
    }

    /// Those of `ids` that exist, in no particular order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn products_by_ids(&self, ids: &[ProductId]) -> Result<Vec<Product>> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows =
            visible(self)?.filter(Column::Id.is_in(ids)).all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// All products, retired ones included; for imports, which match products by name or code.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn all_products(&self) -> Result<Vec<Product>> {
        let rows = visible(self)?.all(&self.db).await.map_err(database_error)?;
        rows.into_iter().map(restore).collect()
    }

    /// A page of products, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn products(&self, page: &PageRequest) -> Result<Page<Product>> {
        let keyset = Keyset { column: Column::NameKey, id: Column::Id, direction: Direction::Asc };
        let place = |row: &Row| (SortKey::Text(row.name_key.clone()), row.id);
        page::fetch(&self.db, visible(self)?, &keyset, page, place, restore).await
    }

    /// Number of products.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_products(&self) -> Result<i64> {
        page::count(&self.db, visible(self)?).await
    }
}
