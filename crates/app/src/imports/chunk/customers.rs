//! Rows that are customers, and the customers that other rows name.

use std::collections::{HashMap, HashSet};

use evenhand_domain::change::{Change, SubjectType};
use evenhand_domain::customers::{
    Advance, Customer, CustomerStage, CustomerUpdate, NewCustomer, NewEvidence, NewStage, Reassignment,
};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{CustomerId, EntityId};
use evenhand_domain::patch::Patch;
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use evenhand_persistence::Tx;
use uuid::Uuid;

use super::super::known::{CUSTOMERS, View, ambiguous};
use super::super::mapping::{CustomerRecord, Record, RowProblem};
use super::{Decision, Kind, Refusal, Scene, differing, taken};

/// Stands for a number that is counted once all rows of the chunk are decided.
const NO_NUMBER: &str = "(to be counted)";

/// The customers of the database that some rows name, by name or by number.
#[derive(Default)]
pub(super) struct NamedCustomers {
    names: HashMap<String, Vec<Uuid>>,
    numbers: HashMap<String, Uuid>,
}

impl NamedCustomers {
    /// Looks up `texts`, each as a name and as a number.
    pub(super) async fn read<'t>(tx: &Tx, texts: impl Iterator<Item = &'t str>) -> Result<Self> {
        let texts: Vec<&str> = texts.collect::<HashSet<_>>().into_iter().collect();
        let mut found = Self::default();
        if texts.is_empty() {
            return Ok(found);
        }
        for customer in tx.read().find_customers_by_names(&texts).await? {
            found.names.entry(fold(&customer.name)).or_default().push(customer.id.uuid());
        }
        for customer in tx.read().find_customers_by_numbers(&texts).await? {
            found.numbers.insert(fold(&customer.number), customer.id.uuid());
        }
        // The order of the database is that of chance.
        found.names.values_mut().for_each(|ids| ids.sort_unstable());
        Ok(found)
    }

    /// All of them.
    pub(super) fn ids(&self) -> HashSet<CustomerId> {
        let ids = self.names.values().flatten().chain(self.numbers.values());
        ids.copied().map(CustomerId::from_uuid).collect()
    }

    fn named(&self, view: &View<'_>, name: &str) -> Vec<Uuid> {
        let key = fold(name);
        let stored = self.names.get(&key).into_iter().flatten().copied();
        let stored = stored.filter(|id| !view.holds(CUSTOMERS, *id));
        view.named(CUSTOMERS, &key).into_iter().chain(stored).collect()
    }

    fn numbered(&self, view: &View<'_>, number: &str) -> Vec<Uuid> {
        let key = fold(number);
        let mut found = view.coded(CUSTOMERS, &key);
        found.extend(self.numbers.get(&key).filter(|id| !found.contains(id)));
        found
    }

    /// The one customer that `text` names.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub(super) fn refer(&self, view: &View<'_>, text: &str) -> Result<CustomerId, RowProblem> {
        let mut found = self.named(view, text);
        if found.is_empty() {
            found = self.numbered(view, text);
        }
        match found[..] {
            [id] => Ok(CustomerId::from_uuid(id)),
            [] => Err(view.unknown_customer(text)),
            _ => Err(ambiguous("customer", text, found.len())),
        }
    }
}

/// One thing to write for a customer that is there already.
enum Step {
    Update(Change<Customer>),
    Advance(Advance),
    Assign(Reassignment),
}

#[derive(Default)]
pub(super) struct Customers {
    named: NamedCustomers,
    present: HashMap<Uuid, Customer>,
    new: Vec<Advance>,
    /// What to make new customers without a number of, once it is known how many there are.
    unnumbered: Vec<Draft>,
    steps: Vec<Step>,
}

/// A new customer.
struct Draft {
    id: CustomerId,
    input: NewCustomer,
    stage: CustomerStage,
    source: String,
}

impl Kind for Customers {
    type Record = CustomerRecord;
    const SUBJECT: SubjectType = SubjectType::Customer;

    fn pick(record: &Record) -> Option<&CustomerRecord> {
        if let Record::Customer(customer) = record { Some(customer) } else { None }
    }

