//! Products in GraphQL.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use evenhand_app::products::{CountProducts, CreateProduct, ListProducts, ProductsByIds, UpdateProduct};
use evenhand_domain::error::Problems;
use evenhand_domain::id::ProductId;
use evenhand_domain::products::{self as domain, NewProduct, ProductStatus, ProductUpdate};

use crate::context::{Request, total};
use crate::error::payload;
use crate::ids;
use crate::page::{PageArgs, connection};
use crate::patch::patch;
use crate::scalars::{DateTime, Money, MoneyInput};
use crate::wire::Wire;

/// The order of the list, as its cursors know it.
const BY_NAME: &str = "products:name";

/// Something that the organisation sells.
#[derive(Clone)]
pub(crate) struct Product(domain::Product);

impl From<domain::Product> for Product {
    fn from(product: domain::Product) -> Self {
        Self(product)
    }
}

connection!(ProductConnection, ProductEdge, Product, "products");

/// Something that the organisation sells. A retired product stays, because past deals name it.
#[Object]
impl Product {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; send it back when you update.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Article number, unique in the organisation; null where there is none.
    async fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Product line.
    async fn series(&self) -> Option<&str> {
        self.0.series.as_deref()
    }

    /// Price without discount.
    async fn list_price(&self) -> Option<Money> {
        self.0.list_price.map(Money)
    }

    /// Whether it is sold.
    async fn status(&self) -> Wire<ProductStatus> {
        Wire(self.0.status())
    }

    /// Since when it is no longer sold; null while it is.
    async fn retired_at(&self) -> Option<DateTime> {
        self.0.retired_at.map(DateTime)
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// The product with this id; null where there is none.
pub(crate) async fn load(ctx: &Context<'_>, id: ProductId) -> Result<Option<Product>> {
    let request = Request::of(ctx).asker();
    let product = Request::of(ctx).loaders().products.load(id, |ids| async move {
        let products = request.query(&ProductsByIds(ids)).await?;
        Ok(products.into_iter().map(|product| (product.id, product)).collect())
    });
    Ok(product.await?.map(Product))
}

/// Queries about products.
#[derive(Default)]
pub(crate) struct ProductQueries;

#[Object]
impl ProductQueries {
    /// All products of the organisation by name, retired ones included.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of products, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
    ) -> Result<ProductConnection> {
        let request = Request::of(ctx);
        let page = request.query(&ListProducts(PageArgs::forward(first, after).parse(BY_NAME)?)).await?;
        Ok(ProductConnection::new(page, BY_NAME, total(request, CountProducts)))
    }
}

/// Input of `createProduct`.
#[derive(InputObject)]
pub(crate) struct CreateProductInput {
    /// Article number, unique in the organisation, 1 to 100 characters.
    code: Option<String>,
    /// Name, unique in the organisation, 1 to 200 characters.
    name: String,
    /// Product line, 1 to 100 characters.
    series: Option<String>,
    /// Price without discount, not negative.
    list_price: Option<MoneyInput>,
}

/// Input of `updateProduct`. What is left out stays as it is; null takes an optional value away.
#[derive(InputObject)]
pub(crate) struct UpdateProductInput {
    /// The product.
    id: ID,
    /// The version that you read.
    version: i32,
    /// New article number.
    code: MaybeUndefined<String>,
    /// New name.
    name: Option<String>,
    /// New product line.
    series: MaybeUndefined<String>,
    /// New price without discount.
    list_price: MaybeUndefined<MoneyInput>,
    /// `RETIRED` takes it out of the range; `ACTIVE` puts it back.
    status: Option<Wire<ProductStatus>>,
}

payload! {
    /// Result of `createProduct`.
    CreateProductPayload {
        /// The new product; null when the input was wrong.
        product: Product
    }
}

payload! {
    /// Result of `updateProduct`.
    UpdateProductPayload {
        /// The product after the change; null when the input was wrong.
        product: Product
    }
}

/// Mutations of products.
#[derive(Default)]
pub(crate) struct ProductMutations;

#[Object]
impl ProductMutations {
    /// Adds a product. For administrators.
    async fn create_product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new product.")] input: CreateProductInput,
    ) -> Result<CreateProductPayload> {
        CreateProductPayload::of(
            async {
                let mut problems = Problems::default();
                let list_price = input.list_price.as_ref().map(MoneyInput::parse).transpose();
                let list_price = problems.take("listPrice", list_price);
                let command = problems.finish_with(|| {
                    Some(CreateProduct(NewProduct {
                        code: input.code,
                        name: input.name,
                        series: input.series,
                        list_price: list_price?,
                    }))
                })?;
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }

    /// Renames, reprices, retires or restores a product. For administrators.
    async fn update_product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateProductInput,
    ) -> Result<UpdateProductPayload> {
        UpdateProductPayload::of(
            async {
                let mut problems = Problems::default();
                let id = problems.take("id", ids::decode(&input.id));
                let list_price = problems.take("listPrice", patch(input.list_price).check(MoneyInput::parse));
                let command = problems.finish_with(|| {
                    let update = ProductUpdate {
                        code: patch(input.code),
                        name: input.name,
                        series: patch(input.series),
                        list_price: list_price?,
                        status: input.status.map(|status| status.0),
                    };
                    Some(UpdateProduct { id: id?, version: input.version, update })
                })?;
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }
}
