//! Rows that are deals. A day in a file means the first moment of that day in the organisation's time zone.

use std::collections::HashMap;

use evenhand_domain::change::{Change, SubjectType};
use evenhand_domain::deals::{CreditLine, Deal, DealStage, DealUpdate, NewDeal, WinDeal};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{CustomerId, DealId, EntityId, ProductId, UserId};
use evenhand_domain::patch::Patch;
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use evenhand_persistence::Tx;
use uuid::Uuid;

use super::super::known::{PRODUCTS, View};
use super::super::mapping::{DealRecord, Record, RowProblem};
use super::customers::NamedCustomers;
use super::{Decision, Kind, Refusal, Scene, differing, taken};

#[derive(Default)]
pub(super) struct Deals {
    customers: NamedCustomers,
    /// Deals of the database by folded number.
    numbers: HashMap<String, Uuid>,
    present: HashMap<Uuid, Deal>,
    /// Credit of the deals that are won.
    credit: HashMap<DealId, Vec<CreditLine>>,
    new: Vec<Change<Deal>>,
    changed: Vec<Change<Deal>>,
    lines: Vec<CreditLine>,
}

/// Whom and what a row names.
struct Parties {
    owner: UserId,
    customer: Option<CustomerId>,
    product: Option<ProductId>,
}

impl Kind for Deals {
    type Record = DealRecord;
    const SUBJECT: SubjectType = SubjectType::Deal;

    fn pick(record: &Record) -> Option<&DealRecord> {
        if let Record::Deal(deal) = record { Some(deal) } else { None }
    }

    async fn read(tx: &Tx, _: &View<'_>, records: &[&DealRecord]) -> Result<Self> {
        let customers = records.iter().filter_map(|record| record.customer.as_deref());
        let customers = NamedCustomers::read(tx, customers).await?;
        let numbers = find_deals(tx, records.iter().map(|record| record.number.as_str())).await?;
        Ok(Self { customers, numbers, ..Self::default() })
    }

    fn alike(&self, view: &View<'_>, record: &DealRecord) -> Vec<Uuid> {
        let number = fold(&record.number);
        view.new_deal(&number).or_else(|| self.numbers.get(&number).copied()).into_iter().collect()
    }

    async fn load(&mut self, tx: &Tx, ids: &[Uuid]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<DealId> = ids.iter().map(|id| DealId::from_uuid(*id)).collect();
        let deals = tx.read().deals_by_ids(&ids).await?;
        let won: Vec<DealId> =
            deals.iter().filter(|deal| deal.stage == DealStage::Won).map(|deal| deal.id).collect();
        self.credit = tx.read().credit_lines_by_deals(&won).await?;
        self.present = deals.into_iter().map(|deal| (deal.id.uuid(), deal)).collect();
        Ok(())
    }

    fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        record: &DealRecord,
        present: Option<Uuid>,
    ) -> Result<Decision, Refusal> {
        let parties = self.parties(scene, record)?;
        let Some(id) = present else { return self.create(scene, record, &parties) };
        let deal = self.present.get(&id).ok_or(Error::NotFound)?.clone();
        if deal.stage.is_open() {
            self.change(scene, record, &parties, &deal)
        } else {
            self.compare(scene, record, &parties, &deal)
        }
    }

    async fn save(self, tx: &mut Tx) -> Result<()> {
        tx.save_new(self.new).await?;
        for change in self.changed {
            tx.save(change).await?;
        }
        tx.add_credit_lines(&self.lines).await
    }
}

/// The deals with these numbers, by folded number.
pub(super) async fn find_deals<'t>(
    tx: &Tx,
    numbers: impl Iterator<Item = &'t str>,
) -> Result<HashMap<String, Uuid>> {
    let keys: Vec<String> = numbers.map(fold).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let deals = tx.read().find_deals_by_number_keys(&keys).await?;
    Ok(deals.into_iter().map(|deal| (fold(&deal.number), deal.id.uuid())).collect())
}

