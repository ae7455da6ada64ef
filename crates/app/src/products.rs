//! Products: what the organisation sells.

use evenhand_domain::access::Permission;
use evenhand_domain::change::Version;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::ProductId;
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::products::{NewProduct, Product, ProductUpdate};
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};

/// Adds a product.
#[derive(Debug)]
pub struct CreateProduct(pub NewProduct);

impl Command for CreateProduct {
    const PERMISSION: Permission = Permission::ManageProducts;
    type Output = Product;

    async fn run(&self, tx: &mut Tx) -> Result<Product> {
        let change = Product::create(&self.0, tx.new_id(), tx.now())?;
        tx.save(change).await
    }
}

/// Renames, reprices, retires or restores a product.
#[derive(Debug)]
pub struct UpdateProduct {
    /// Which product.
    pub id: ProductId,
    /// The version that the client saw.
    pub version: Version,
    /// What to change.
    pub update: ProductUpdate,
}

impl Command for UpdateProduct {
    const PERMISSION: Permission = Permission::ManageProducts;
    type Output = Product;

    async fn run(&self, tx: &mut Tx) -> Result<Product> {
        let product = tx.read().product(self.id).await?;
        if product.version != self.version {
            return Err(Error::Conflict);
        }
        tx.save(product.update(&self.update, tx.now())?).await
    }
}

/// Products by id; unknown ids are left out.
#[derive(Debug)]
pub struct ProductsByIds(pub Vec<ProductId>);

impl Query for ProductsByIds {
    const PERMISSION: Permission = Permission::ReadProducts;
    type Output = Vec<Product>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Product>> {
        reader.products_by_ids(&self.0).await
    }
}

/// A page of products, by name.
#[derive(Debug)]
pub struct ListProducts(pub PageRequest);

impl Query for ListProducts {
    const PERMISSION: Permission = Permission::ReadProducts;
    type Output = Page<Product>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<Product>> {
        reader.products(&self.0).await
    }
}

/// Number of products.
#[derive(Debug)]
pub struct CountProducts;

impl Query for CountProducts {
    const PERMISSION: Permission = Permission::ReadProducts;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_products().await
    }
}
