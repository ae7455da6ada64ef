//! Writes the history of the demo through the door: the organisation in one transaction, then the stories of
//! some customers in each. Everything is recorded now; when it happened lies in the past.

use evenhand_app::Command;
use evenhand_domain::access::{Permission, Role};
use evenhand_domain::activities::{Activity, NewActivity};
use evenhand_domain::change::{Aggregate, Change};
use evenhand_domain::complaints::SlaPolicy;
use evenhand_domain::customers::{Advance, Customer, NewCustomer, NewEvidence, NewStage};
use evenhand_domain::deals::{CreditLine, Credited, Deal, DealUpdate, NewCredit, NewDeal, WinDeal};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{CustomerId, DealId, ProductId, TeamId, UserId};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::products::{NewProduct, Product, ProductStatus, ProductUpdate};
use evenhand_domain::teams::Team;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::{Move, NewUser, User};
use evenhand_persistence::Tx;

use super::calendar;
use super::desk::{self, Cast, Handled};
use super::people::{self, GOODS};
use super::plan::{self, Person, Plan};
use super::story::{ComplaintStory, Credit, DealStep, DealStepKind, DealStory, Evidence, Story, Touch};

/// What the history refers to.
pub(super) struct Founded {
    /// By telling and place in the plan.
    people: Vec<Vec<UserId>>,
    /// Whom complaints are escalated to.
    manager: UserId,
    admin: UserId,
    policies: Vec<SlaPolicy>,
    /// By place in the list of goods.
    goods: Vec<ProductId>,
    /// Numbers of the first customer, the first deal and the first complaint.
    first_customer: i64,
    first_deal: i64,
    first_complaint: i64,
    /// How many of them each telling has.
    customers: usize,
    deals: usize,
    complaints: usize,
}

/// Writes teams, people and products. The administrator is there already.
pub(super) struct Found<'a> {
    pub(super) plan: &'a Plan,
    /// How often the stories will be told.
    pub(super) times: usize,
    pub(super) admin: UserId,
    /// Hash of the password that all people get.
    pub(super) password_hash: &'a str,
}

impl Command for Found<'_> {
    const PERMISSION: Permission = Permission::ManageUsers;
    type Output = Founded;

    async fn run(&self, tx: &mut Tx) -> Result<Founded> {
        let mut teams: Vec<Team> = Vec::new();
        for (name, above) in plan::team_tree() {
            let above = above.and_then(|place| teams.get(place)).map(|team| (team, 1));
            let change = Team::create(name, above, tx.new_id(), tx.now())?;
            teams.push(tx.save(change).await?);
        }
        let teams: Vec<TeamId> = teams.iter().map(|team| team.id).collect();
        let customers = self.plan.stories.len();
        let deals = self.plan.stories.iter().map(|story| story.deals.len()).sum();
        let complaints = self.plan.stories.iter().flat_map(|story| &story.complaints);
        let complaints = complaints.map(ComplaintStory::numbers).sum();
        let mut founded = Founded {
            people: Vec::new(),
            manager: self.admin,
            admin: self.admin,
            policies: desk::policies(tx).await?,
            goods: goods(tx).await?,
            first_customer: tx.next_numbers("customer", count(self.times * customers)?).await?.start,
            first_deal: tx.next_numbers("deal", count(self.times * deals)?).await?.start,
            first_complaint: tx.next_numbers("complaint", count(self.times * complaints)?).await?.start,
            customers,
            deals,
            complaints,
        };
        for time in 0..self.times {
            let mut staff: Vec<UserId> = Vec::new();
            for person in &self.plan.people {
                // Who sells does so once; all others are there for every telling.
                let known = founded.people.first().and_then(|first| first.get(staff.len()).copied());
                staff.push(match known.filter(|_| person.role != Role::Rep) {
                    Some(known) => known,
                    None if person.name == people::ADMIN => self.admin,
                    None => self.employ(tx, person, time, &teams).await?,
                });
            }
            founded.people.push(staff);
        }
        let manager = self.plan.people.iter().position(|person| person.role == Role::Manager);
        let known = founded.people.first().zip(manager).and_then(|(people, place)| people.get(place));
        founded.manager = known.copied().unwrap_or(self.admin);
        Ok(founded)
    }
}

impl Found<'_> {
    async fn employ(&self, tx: &mut Tx, person: &Person, time: usize, teams: &[TeamId]) -> Result<UserId> {
        let now = tx.now();
        let name = if time == 0 { person.name.to_owned() } else { format!("{} {}", person.name, time + 1) };
        let input = NewUser {
            email: Some(people::email(&name)),
            name,
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

/// Writes some of the stories, which are all about different customers.
pub(super) struct Tell<'a> {
    pub(super) stories: &'a [Story],
    /// How often they were told before.
    pub(super) time: usize,
    /// Place of the first of them in the plan.
    pub(super) first: usize,
    pub(super) founded: &'a Founded,
}

/// What is to be saved for some stories.
#[derive(Default)]
struct Told {
    customers: Vec<Advance>,
    activities: Vec<Change<Activity>>,
    /// Steps that follow on activities, which must be there before.
    later: Vec<Advance>,
    deals: Vec<Change<Deal>>,
    lines: Vec<CreditLine>,
    /// Who complained.
    plaintiffs: Vec<Customer>,
}

impl Command for Tell<'_> {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let mut told = Told::default();
        for (place, story) in (self.first..).zip(self.stories) {
            self.tell(tx, place, story, &mut told)?;
        }
        tx.save_new_customers(told.customers).await?;
        tx.save_new(told.activities).await?;
        for advance in told.later {
            tx.save_advance(advance).await?;
        }
        tx.save_new(told.deals).await?;
        tx.add_credit_lines(&told.lines).await?;
        let mut handled = Handled::default();
        let complaints = self.stories.iter().flat_map(|story| &story.complaints);
        for (complaint, customer) in complaints.zip(&told.plaintiffs) {
            self.complain(tx, complaint, customer, &mut handled).await?;
        }
        tx.save_new(handled.complaints).await?;
        tx.save_new(handled.duplicates).await?;
        tx.save_new(handled.surveys).await
    }
}

