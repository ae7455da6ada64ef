//! Products: what the organisation sells. A retired product stays, because past deals name it.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Problem, Problems, Result};
use crate::id::{EntityId, ProductId};
use crate::money::{AMOUNT_MINOR_MAX, Money};
use crate::patch::Patch;
use crate::text;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// Whether a product is sold.
    ProductStatus {
        /// On sale.
        Active = "ACTIVE",
        /// No longer sold.
        Retired = "RETIRED",
    }
}

/// Something that the organisation sells.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// Counts changes.
    pub version: Version,
    /// Article number, where there is one; unique in the organisation, ignoring case.
    pub code: Option<String>,
    /// Name; unique in the organisation, ignoring case.
    pub name: String,
    /// Product line.
    pub series: Option<String>,
    /// Price without discount; not negative.
    pub list_price: Option<Money>,
    /// Since when it is no longer sold; `None` while it is.
    pub retired_at: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// Input of [`Product::create`].
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// Article number.
    pub code: Option<String>,
    /// Name.
    pub name: String,
    /// Product line.
    pub series: Option<String>,
    /// Price without discount.
    pub list_price: Option<Money>,
}

/// Input of [`Product::update`]; `None` and [`Patch::Keep`] leave a value as it is.
#[derive(Clone, Debug, Default)]
pub struct ProductUpdate {
    /// New article number.
    pub code: Patch<String>,
    /// New name.
    pub name: Option<String>,
    /// New product line.
    pub series: Patch<String>,
    /// New price.
    pub list_price: Patch<Money>,
    /// Retire it or sell it again.
    pub status: Option<ProductStatus>,
}

impl Product {
    /// A product that is on sale.
    ///
    /// # Errors
    /// Every field that is wrong; `OUT_OF_RANGE` for a price below zero or beyond [`AMOUNT_MINOR_MAX`].
    pub fn create(input: &NewProduct, id: ProductId, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let code = problems.take("code", input.code.as_deref().map(text::label).transpose());
        let name = problems.take("name", text::name(&input.name));
        let series = problems.take("series", input.series.as_deref().map(text::label).transpose());
        let list_price = problems.take("listPrice", input.list_price.map(price).transpose());
        let product = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                code: code?,
                name: name?,
                series: series?,
                list_price: list_price?,
                retired_at: None,
                created_at: now,
                updated_at: now,
            })
        })?;
        Ok(Change::created(EventKind::ProductCreated, product))
    }

    /// Renames, reprices, retires or restores. Retiring twice keeps the first moment.
    ///
    /// # Errors
    /// As [`Product::create`].
    pub fn update(&self, input: &ProductUpdate, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let code = problems.take("code", input.code.check(|code| text::label(code)));
        let name = problems.take("name", input.name.as_deref().map(text::name).transpose());
        let series = problems.take("series", input.series.check(|series| text::label(series)));
        let list_price = problems.take("listPrice", input.list_price.check(|&money| price(money)));
        let before = self.clone();
        let after = problems.finish_with(|| {
            Some(Self {
                code: code?.apply(before.code),
                name: name?.unwrap_or(before.name),
                series: series?.apply(before.series),
                list_price: list_price?.apply(before.list_price),
                retired_at: match input.status.unwrap_or(self.status()) {
                    ProductStatus::Active => None,
                    ProductStatus::Retired => before.retired_at.or(Some(now)),
                },
                updated_at: now,
                ..before
            })
        })?;
        Ok(Change::updated(EventKind::ProductUpdated, self, after))
    }

    /// Whether it is sold.
    pub fn status(&self) -> ProductStatus {
        if self.retired_at.is_none() { ProductStatus::Active } else { ProductStatus::Retired }
    }
}

fn price(money: Money) -> Result<Money, Problem> {
    if (0..=AMOUNT_MINOR_MAX).contains(&money.minor) {
        Ok(money)
    } else {
        let max = Money::new(AMOUNT_MINOR_MAX, money.currency);
        Err(Problem::new(Code::OutOfRange, format!("A price lies between zero and {max}.")))
    }
}

