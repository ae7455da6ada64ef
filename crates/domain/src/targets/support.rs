//! The support that a target needs: what is to be done, and what departments owe to its owner.
//!
//! A resource is promised by the signature of its department, delivered on a day, late or never; that is shown
//! beside the result.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lines::{Quantity, check_due};
use crate::error::{Code, Problem, Problems};
use crate::id::{SupportResourceId, UserId};
use crate::text;
use crate::time::{Period, Timestamp};
use crate::wire::wire_enum;

/// Most actions in the plan of one target.
pub const ACTIONS_MAX: usize = 50;
/// Most resources in the plan of one target.
pub const RESOURCES_MAX: usize = 50;

wire_enum! {
    /// What kind of resource a department owes.
    ResourceKind {
        /// Products to sell or to show.
        Product = "PRODUCT",
        /// Publicity.
        Publicity = "PUBLICITY",
        /// Advertising money.
        Advertising = "ADVERTISING",
        /// People who help.
        People = "PEOPLE",
        /// Training.
        Training = "TRAINING",
    }
}

wire_enum! {
    /// Whether a target can do without a resource.
    ResourceNeed {
        /// The target does not count before the department has signed.
        Required = "REQUIRED",
        /// Helps, but nothing waits for it.
        Optional = "OPTIONAL",
    }
}

wire_enum! {
    /// How far a resource is.
    ResourceStatus {
        /// The department has not signed.
        Open = "OPEN",
        /// The department has signed and the day has not passed.
        Committed = "COMMITTED",
        /// Delivered in time.
        Delivered = "DELIVERED",
        /// Delivered after the day on which it was due.
        DeliveredLate = "DELIVERED_LATE",
        /// The day has passed and nothing was delivered.
        Missed = "MISSED",
    }
}

/// Something to be done for the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportAction {
    /// What.
    pub text: String,
    /// Until when.
    pub due_by: NaiveDate,
}

/// Something that a department owes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportResource {
    /// Its id.
    pub id: SupportResourceId,
    /// What kind.
    pub kind: ResourceKind,
    /// How many pieces or how much money; never a share.
    pub quantity: Quantity,
    /// Until when.
    pub due_by: NaiveDate,
    /// Which department owes it.
    pub department: String,
    /// Whether the target can do without.
    pub need: ResourceNeed,
    /// The department's signature.
    pub commitment: Option<Commitment>,
    /// What came.
    pub delivery: Option<Delivery>,
}

/// The signature of a department under one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commitment {
    /// Who signed for the department.
    pub user_id: UserId,
    /// When.
    pub signed_at: Timestamp,
}

/// The delivery of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Local day on which it came.
    pub delivered_on: NaiveDate,
    /// Who says so.
    pub recorded_by: UserId,
    /// When they said so.
    pub recorded_at: Timestamp,
}

impl SupportResource {
    /// How far it is on local day `today`.
    pub fn status(&self, today: NaiveDate) -> ResourceStatus {
        match (&self.delivery, &self.commitment) {
            (Some(delivery), _) if delivery.delivered_on > self.due_by => ResourceStatus::DeliveredLate,
            (Some(_), _) => ResourceStatus::Delivered,
            (None, _) if today > self.due_by => ResourceStatus::Missed,
            (None, Some(_)) => ResourceStatus::Committed,
            (None, None) => ResourceStatus::Open,
        }
    }

    /// Days between the day it was due and the day it came, or `today` while it has not; 0 in time.
    pub fn lateness_days(&self, today: NaiveDate) -> i64 {
        let until = self.delivery.map_or(today, |delivery| delivery.delivered_on);
        (until - self.due_by).num_days().max(0)
    }

    /// True while a required signature is missing.
    pub fn blocks(&self) -> bool {
        self.need == ResourceNeed::Required && self.commitment.is_none()
    }

    fn view(&self) -> Value {
        json!({
            "id": self.id, "kind": self.kind, "quantity": self.quantity.view(), "dueBy": self.due_by,
            "department": self.department, "need": self.need,
            "committedById": self.commitment.map(|commitment| commitment.user_id),
            "committedAt": self.commitment.map(|commitment| commitment.signed_at),
            "deliveredOn": self.delivery.map(|delivery| delivery.delivered_on),
        })
    }
}

/// What is to be done and what departments owe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportPlan {
    /// What is to be done.
    pub actions: Vec<SupportAction>,
    /// What departments owe.
    pub resources: Vec<SupportResource>,
}

impl SupportPlan {
    pub(super) fn view(&self) -> Value {
        let action = |action: &SupportAction| json!({ "text": action.text, "dueBy": action.due_by });
        json!({
            "actions": self.actions.iter().map(action).collect::<Vec<_>>(),
            "resources": self.resources.iter().map(SupportResource::view).collect::<Vec<_>>(),
        })
    }
}

