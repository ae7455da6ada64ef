//! Writes the history of the demo through the door: the organisation in one transaction, then each week in one.
//!
//! Everything is recorded now; when it happened lies in the past. A command may run more than once, so what is
//! known goes in by reference, and what became of it comes out.

use std::collections::{BTreeMap, BTreeSet};

use evenhand_app::Command;
use evenhand_domain::access::Permission;
use evenhand_domain::activities::{Activity, NewActivity};
use evenhand_domain::change::{Aggregate, Change};
use evenhand_domain::customers::{Advance, Customer, NewCustomer, NewEvidence, NewStage};
use evenhand_domain::deals::{CreditLine, Credited, Deal, DealUpdate, NewCredit, NewDeal, WinDeal};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{CustomerId, ProductId, TeamId, UserId};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::products::{NewProduct, Product, ProductStatus, ProductUpdate};
use evenhand_domain::teams::Team;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::{Move, NewUser, User};
use evenhand_persistence::Tx;

use super::people::{self, GOODS};
use super::plan::{self, Person, PlannedStep, Week};
use super::story::{Credit, DealStep, DealStepKind, Evidence};

/// What was written so far, by the numbers of the plan.
#[derive(Default)]
pub(super) struct Written {
    pub(super) people: Vec<UserId>,
    pub(super) goods: Vec<ProductId>,
    pub(super) customers: Vec<WrittenCustomer>,
    pub(super) deals: Vec<WrittenDeal>,
}

/// A customer and when it reached its stage.
#[derive(Clone)]
pub(super) struct WrittenCustomer {
    customer: Customer,
    since: Timestamp,
}

/// A deal and all its credit lines.
#[derive(Clone)]
pub(super) struct WrittenDeal {
    deal: Deal,
    lines: Vec<CreditLine>,
}

impl Written {
    /// Takes in what became of a week.
    pub(super) fn merge(&mut self, week: Changed) {
        merge(&mut self.customers, week.customers);
        merge(&mut self.deals, week.deals);
    }
}

fn merge<T>(known: &mut Vec<T>, changed: BTreeMap<usize, T>) {
    for (number, item) in changed {
        match known.get_mut(number) {
            Some(old) => *old = item,
            // The numbers of what is new follow on those of what is known.
            None => known.push(item),
        }
    }
}

/// Writes teams, people and products. The administrator is there already.
pub(super) struct Found<'a> {
    pub(super) people: &'a [Person],
    pub(super) admin: UserId,
    /// Hash of the password that all people get.
    pub(super) password_hash: &'a str,
}

impl Command for Found<'_> {
    const PERMISSION: Permission = Permission::ManageUsers;
    type Output = Written;

    async fn run(&self, tx: &mut Tx) -> Result<Written> {
        let mut teams: Vec<Team> = Vec::new();
        for (name, above) in plan::team_tree() {
            let above = above.and_then(|place| teams.get(place)).map(|team| (team, 1));
            let change = Team::create(name, above, tx.new_id(), tx.now())?;
            teams.push(tx.save(change).await?);
        }
        let teams: Vec<TeamId> = teams.iter().map(|team| team.id).collect();
        let mut written = Written { goods: goods(tx).await?, ..Written::default() };
        for person in self.people {
            written.people.push(if person.name == people::ADMIN {
                self.admin
            } else {
                self.employ(tx, person, &teams).await?
            });
        }
        Ok(written)
    }
}

impl Found<'_> {
    async fn employ(&self, tx: &mut Tx, person: &Person, teams: &[TeamId]) -> Result<UserId> {
        let now = tx.now();
        let input = NewUser {
            name: person.name.to_owned(),
            email: Some(people::email(person.name)),
            role: person.role,
            hired_on: Some(person.hired_on),
        };
        let mut changes = vec![User::create(&input, tx.new_id(), now)?];
        let mut user = last(&changes)?;
        for &(team, role, from) in &person.stays {
            let team_id = *teams.get(team).ok_or_else(|| unplanned("team"))?;
            changes.push(user.move_to(&Move { id: tx.new_id(), team_id, role, from }, now)?);
            user = last(&changes)?;
        }
        changes.push(user.activate(now)?);
        tx.save_new(changes).await?;
        tx.set_password_hash(user.id, self.password_hash).await?;
        Ok(user.id)
    }
}

async fn goods(tx: &mut Tx) -> Result<Vec<ProductId>> {
    let now = tx.now();
    let mut ids = Vec::new();
    let mut changes = Vec::new();
    let euro = Currency::parse("EUR")?;
    for good in &GOODS {
        let input = NewProduct {
            code: Some(good.code.to_owned()),
            name: good.name.to_owned(),
            series: Some(good.series.to_owned()),
            list_price: Some(Money::new(good.list_price, euro)),
        };
        let change = Product::create(&input, tx.new_id(), now)?;
        let product = change.state().clone();
        ids.push(product.id);
        changes.push(change);
        if good.retired {
            let update = ProductUpdate { status: Some(ProductStatus::Retired), ..ProductUpdate::default() };
            changes.push(product.update(&update, now)?);
        }
    }
    tx.save_new(changes).await?;
    Ok(ids)
}