impl Aggregate for Product {
    const SUBJECT: SubjectType = SubjectType::Product;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    fn view(&self) -> Value {
        json!({
            "code": self.code, "name": self.name, "series": self.series, "status": self.status().as_str(),
            "listPrice": self.list_price.map(|money| {
                json!({ "amount": money.amount(), "currency": money.currency.code() })
            }),
            "retiredAt": self.retired_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::money::Currency;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::parse("USD").expect("a currency"))
    }

    fn product() -> Product {
        let input = NewProduct {
            code: None,
            name: " GTX Pro ".into(),
            series: Some("GTX".into()),
            list_price: Some(usd(482_100)),
        };
        let change =
            Product::create(&input, ProductId::from_uuid(Uuid::from_u128(1)), at("2026-01-01T00:00:00Z"));
        change.expect("a product").into_state()
    }

    #[test]
    fn a_new_product_is_on_sale_and_its_view_is_exact() {
        let product = product();
        assert_eq!((product.version, product.status()), (1, ProductStatus::Active));
        assert_eq!(
            product.view(),
            json!({
                "code": null, "name": "GTX Pro", "series": "GTX", "status": "ACTIVE", "retiredAt": null,
                "listPrice": { "amount": "4821.00", "currency": "USD" },
            })
        );
    }

    #[test]
    fn all_wrong_fields_are_named_at_once() {
        let input = NewProduct {
            code: Some("a\0".into()),
            name: " ".into(),
            series: Some("x".repeat(101)),
            list_price: Some(usd(-1)),
        };
        let result =
            Product::create(&input, ProductId::from_uuid(Uuid::from_u128(1)), at("2026-01-01T00:00:00Z"));
        let Err(Error::Rejected(problems)) = result else { panic!("accepted") };
        let found: Vec<_> = problems.iter().map(|problem| (problem.field.join("."), problem.code)).collect();
        let wanted = [
            ("code", Code::InvalidCharacter),
            ("name", Code::Required),
            ("series", Code::TooLong),
            ("listPrice", Code::OutOfRange),
        ];
        assert_eq!(found, wanted.map(|(field, code)| (field.to_owned(), code)));
        for (minor, accepted) in [(0, true), (AMOUNT_MINOR_MAX, true), (AMOUNT_MINOR_MAX + 1, false)] {
            assert_eq!(price(usd(minor)).is_ok(), accepted, "{minor}");
        }
    }

    #[test]
    fn an_update_changes_what_it_names_and_retiring_keeps_the_first_moment() {
        let product = product();
        let update = ProductUpdate {
            series: Patch::Clear,
            list_price: Patch::Set(usd(1)),
            status: Some(ProductStatus::Retired),
            ..ProductUpdate::default()
        };
        let retired = product.update(&update, at("2026-02-01T00:00:00Z")).expect("a change").into_state();
        let wanted = Product {
            version: 2,
            series: None,
            list_price: Some(usd(1)),
            retired_at: Some(at("2026-02-01T00:00:00Z")),
            updated_at: at("2026-02-01T00:00:00Z"),
            ..product.clone()
        };
        assert_eq!(retired, wanted);

        let again = retired.update(&update, at("2026-03-01T00:00:00Z")).expect("a change");
        assert_eq!(again.state().retired_at, Some(at("2026-02-01T00:00:00Z")));
        assert_eq!(
            again.event().before.as_ref(),
            Some(&again.event().after),
            "nothing but the version moved"
        );

        let restore = ProductUpdate { status: Some(ProductStatus::Active), ..ProductUpdate::default() };
        let restored = retired.update(&restore, at("2026-04-01T00:00:00Z")).expect("a change").into_state();
        assert_eq!(restored.status(), ProductStatus::Active);
    }
}
