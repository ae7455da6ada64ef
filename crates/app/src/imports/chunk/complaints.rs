//! Rows that are complaints, with what had become of them where they come from. They are entered once; what is still
//! open goes on here. A day in a file means the first moment of that day in the organisation's time zone.

use std::collections::HashMap;

use evenhand_domain::calendars::{WorkCalendar, WorkHours};
use evenhand_domain::change::{Change, SubjectType};
use evenhand_domain::complaints::{
    Assessment, Case, Complaint, ImportedComplaint, NewComplaint, Remedy, Service, SlaPolicy, choose,
};
use evenhand_domain::customers::Customer;
use evenhand_domain::error::Result;
use evenhand_domain::id::{CustomerId, EntityId, ProductId, UserId};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use evenhand_persistence::Tx;
use uuid::Uuid;

use super::super::known::{PRODUCTS, View};
use super::super::mapping::{ComplaintRecord, Record};
use super::customers::NamedCustomers;
use super::{Decision, Kind, Refusal, Scene};

pub(super) struct Complaints {
    named: NamedCustomers,
    /// The customers of the database that the rows name.
    customers: HashMap<CustomerId, Customer>,
    /// Complaints of the database by folded number.
    numbers: HashMap<String, Uuid>,
    policies: Vec<SlaPolicy>,
    calendars: Vec<WorkCalendar>,
    standard: WorkHours,
    new: Vec<Change<Complaint>>,
}

/// Whom and what a row names.
struct Parties {
    owner: UserId,
    customer: CustomerId,
    product: Option<ProductId>,
}

impl Kind for Complaints {
    type Record = ComplaintRecord;
    const SUBJECT: SubjectType = SubjectType::Complaint;

    fn pick(record: &Record) -> Option<&ComplaintRecord> {
        if let Record::Complaint(complaint) = record { Some(complaint) } else { None }
    }

    async fn read(tx: &Tx, _: &View<'_>, records: &[&ComplaintRecord]) -> Result<Self> {
        let named = NamedCustomers::read(tx, records.iter().map(|record| record.customer.as_str())).await?;
        let ids: Vec<CustomerId> = named.ids().into_iter().collect();
        let customers = tx.read().customers_by_ids(&ids).await?;
        let keys: Vec<String> = records.iter().map(|record| fold(&record.number)).collect();
        let numbers = tx.read().find_complaints_by_number_keys(&keys).await?;
        let policies = tx.read().active_sla_policies().await?;
        let calendars: Vec<_> = policies.iter().filter_map(|policy| policy.calendar_id).collect();
        Ok(Self {
            named,
            customers: customers.into_iter().map(|customer| (customer.id, customer)).collect(),
            numbers: numbers.into_iter().map(|(id, key)| (key, id.uuid())).collect(),
            calendars: tx.read().work_calendars_or_default(&calendars).await?,
            policies,
            standard: WorkHours::standard(tx.grant().zone()),
            new: Vec::new(),
        })
    }

    fn alike(&self, view: &View<'_>, record: &ComplaintRecord) -> Vec<Uuid> {
        let number = fold(&record.number);
        view.new_complaint(&number).or_else(|| self.numbers.get(&number).copied()).into_iter().collect()
    }

    async fn load(&mut self, _: &Tx, _: &[Uuid]) -> Result<()> {
        Ok(())
    }

    fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        record: &ComplaintRecord,
        present: Option<Uuid>,
    ) -> Result<Decision, Refusal> {
        if let Some(id) = present {
            return Ok(Decision::Skipped(id, "a complaint goes on here once it is imported"));
        }
        if !self.alike(&scene.view, record).is_empty() {
            return Err(super::taken("number", &record.number, "complaint"));
        }
        let parties = self.parties(scene, record)?;
        let input = self.imported(scene, record, &parties);
        let services = [self.service(&input, false), self.service(&input, true)];
        let change = Complaint::import(&input, scene.tx.new_id(), services, scene.now())?;
        let id = change.state().id.uuid();
        scene.view.fresh.complaints.insert(fold(&record.number), id);
        self.new.push(change);
        Ok(Decision::Created(id))
    }

    async fn save(self, tx: &mut Tx) -> Result<()> {
        tx.save_new(self.new).await
    }
}

impl Complaints {
    /// All that is unknown is told at once.
    fn parties(&self, scene: &Scene<'_>, record: &ComplaintRecord) -> Result<Parties, Refusal> {
        let view = &scene.view;
        let owner = view.user(&record.owner);
        let customer = self.named.refer(view, &record.customer);
        let product = record.product.as_deref().map(|name| view.refer("product", PRODUCTS, name)).transpose();
        match (owner, customer, product) {
            (Ok(owner), Ok(customer), Ok(product)) => {
                Complaint::check_owner(owner)?;
                Ok(Parties { owner: owner.id, customer, product: product.map(ProductId::from_uuid) })
            }
            (owner, customer, product) => Err(Refusal::Row(
                [owner.err(), customer.err(), product.err()].into_iter().flatten().collect(),
            )),
        }
    }

    fn imported(&self, scene: &Scene<'_>, record: &ComplaintRecord, parties: &Parties) -> ImportedComplaint {
        let day = |day| Timestamp::start_of(day, scene.zone);
        // Who looked after the customer of an old complaint then is not known.
        let customer = self.customers.get(&parties.customer).filter(|_| record.state.is_open());
        let assessment = |severity| Assessment {
            severity,
            impact: record.impact.unwrap_or(severity),
            urgency: record.urgency.unwrap_or(severity),
            is_safety_risk: record.safety_risk,
        };
        ImportedComplaint {
            record: NewComplaint {
                number: record.number.clone(),
                customer_id: parties.customer,
                contact_id: None,
                reporter: None,
                subject: record.subject.clone(),
                description: record.description.clone(),
                channel: record.channel,
                remedy: Some(record.remedy.clone().map_or(Remedy::NoneNamed, Remedy::Sought)),
                product_id: parties.product,
                owner_id: parties.owner,
                account_manager_id: customer.and_then(|customer| customer.owner_id),
                confidentiality: record.confidentiality,
                is_safety_risk: record.safety_risk,
                attachments: Vec::new(),
                occurred_at: record.occurred_on.map(day),
            },
            recorded_at: day(record.recorded_on),
            state: record.state,
            acknowledged_at: record.acknowledged_on.map(day),
            assessment: record.severity.map(assessment),
            response: record.response.clone(),
            responded_at: record.responded_on.map(day),
            was_timely: record.timely,
            was_disputed: record.disputed,
            was_accepted: record.accepted,
            ended_at: record.ended_on.map(day),
            root_cause: record.root_cause.clone(),
            recourse: record.recourse.clone(),
            out_of_scope_reason: record.out_of_scope_reason.clone(),
        }
    }

    /// What its clocks are computed by, before it was assessed and after it.
    fn service(&self, input: &ImportedComplaint, assessed: bool) -> Service<'_> {
        let NewComplaint { customer_id, product_id, channel, .. } = input.record;
        let assessment = input.assessment.filter(|_| assessed);
        let case = Case {
            severity: assessment.map(|assessment| assessment.severity),
            product_id,
            customer_grade: self.customers.get(&customer_id).and_then(|customer| customer.grade),
            channel,
        };
        Service::of(choose(&self.policies, &case), &self.calendars, &self.standard)
    }
}
