//! Rows that are activities. They are logged once and never changed.

use std::collections::HashMap;

use chrono::{NaiveTime, TimeZone};
use evenhand_domain::activities::{Activity, NewActivity};
use evenhand_domain::change::{Change, SubjectType};
use evenhand_domain::error::Result;
use evenhand_domain::id::{DealId, EntityId};
use evenhand_domain::text::fold;
use evenhand_domain::time::Timestamp;
use evenhand_persistence::Tx;
use uuid::Uuid;

use super::super::known::View;
use super::super::mapping::{ActivityRecord, Record, RowProblem};
use super::customers::NamedCustomers;
use super::deals::find_deals;
use super::{Decision, Kind, Refusal, Scene};

#[derive(Default)]
pub(super) struct Activities {
    customers: NamedCustomers,
    deals: HashMap<String, Uuid>,
    new: Vec<Change<Activity>>,
}

impl Kind for Activities {
    type Record = ActivityRecord;
    const SUBJECT: SubjectType = SubjectType::Activity;

    fn pick(record: &Record) -> Option<&ActivityRecord> {
        if let Record::Activity(activity) = record { Some(activity) } else { None }
    }

    async fn read(tx: &Tx, _: &View<'_>, records: &[&ActivityRecord]) -> Result<Self> {
        let customers = records.iter().filter_map(|record| record.customer.as_deref());
        let customers = NamedCustomers::read(tx, customers).await?;
        let deals = find_deals(tx, records.iter().filter_map(|record| record.deal.as_deref())).await?;
        Ok(Self { customers, deals, new: Vec::new() })
    }

    fn alike(&self, _: &View<'_>, _: &ActivityRecord) -> Vec<Uuid> {
        // Two calls on one day can be two calls.
        Vec::new()
    }

    async fn load(&mut self, _: &Tx, _: &[Uuid]) -> Result<()> {
        Ok(())
    }

    fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        record: &ActivityRecord,
        present: Option<Uuid>,
    ) -> Result<Decision, Refusal> {
        if let Some(id) = present {
            return Ok(Decision::Skipped(id, "an activity is not changed once it is logged"));
        }
        let view = &scene.view;
        let user_id = view.user(&record.user)?.id;
        let customer_id =
            record.customer.as_deref().map(|name| self.customers.refer(view, name)).transpose()?;
        let deal_id = record.deal.as_deref().map(|number| self.deal(view, number)).transpose()?;
        let input = NewActivity {
            kind: record.kind,
            customer_id,
            deal_id,
            user_id,
            started_at: started_at(scene, record)?,
            seconds: record.seconds,
            connected: record.connected,
            outcome: record.outcome.clone(),
            note: record.note.clone(),
        };
        let change = Activity::log(&input, scene.tx.new_id(), None, scene.now())?;
        let id = change.state().id.uuid();
        self.new.push(change);
        Ok(Decision::Created(id))
    }

    async fn save(self, tx: &mut Tx) -> Result<()> {
        tx.save_new(self.new).await
    }
}

impl Activities {
    fn deal(&self, view: &View<'_>, number: &str) -> Result<DealId, RowProblem> {
        let key = fold(number);
        let found = view.new_deal(&key).or_else(|| self.deals.get(&key).copied());
        found.map(DealId::from_uuid).ok_or_else(|| RowProblem::unknown("deal", number, std::iter::empty()))
    }
}

/// The local time of the row; without a time of day, the first moment of the day.
fn started_at(scene: &Scene<'_>, record: &ActivityRecord) -> Result<Timestamp, RowProblem> {
    let Some(time) = record.started_at.filter(|time| *time != NaiveTime::MIN) else {
        return Ok(Timestamp::start_of(record.started_on, scene.zone));
    };
    let local = record.started_on.and_time(time);
    // An hour that the autumn has twice is taken the first time.
    let at = scene.zone.from_local_datetime(&local).earliest();
    at.map(|at| Timestamp::new(at.to_utc())).ok_or_else(|| {
        let reason = format!("{local} does not exist in {}: the clocks were set forward", scene.zone);
        RowProblem::new("started_at", reason)
    })
}