impl Deals {
    /// All that is unknown is told at once.
    fn parties(&self, scene: &Scene<'_>, record: &DealRecord) -> Result<Parties, Refusal> {
        let view = &scene.view;
        let owner = view.user(&record.owner).map(|user| user.id);
        let customer = record.customer.as_deref().map(|name| self.customers.refer(view, name)).transpose();
        let product = record.product.as_deref().map(|name| view.refer("product", PRODUCTS, name)).transpose();
        match (owner, customer, product) {
            (Ok(owner), Ok(customer), Ok(product)) => {
                Ok(Parties { owner, customer, product: product.map(ProductId::from_uuid) })
            }
            (owner, customer, product) => Err(Refusal::Row(
                [owner.err(), customer.err(), product.err()].into_iter().flatten().collect(),
            )),
        }
    }

    fn create(
        &mut self,
        scene: &mut Scene<'_>,
        record: &DealRecord,
        parties: &Parties,
    ) -> Result<Decision, Refusal> {
        if !self.alike(&scene.view, record).is_empty() {
            return Err(taken("number", &record.number, "deal"));
        }
        // A deal that has ended began at the latest on the day of its end.
        let opened_on = record.opened_on.or(record.closed_on);
        let input = NewDeal {
            number: record.number.clone(),
            name: record.name.clone(),
            customer_id: parties.customer,
            product_id: parties.product,
            owner_id: parties.owner,
            stage: Some(record.stage).filter(|stage| stage.is_open()),
            value: record.value,
            opened_at: opened_on.map(|day| Timestamp::start_of(day, scene.zone)),
            expected_close_on: record.expected_close_on,
        };
        let created = Deal::create(&input, scene.tx.new_id(), scene.now())?;
        let id = created.state().id.uuid();
        let mut changes = vec![created];
        let lines = close(scene, record, &mut changes, None)?;
        self.new.extend(changes);
        self.lines.extend(lines);
        scene.view.fresh.deals.insert(fold(&record.number), id);
        Ok(Decision::Created(id))
    }

    /// Brings an open deal to what the row says.
    fn change(
        &mut self,
        scene: &mut Scene<'_>,
        record: &DealRecord,
        parties: &Parties,
        deal: &Deal,
    ) -> Result<Decision, Refusal> {
        let update = DealUpdate {
            name: differing(&record.name, &deal.name),
            customer_id: differing(&parties.customer, &deal.customer_id),
            product_id: differing(&parties.product, &deal.product_id),
            owner_id: Some(parties.owner).filter(|owner| *owner != deal.owner_id),
            stage: Some(record.stage).filter(|stage| stage.is_open() && *stage != deal.stage),
            value: differing(&record.value, &deal.value),
            expected_close_on: differing(&record.expected_close_on, &deal.expected_close_on),
        };
        let mut changes = Vec::new();
        if says_something(&update) {
            changes.push(deal.update(&update, scene.now())?);
        }
        let lines = close(scene, record, &mut changes, Some(deal))?;
        let id = deal.id.uuid();
        let left = keeps_start(scene, record, deal);
        Ok(match (changes.is_empty(), left) {
            (true, None) => Decision::Unchanged(id),
            (true, Some(left)) => Decision::Skipped(id, left),
            (false, left) => {
                self.changed.extend(changes);
                self.lines.extend(lines);
                Decision::Updated(id, left)
            }
        })
    }

    /// A deal that has ended is not changed by an import; only a won one can still be cancelled.
    fn compare(
        &mut self,
        scene: &mut Scene<'_>,
        record: &DealRecord,
        parties: &Parties,
        deal: &Deal,
    ) -> Result<Decision, Refusal> {
        let id = deal.id.uuid();
        let mut differing = differences(scene, record, parties, deal);
        if deal.stage == DealStage::Won && record.stage == DealStage::Cancelled {
            // The stage and the day of its end are what the cancellation changes.
            differing.retain(|field| !matches!(*field, "stage" | "closed_on"));
            if differing.is_empty() {
                let lines = self.credit.get(&deal.id).map(Vec::as_slice).unwrap_or_default();
                let (change, reversals) = cancel(scene, record, deal, lines)?;
                self.changed.push(change);
                self.lines.extend(reversals);
                return Ok(Decision::Updated(id, None));
            }
        }
        if differing.is_empty() {
            return Ok(match keeps_start(scene, record, deal) {
                Some(left) => Decision::Skipped(id, left),
                None => Decision::Unchanged(id),
            });
        }
        let reason = format!(
            "the deal is {} already, and an import does not change a deal that has ended; the row differs in {}",
            deal.stage.as_str(),
            differing.join(", ")
        );
        Err(RowProblem::new("stage", reason).into())
    }
}