    async fn read(tx: &Tx, _: &View<'_>, records: &[&CustomerRecord]) -> Result<Self> {
        let texts = records.iter().map(|record| record.number.as_deref().unwrap_or(&record.name));
        Ok(Self { named: NamedCustomers::read(tx, texts).await?, ..Self::default() })
    }

    /// A number tells customers apart; only without one does the name have to do.
    fn alike(&self, view: &View<'_>, record: &CustomerRecord) -> Vec<Uuid> {
        match &record.number {
            Some(number) => self.named.numbered(view, number),
            None => self.named.named(view, &record.name),
        }
    }

    async fn load(&mut self, tx: &Tx, ids: &[Uuid]) -> Result<()> {
        let ids: Vec<CustomerId> = ids.iter().map(|id| CustomerId::from_uuid(*id)).collect();
        let customers = tx.read().customers_by_ids(&ids).await?;
        self.present = customers.into_iter().map(|customer| (customer.id.uuid(), customer)).collect();
        Ok(())
    }

    fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        record: &CustomerRecord,
        present: Option<Uuid>,
    ) -> Result<Decision, Refusal> {
        match present {
            Some(id) => self.change(scene, record, id),
            None => self.create(scene, record),
        }
    }

    async fn save(mut self, tx: &mut Tx) -> Result<()> {
        let count = u32::try_from(self.unnumbered.len()).unwrap_or(u32::MAX);
        let numbers = if count == 0 { Vec::new() } else { tx.free_customer_numbers(count).await? };
        for (mut draft, number) in self.unnumbered.into_iter().zip(numbers) {
            draft.input.number = number;
            self.new.extend(draft.steps(tx)?);
        }
        tx.save_new_customers(self.new).await?;
        for step in self.steps {
            match step {
                Step::Update(change) => tx.save(change).await?,
                Step::Advance(advance) => tx.save_advance(advance).await?,
                Step::Assign(reassignment) => tx.save_reassignment(reassignment).await?,
            };
        }
        Ok(())
    }
}

impl Customers {
    fn create(&mut self, scene: &mut Scene<'_>, record: &CustomerRecord) -> Result<Decision, Refusal> {
        if let Some(number) = &record.number
            && !self.alike(&scene.view, record).is_empty()
        {
            return Err(taken("number", number, "customer"));
        }
        let owner = record.owner.as_deref().map(|owner| scene.view.user(owner)).transpose()?;
        owner.map(Customer::check_owner).transpose()?;
        let draft = Draft {
            id: scene.tx.new_id(),
            input: NewCustomer {
                number: record.number.clone().unwrap_or_else(|| NO_NUMBER.to_owned()),
                name: record.name.clone(),
                kind: record.kind,
                grade: record.grade,
                sector: record.sector.clone(),
                source: record.source.clone(),
                owner_id: owner.map(|user| user.id),
                collected_by: None,
                collected_at: record.collected_on.map(|day| Timestamp::start_of(day, scene.zone)),
            },
            stage: record.stage,
            source: scene.source(),
        };
        let steps = draft.steps(scene.tx)?;
        let id = draft.id.uuid();
        scene.view.fresh.put_customer(id, &record.name, record.number.as_deref());
        match &record.number {
            Some(_) => self.new.extend(steps),
            None => self.unnumbered.push(draft),
        }
        Ok(Decision::Created(id))
    }

    fn change(
        &mut self,
        scene: &mut Scene<'_>,
        record: &CustomerRecord,
        id: Uuid,
    ) -> Result<Decision, Refusal> {
        let before = self.present.get(&id).ok_or(Error::NotFound)?;
        let mut customer = before.clone();
        let (mut steps, now) = (Vec::new(), scene.now());
        if let Some(update) = update(before, record) {
            let change = before.update(&update, now)?;
            customer = change.state().clone();
            steps.push(Step::Update(change));
        }
        for &stage in path(before.stage, record.stage) {
            let step = new_stage(stage, None, scene.source());
            // The step is dated now, and nothing that happened to the customer can be later.
            let advance = customer.advance(&step, now, scene.tx.new_id(), None, now)?;
            customer = advance.change.state().clone();
            steps.push(Step::Advance(advance));
        }
        let owner = record.owner.as_deref().map(|owner| scene.view.user(owner)).transpose()?;
        if owner.is_some() && owner.map(|user| user.id) != before.owner_id {
            let reassignment = customer.assign(owner, now)?;
            customer = reassignment.change.state().clone();
            steps.push(Step::Assign(reassignment));
        }
        let left = left_out(before, record, scene);
        Ok(match (steps.is_empty(), left) {
            (true, None) => Decision::Unchanged(id),
            (true, Some(left)) => Decision::Skipped(id, left),
            (false, left) => {
                if fold(&before.name) != fold(&customer.name) {
                    scene.view.fresh.put_customer(id, &customer.name, Some(&customer.number));
                }
                self.steps.extend(steps);
                Decision::Updated(id, left)
            }
        })
    }
}