impl Tell<'_> {
    fn tell(&self, tx: &Tx, place: usize, story: &Story, told: &mut Told) -> Result<()> {
        let Story { lead, touches, steps, deals, complaints } = story;
        let by = self.person(lead.person)?;
        let input = NewCustomer {
            number: format!(
                "C-{:06}",
                numbered(self.founded.first_customer, self.time * self.founded.customers + place)?
            ),
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
        let mut customer = advance.change.state().clone();
        told.customers.push(advance);

        let mut deal_ids = Vec::with_capacity(deals.len());
        for deal in deals {
            deal_ids.push(self.deal(tx, customer.id, deal, told)?);
        }
        let first_touch = told.activities.len();
        for touch in touches {
            let deal = touch.deal.map(|deal| deal_ids.get(deal).copied().ok_or_else(|| unplanned("deal")));
            told.activities.push(log(tx, customer.id, deal.transpose()?, by, touch)?);
        }
        let mut since = lead.at;
        let mut waits = false;
        for step in steps {
            let evidence = match step.evidence {
                Some(Evidence::Touch(touch)) => {
                    waits = true;
                    let call = told.activities.get(first_touch + touch);
                    Some(NewEvidence::Activity(call.ok_or_else(|| unplanned("activity"))?.state()))
                }
                Some(Evidence::Document(title)) => Some(NewEvidence::Document(title.to_owned())),
                None => None,
            };
            let reason = step.reason.map(str::to_owned);
            let stage = NewStage { stage: step.stage, occurred_at: Some(step.at), reason, evidence };
            let advance = customer.advance(&stage, since, tx.new_id(), Some(by), tx.now())?;
            customer = advance.change.state().clone();
            since = step.at;
            if waits { told.later.push(advance) } else { told.customers.push(advance) }
        }
        told.plaintiffs.extend(complaints.iter().map(|_| customer.clone()));
        Ok(())
    }

    async fn complain(
        &self,
        tx: &Tx,
        story: &ComplaintStory,
        customer: &Customer,
        handled: &mut Handled,
    ) -> Result<()> {
        let Founded { policies, manager, admin, .. } = self.founded;
        let agent = tx.read().user(self.person(story.agent)?).await?;
        let end = Timestamp::start_of(tx.now().date_in(calendar::ZONE), calendar::ZONE);
        let cast = Cast { policies, agent: &agent, manager: *manager, admin: *admin, end };
        let first = self.time * self.founded.complaints + story.number;
        let numbers = (first..first + story.numbers())
            .map(|place| Ok(format!("R-{:06}", numbered(self.founded.first_complaint, place)?)));
        let numbers = numbers.collect::<Result<Vec<_>>>()?;
        let product = self.founded.goods.get(story.good).copied();
        handled.add(desk::handle(tx, &cast, story, customer, product, &numbers)?);
        Ok(())
    }

    fn deal(&self, tx: &Tx, customer: CustomerId, story: &DealStory, told: &mut Told) -> Result<DealId> {
        let opening = &story.opening;
        let input = NewDeal {
            number: format!(
                "D-{:06}",
                numbered(self.founded.first_deal, self.time * self.founded.deals + story.number)?
            ),
            name: Some(format!("{} × {}", opening.pieces, GOODS[opening.good].name)),
            customer_id: Some(customer),
            product_id: self.founded.goods.get(opening.good).copied(),
            owner_id: self.person(opening.person)?,
            stage: None,
            value: Some(opening.value),
            opened_at: Some(opening.at),
            expected_close_on: Some(opening.expected_on),
        };
        let change = Deal::create(&input, tx.new_id(), tx.now())?;
        let mut deal = change.state().clone();
        told.deals.push(change);
        let mut lines: Vec<CreditLine> = Vec::new();
        for step in &story.steps {
            let credited = self.deal_step(tx, &deal, &lines, step)?;
            deal = credited.change.state().clone();
            told.deals.push(credited.change);
            lines.extend(credited.lines);
        }
        told.lines.extend(lines);
        Ok(deal.id)
    }

    fn deal_step(&self, tx: &Tx, deal: &Deal, lines: &[CreditLine], step: &DealStep) -> Result<Credited> {
        let (at, now) = (Some(step.at), tx.now());
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
            DealStepKind::Cancel(reason) => deal.cancel(at, reason, lines, || tx.new_id(), now),
        }
    }

    fn person(&self, place: usize) -> Result<UserId> {
        self.founded
            .people
            .get(self.time)
            .and_then(|people| people.get(place))
            .copied()
            .ok_or_else(|| unplanned("person"))
    }
}

fn log(
    tx: &Tx,
    customer: CustomerId,
    deal_id: Option<DealId>,
    by: UserId,
    touch: &Touch,
) -> Result<Change<Activity>> {
    let input = NewActivity {
        kind: touch.kind,
        customer_id: Some(customer),
        deal_id,
        user_id: by,
        started_at: touch.at,
        seconds: touch.seconds,
        connected: touch.connected,
        outcome: touch.outcome.map(str::to_owned),
        note: touch.note.map(str::to_owned),
    };
    Activity::log(&input, tx.new_id(), Some(by), tx.now())
}

fn numbered(first: i64, place: usize) -> Result<i64> {
    i64::try_from(place).map(|place| first + place).map_err(|_| unplanned("number"))
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