/// Wins, loses or cancels the deal of the last change, or `present`, as the row says. A deal that was cancelled
/// was won before, on the same day, since a row tells only one.
fn close(
    scene: &Scene<'_>,
    record: &DealRecord,
    changes: &mut Vec<Change<Deal>>,
    present: Option<&Deal>,
) -> Result<Vec<CreditLine>, Refusal> {
    let deal = changes.last().map(Change::state).or(present).ok_or(Error::NotFound)?;
    let (tx, now) = (scene.tx, scene.now());
    let at = record.closed_on.map(|day| Timestamp::start_of(day, scene.zone));
    match record.stage {
        DealStage::Prospecting | DealStage::Engaging | DealStage::Negotiating => Ok(Vec::new()),
        DealStage::Lost => {
            let lost = deal.lose(at, record.close_reason.as_deref(), now)?;
            changes.push(lost);
            Ok(Vec::new())
        }
        DealStage::Won | DealStage::Cancelled => {
            let input = WinDeal { won_at: at, ..WinDeal::default() };
            let won = deal.win(&input, || tx.new_id(), now)?;
            let mut lines = won.lines;
            if record.stage == DealStage::Cancelled {
                let (cancelled, reversals) = cancel(scene, record, won.change.state(), &lines)?;
                changes.extend([won.change, cancelled]);
                lines.extend(reversals);
            } else {
                changes.push(won.change);
            }
            Ok(lines)
        }
    }
}

fn cancel(
    scene: &Scene<'_>,
    record: &DealRecord,
    deal: &Deal,
    lines: &[CreditLine],
) -> Result<(Change<Deal>, Vec<CreditLine>), Refusal> {
    let at = record.closed_on.map(|day| Timestamp::start_of(day, scene.zone));
    let reason = record.close_reason.clone().unwrap_or_else(|| scene.source());
    let cancelled = deal.cancel(at, &reason, lines, || scene.tx.new_id(), scene.now())?;
    Ok((cancelled.change, cancelled.lines))
}

fn says_something(update: &DealUpdate) -> bool {
    let DealUpdate { name, customer_id, product_id, owner_id, stage, value, expected_close_on } = update;
    *name != Patch::Keep
        || *customer_id != Patch::Keep
        || *product_id != Patch::Keep
        || owner_id.is_some()
        || stage.is_some()
        || *value != Patch::Keep
        || *expected_close_on != Patch::Keep
}

/// The fields in which a deal that has ended is not what the row says.
fn differences(scene: &Scene<'_>, record: &DealRecord, parties: &Parties, deal: &Deal) -> Vec<&'static str> {
    let other = |given: bool, same: bool| given && !same;
    let ended = deal.cancelled_at.or(deal.won_at).or(deal.lost_at).map(|at| at.date_in(scene.zone));
    let fields = [
        ("stage", record.stage != deal.stage),
        ("owner", parties.owner != deal.owner_id),
        ("customer", other(parties.customer.is_some(), parties.customer == deal.customer_id)),
        ("product", other(parties.product.is_some(), parties.product == deal.product_id)),
        ("name", other(record.name.is_some(), record.name == deal.name)),
        ("value", other(record.value.is_some(), record.value == deal.value)),
        ("closed_on", other(record.closed_on.is_some(), record.closed_on == ended)),
        ("close_reason", other(record.close_reason.is_some(), record.close_reason == deal.close_reason)),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}

fn keeps_start(scene: &Scene<'_>, record: &DealRecord, deal: &Deal) -> Option<&'static str> {
    let opened_on = Some(deal.opened_at.date_in(scene.zone));
    (record.opened_on.is_some() && record.opened_on != opened_on)
        .then_some("the deal keeps the day on which it began")
}