/// Writes what happened in a week.
pub(super) struct WriteWeek<'a> {
    pub(super) week: &'a Week,
    pub(super) written: &'a Written,
}

/// What a week made or changed, by the numbers of the plan.
#[derive(Default)]
pub(super) struct Changed {
    customers: BTreeMap<usize, WrittenCustomer>,
    deals: BTreeMap<usize, WrittenDeal>,
}

impl Command for WriteWeek<'_> {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Changed;

    async fn run(&self, tx: &mut Tx) -> Result<Changed> {
        let mut changed = Changed::default();
        let later = self.collect(tx, &mut changed).await?;
        self.trade(tx, &mut changed).await?;
        let activities = self.log(tx, &changed).await?;
        for planned in later {
            let known = match changed.customers.get(&planned.customer) {
                Some(known) => known,
                None => self.written.customers.get(planned.customer).ok_or_else(|| unplanned("customer"))?,
            };
            let advance = self.advance(tx, known, planned, &activities)?;
            let customer = tx.save_advance(advance).await?;
            changed.customers.insert(planned.customer, WrittenCustomer { customer, since: planned.step.at });
        }
        Ok(changed)
    }
}

impl WriteWeek<'_> {
    /// Writes the new customers with the steps that need no evidence; answers the steps that are left.
    async fn collect<'w>(&'w self, tx: &mut Tx, changed: &mut Changed) -> Result<Vec<&'w PlannedStep>> {
        let first = self.written.customers.len();
        let mut later = Vec::new();
        let mut early: BTreeMap<usize, Vec<&PlannedStep>> = BTreeMap::new();
        let mut waits = BTreeSet::new();
        for planned in &self.week.steps {
            let is_old = planned.customer < first;
            // A step that an activity shows waits for the activities, and so does what follows it.
            let needs_activity = matches!(planned.step.evidence, Some(Evidence::Touch(_)));
            if is_old || needs_activity || waits.contains(&planned.customer) {
                waits.insert(planned.customer);
                later.push(planned);
            } else {
                early.entry(planned.customer).or_default().push(planned);
            }
        }
        let mut advances = Vec::new();
        let mut numbers = tx.next_numbers("customer", count(self.week.leads.len())?).await?;
        for (number, lead) in (first..).zip(&self.week.leads) {
            let by = self.person(lead.person)?;
            let input = NewCustomer {
                number: format!("C-{:06}", numbers.next().ok_or_else(|| unplanned("number"))?),
                name: lead.name.clone(),
                kind: lead.kind,
                grade: lead.grade,
                sector: Some(lead.sector.to_owned()),
                source: Some(lead.source.to_owned()),
                owner_id: Some(by),
                collected_by: Some(by),
                collected_at: Some(lead.at),
            };
            let advance = Customer::create(&input, tx.new_id(), tx.new_id(), Some(by), tx.now())?;
            let mut known = WrittenCustomer { customer: advance.change.state().clone(), since: lead.at };
            advances.push(advance);
            for planned in early.get(&number).into_iter().flatten() {
                let advance = self.advance(tx, &known, planned, &[])?;
                known = WrittenCustomer { customer: advance.change.state().clone(), since: planned.step.at };
                advances.push(advance);
            }
            changed.customers.insert(number, known);
        }
        tx.save_new_customers(advances).await?;
        Ok(later)
    }

    fn advance(
        &self,
        tx: &Tx,
        known: &WrittenCustomer,
        planned: &PlannedStep,
        activities: &[Activity],
    ) -> Result<Advance> {
        let evidence = match planned.step.evidence {
            Some(Evidence::Touch(place)) => {
                Some(NewEvidence::Activity(activities.get(place).ok_or_else(|| unplanned("activity"))?))
            }
            Some(Evidence::Document(title)) => Some(NewEvidence::Document(title.to_owned())),
            None => None,
        };
        let input = NewStage {
            stage: planned.step.stage,
            occurred_at: Some(planned.step.at),
            reason: planned.step.reason.map(str::to_owned),
            evidence,
        };
        let by = self.person(planned.person)?;
        known.customer.advance(&input, known.since, tx.new_id(), Some(by), tx.now())
    }

    /// Opens, moves and closes deals, and credits those that are won.
    async fn trade(&self, tx: &mut Tx, changed: &mut Changed) -> Result<()> {
        let first = self.written.deals.len();
        let mut numbers = tx.next_numbers("deal", count(self.week.openings.len())?).await?;
        let mut new: BTreeMap<usize, Vec<Change<Deal>>> = BTreeMap::new();
        for (number, (customer, opening)) in (first..).zip(&self.week.openings) {
            let good = &GOODS[opening.good];
            let input = NewDeal {
                number: format!("D-{:06}", numbers.next().ok_or_else(|| unplanned("number"))?),
                name: Some(format!("{} × {}", opening.pieces, good.name)),
                customer_id: Some(self.customer(changed, *customer)?),
                product_id: self.written.goods.get(opening.good).copied(),
                owner_id: self.person(opening.person)?,
                stage: None,
                value: Some(opening.value),
                opened_at: Some(opening.at),
                expected_close_on: Some(opening.expected_on),
            };
            let change = Deal::create(&input, tx.new_id(), tx.now())?;
            changed.deals.insert(number, WrittenDeal { deal: change.state().clone(), lines: Vec::new() });
            new.insert(number, vec![change]);
        }
        let mut lines = Vec::new();
        let mut old = Vec::new();
        for (number, step) in &self.week.deal_steps {
            let known = match changed.deals.get(number) {
                Some(known) => known,
                None => self.written.deals.get(*number).ok_or_else(|| unplanned("deal"))?,
            };
            let credited = self.deal_step(tx, known, step)?;
            let mut all = known.lines.clone();
            all.extend(credited.lines.iter().cloned());
            let deal = credited.change.state().clone();
            changed.deals.insert(*number, WrittenDeal { deal, lines: all });
            lines.extend(credited.lines);
            match new.get_mut(number) {
                Some(changes) => changes.push(credited.change),
                None => old.push(credited.change),
            }
        }
        tx.save_new(new.into_values().flatten().collect()).await?;
        for change in old {
            tx.save(change).await?;
        }
        // A reversal names a line that must be there before it.
        let (reversals, lines): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|line| line.reverses.is_some());
        tx.add_credit_lines(&lines).await?;
        tx.add_credit_lines(&reversals).await
    }

    fn deal_step(&self, tx: &Tx, known: &WrittenDeal, step: &DealStep) -> Result<Credited> {
        let (deal, at, now) = (&known.deal, Some(step.at), tx.now());
        let uncredited = |change| Credited { change, lines: Vec::new() };
        match &step.kind {
            DealStepKind::Move(stage) => {
                let update = DealUpdate { stage: Some(*stage), ..DealUpdate::default() };
                deal.update(&update, now).map(uncredited)
            }
            DealStepKind::Win { value, credits } => {
                let credit = |credit: &Credit| {
                    let user_id = credit.person.map(|person| self.person(person)).transpose()?;
                    Ok(NewCredit { user_id, kind: credit.kind, share_bp: credit.share_bp })
                };
                let credits = credits.iter().map(credit).collect::<Result<Vec<_>>>()?;
                deal.win(&WinDeal { won_at: at, value: Some(*value), credits }, || tx.new_id(), now)
            }
            DealStepKind::Lose(reason) => deal.lose(at, Some(reason), now).map(uncredited),
            DealStepKind::Cancel(reason) => deal.cancel(at, reason, &known.lines, || tx.new_id(), now),
        }
    }

    /// Logs the contacts; answers them by their places in the week.
    async fn log(&self, tx: &mut Tx, changed: &Changed) -> Result<Vec<Activity>> {
        let mut changes = Vec::with_capacity(self.week.touches.len());
        for planned in &self.week.touches {
            let touch = &planned.touch;
            let by = self.person(planned.person)?;
            let deal = planned.deal.map(|number| {
                changed
                    .deals
                    .get(&number)
                    .or_else(|| self.written.deals.get(number))
                    .ok_or_else(|| unplanned("deal"))
            });
            let input = NewActivity {
                kind: touch.kind,
                customer_id: Some(self.customer(changed, planned.customer)?),
                deal_id: deal.transpose()?.map(|known| known.deal.id),
                user_id: by,
                started_at: touch.at,
                seconds: touch.seconds,
                connected: touch.connected,
                outcome: touch.outcome.map(str::to_owned),
                note: touch.note.map(str::to_owned),
            };
            changes.push(Activity::log(&input, tx.new_id(), Some(by), tx.now())?);
        }
        let activities = changes.iter().map(|change| change.state().clone()).collect();
        tx.save_new(changes).await?;
        Ok(activities)
    }

    fn person(&self, number: usize) -> Result<UserId> {
        self.written.people.get(number).copied().ok_or_else(|| unplanned("person"))
    }

    fn customer(&self, changed: &Changed, number: usize) -> Result<CustomerId> {
        let known = changed.customers.get(&number).or_else(|| self.written.customers.get(number));
        known.map(|known| known.customer.id).ok_or_else(|| unplanned("customer"))
    }
}

fn last<T: Aggregate>(changes: &[Change<T>]) -> Result<T> {
    changes.last().map(|change| change.state().clone()).ok_or_else(|| unplanned("change"))
}

fn count(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| unplanned("number of objects"))
}

fn unplanned(what: &str) -> Error {
    Error::Internal(format!("the plan of the demo names a {what} that it does not have"))
}