/// A wanted action.
#[derive(Clone, Debug)]
pub struct NewAction {
    /// What.
    pub text: String,
    /// Until when.
    pub due_by: NaiveDate,
}

/// A wanted resource.
#[derive(Clone, Debug)]
pub struct NewResource {
    /// What kind.
    pub kind: ResourceKind,
    /// How many pieces or how much money.
    pub quantity: Quantity,
    /// Until when.
    pub due_by: NaiveDate,
    /// Which department owes it.
    pub department: String,
    /// Whether the target can do without.
    pub need: ResourceNeed,
}

/// A wanted support plan.
#[derive(Clone, Debug, Default)]
pub struct NewSupport {
    /// What is to be done.
    pub actions: Vec<NewAction>,
    /// What departments are to owe.
    pub resources: Vec<NewResource>,
}

/// The plan as wanted; notes in `problems` what is wrong with it.
pub(super) fn check(
    input: &NewSupport,
    period: Period,
    mut new_id: impl FnMut() -> SupportResourceId,
    problems: &mut Problems,
) -> SupportPlan {
    let mut plan = SupportPlan::default();
    for (list, count, most) in
        [("actions", input.actions.len(), ACTIONS_MAX), ("resources", input.resources.len(), RESOURCES_MAX)]
    {
        if count > most {
            let message = format!("A support plan has at most {most} {list}; these are {count}.");
            problems.push(Problem::new(Code::TooMany, message).at(list).at("support"));
            return plan;
        }
    }
    for (index, wanted) in input.actions.iter().enumerate() {
        let at = |problem: Problem| problem.at(index.to_string()).at("actions");
        let text = problems.take("support", text::note(&wanted.text).map_err(|found| at(found.at("text"))));
        let due_by =
            problems.take("support", check_due(wanted.due_by, period).map_err(|found| at(found.at("dueBy"))));
        plan.actions.extend(text.zip(due_by).map(|(text, due_by)| SupportAction { text, due_by }));
    }
    for (index, wanted) in input.resources.iter().enumerate() {
        let at = |field: &'static str| {
            move |problem: Problem| problem.at(field).at(index.to_string()).at("resources")
        };
        let quantity = problems.take("support", check_quantity(wanted.quantity).map_err(at("quantity")));
        let due_by = problems.take("support", check_due(wanted.due_by, period).map_err(at("dueBy")));
        let department = problems.take("support", text::label(&wanted.department).map_err(at("department")));
        let resource = || {
            Some(SupportResource {
                id: new_id(),
                kind: wanted.kind,
                quantity: quantity?,
                due_by: due_by?,
                department: department?,
                need: wanted.need,
                commitment: None,
                delivery: None,
            })
        };
        plan.resources.extend(resource());
    }
    plan
}

fn check_quantity(quantity: Quantity) -> Result<Quantity, Problem> {
    if let Quantity::Share(_) = quantity {
        return Err(Problem::new(Code::NotApplicable, "A resource is counted in pieces or money."));
    }
    quantity.check(1)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::EntityId;
    use crate::time::parse_date;

    #[test]
    fn a_resource_is_late_from_the_day_after_it_was_due() {
        use ResourceStatus::*;
        let date = |text: &str| parse_date(text).expect("a date");
        let at = Timestamp::parse("2026-11-01T00:00:00Z").expect("an instant");
        let user_id = UserId::from_uuid(Uuid::from_u128(1));
        for (signed, delivered_on, today, status, lateness_days) in [
            (false, None, "2026-11-10", Open, 0),
            (true, None, "2026-11-10", Committed, 0),
            (true, None, "2026-11-11", Missed, 1),
            (false, None, "2026-11-20", Missed, 10),
            (true, Some("2026-11-10"), "2026-11-20", Delivered, 0),
            (true, Some("2026-11-09"), "2026-11-20", Delivered, 0),
            (true, Some("2026-11-13"), "2026-11-20", DeliveredLate, 3),
        ] {
            let resource = SupportResource {
                id: SupportResourceId::from_uuid(Uuid::from_u128(2)),
                kind: ResourceKind::Advertising,
                quantity: Quantity::Count(1),
                due_by: date("2026-11-10"),
                department: "Marketing".into(),
                need: ResourceNeed::Required,
                commitment: signed.then_some(Commitment { user_id, signed_at: at }),
                delivery: delivered_on.map(|delivered_on| Delivery {
                    delivered_on: date(delivered_on),
                    recorded_by: user_id,
                    recorded_at: at,
                }),
            };
            let found = (resource.status(date(today)), resource.lateness_days(date(today)));
            assert_eq!(found, (status, lateness_days), "{signed} {delivered_on:?} on {today}");
            assert_eq!(resource.blocks(), !signed);
        }
    }
}
