//! Rows that are products.

use std::collections::HashMap;

use evenhand_domain::change::{Change, SubjectType};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, ProductId};
use evenhand_domain::patch::Patch;
use evenhand_domain::products::{NewProduct, Product, ProductUpdate};
use evenhand_domain::text::fold;
use evenhand_persistence::Tx;
use uuid::Uuid;

use super::super::known::{PRODUCTS, View};
use super::super::mapping::{ProductRecord, Record};
use super::{Decision, Kind, Refusal, Scene, differing, taken};

#[derive(Default)]
pub(super) struct Products {
    present: HashMap<Uuid, Product>,
    new: Vec<Change<Product>>,
    changed: Vec<Change<Product>>,
}

impl Kind for Products {
    type Record = ProductRecord;
    const SUBJECT: SubjectType = SubjectType::Product;

    fn pick(record: &Record) -> Option<&ProductRecord> {
        if let Record::Product(product) = record { Some(product) } else { None }
    }

    async fn read(_: &Tx, _: &View<'_>, _: &[&ProductRecord]) -> Result<Self> {
        Ok(Self::default())
    }

    fn alike(&self, view: &View<'_>, record: &ProductRecord) -> Vec<Uuid> {
        let coded = record.code.as_deref().map(|code| view.coded(PRODUCTS, &fold(code))).unwrap_or_default();
        if coded.is_empty() { view.named(PRODUCTS, &fold(&record.name)) } else { coded }
    }

    async fn load(&mut self, tx: &Tx, ids: &[Uuid]) -> Result<()> {
        let ids: Vec<ProductId> = ids.iter().map(|id| ProductId::from_uuid(*id)).collect();
        let products = tx.read().products_by_ids(&ids).await?;
        self.present = products.into_iter().map(|product| (product.id.uuid(), product)).collect();
        Ok(())
    }

    fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        record: &ProductRecord,
        present: Option<Uuid>,
    ) -> Result<Decision, Refusal> {
        let other = |ids: Vec<Uuid>| ids.into_iter().any(|id| Some(id) != present);
        if other(scene.view.named(PRODUCTS, &fold(&record.name))) {
            return Err(taken("name", &record.name, "product"));
        }
        if let Some(code) = &record.code
            && other(scene.view.coded(PRODUCTS, &fold(code)))
        {
            return Err(taken("code", code, "product"));
        }
        let Some(id) = present else {
            let input = NewProduct {
                code: record.code.clone(),
                name: record.name.clone(),
                series: record.series.clone(),
                list_price: record.list_price,
            };
            let change = Product::create(&input, scene.tx.new_id(), scene.now())?;
            let id = change.state().id.uuid();
            scene.view.fresh.put_product(change.state());
            self.new.push(change);
            return Ok(Decision::Created(id));
        };
        let product = self.present.get(&id).ok_or(Error::NotFound)?;
        let update = ProductUpdate {
            code: differing(&record.code, &product.code),
            name: Some(record.name.clone()).filter(|name| *name != product.name),
            series: differing(&record.series, &product.series),
            list_price: differing(&record.list_price, &product.list_price),
            status: None,
        };
        let ProductUpdate { code, name, series, list_price, .. } = &update;
        if name.is_none() && *code == Patch::Keep && *series == Patch::Keep && *list_price == Patch::Keep {
            return Ok(Decision::Unchanged(id));
        }
        let change = product.update(&update, scene.now())?;
        scene.view.fresh.put_product(change.state());
        self.changed.push(change);
        Ok(Decision::Updated(id, None))
    }

    async fn save(self, tx: &mut Tx) -> Result<()> {
        tx.save_new(self.new).await?;
        for change in self.changed {
            tx.save(change).await?;
        }
        Ok(())
    }
}