impl Draft {
    /// The new customer, and its way to its stage: all on the day on which it was collected, since a file tells
    /// no other.
    fn steps(&self, tx: &Tx) -> Result<Vec<Advance>> {
        let first = Customer::create(&self.input, self.id, tx.new_id(), None, tx.now())?;
        let at = first.change.state().collected_at;
        let mut steps = vec![first];
        for &stage in path(CustomerStage::Lead, self.stage) {
            let step = new_stage(stage, Some(at), self.source.clone());
            let Some(last) = steps.last() else { break };
            let next = last.change.state().advance(&step, at, tx.new_id(), None, tx.now())?;
            steps.push(next);
        }
        Ok(steps)
    }
}

/// The steps from one stage to another. There are none backwards, and none out of LOST or DORMANT: a row that
/// does not know its stage is a lead, and must not revive anybody.
fn path(from: CustomerStage, to: CustomerStage) -> &'static [CustomerStage] {
    use CustomerStage::{Dormant, Lead, Lost, Prospect, Qualified, Signed};
    match (from, to) {
        (Lost | Dormant, _) => &[],
        (_, Lost) => &[Lost],
        (_, Dormant) => &[Dormant],
        (Lead, Qualified) => &[Qualified],
        (Lead, Prospect) => &[Qualified, Prospect],
        (Lead, Signed) => &[Qualified, Prospect, Signed],
        (Qualified, Prospect) => &[Prospect],
        (Qualified, Signed) => &[Prospect, Signed],
        (Prospect, Signed) => &[Signed],
        _ => &[],
    }
}

/// A step, with the row as the evidence that a prospect needs and the reason that a loss needs.
fn new_stage(stage: CustomerStage, at: Option<Timestamp>, source: String) -> NewStage<'static> {
    let evidence = (stage == CustomerStage::Prospect).then(|| NewEvidence::Document(source.clone()));
    let reason = (stage == CustomerStage::Lost).then_some(source);
    NewStage { stage, occurred_at: at, reason, evidence }
}

fn update(customer: &Customer, record: &CustomerRecord) -> Option<CustomerUpdate> {
    let update = CustomerUpdate {
        name: Some(record.name.clone()).filter(|name| *name != customer.name),
        kind: Some(record.kind).filter(|kind| *kind != customer.kind),
        grade: differing(&record.grade, &customer.grade),
        sector: differing(&record.sector, &customer.sector),
        source: differing(&record.source, &customer.source),
    };
    let CustomerUpdate { name, kind, grade, sector, source } = &update;
    let same = name.is_none()
        && kind.is_none()
        && *grade == Patch::Keep
        && *sector == Patch::Keep
        && *source == Patch::Keep;
    (!same).then_some(update)
}

/// What the row says otherwise and an import does not change.
fn left_out(customer: &Customer, record: &CustomerRecord, scene: &Scene<'_>) -> Option<&'static str> {
    if record.number.as_deref().is_some_and(|number| fold(number) != fold(&customer.number)) {
        return Some("the customer keeps its number");
    }
    let collected = Some(customer.collected_at.date_in(scene.zone));
    if record.collected_on.is_some() && record.collected_on != collected {
        return Some("the customer keeps the day on which it was collected");
    }
    let closed = matches!(customer.stage, CustomerStage::Lost | CustomerStage::Dormant);
    let wanted = !matches!(record.stage, CustomerStage::Lead | CustomerStage::Lost | CustomerStage::Dormant);
    (closed && wanted).then_some("an import does not revive a customer that is lost or dormant")
}
