//! Deals: an opportunity from its first sight to won, lost or cancelled.
//!
//! Business dates (`opened_at`, `won_at`, ...) may lie in the past, so that a history can be entered today;
//! they never lie in the future. What a won deal is credited to stands in [`CreditLine`]s, which are only
//! ever appended.

use chrono::NaiveDate;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Error, Problem, Problems, Result};
use crate::filter::{OneOf, Range, Text};
use crate::id::{CreditLineId, CustomerId, DealId, EntityId, ProductId, UserId};
use crate::money::{AMOUNT_MINOR_MAX, Money};
use crate::patch::Patch;
use crate::text;
use crate::time::Timestamp;
use crate::wire::wire_enum;

mod credits;
pub use credits::{CREDITS_MAX, CreditBasis, CreditKind, CreditLine, NewCredit, WHOLE_BP};

wire_enum! {
    /// How far a deal is. The first three are open; the others are final, but a won deal can be cancelled.
    DealStage {
        /// Somebody may want to buy.
        Prospecting = "PROSPECTING",
        /// In talks.
        Engaging = "ENGAGING",
        /// Price and terms are being agreed.
        Negotiating = "NEGOTIATING",
        /// Bought; the value is booked.
        Won = "WON",
        /// Not bought.
        Lost = "LOST",
        /// Bought, and taken back later.
        Cancelled = "CANCELLED",
    }
}

impl DealStage {
    /// True while the deal can still be changed, won or lost.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Prospecting | Self::Engaging | Self::Negotiating)
    }
}

/// An opportunity to sell.
#[derive(Clone, Debug, PartialEq)]
pub struct Deal {
    /// Its id.
    pub id: DealId,
    /// Counts changes.
    pub version: Version,
    /// Number that people call it by; unique in the organisation, ignoring case.
    pub number: String,
    /// Short description.
    pub name: Option<String>,
    /// Who buys; needed to win.
    pub customer_id: Option<CustomerId>,
    /// What is sold.
    pub product_id: Option<ProductId>,
    /// Who sells.
    pub owner_id: UserId,
    /// How far it is.
    pub stage: DealStage,
    /// Expected value while open, booked value once won; never negative. Unknown for an early deal.
    pub value: Option<Money>,
    /// Business time at which it began.
    pub opened_at: Timestamp,
    /// Day on which it is expected to be won.
    pub expected_close_on: Option<NaiveDate>,
    /// Business time at which it was won; kept when it is cancelled.
    pub won_at: Option<Timestamp>,
    /// Business time at which it was lost.
    pub lost_at: Option<Timestamp>,
    /// Business time at which it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// Why it was lost or cancelled.
    pub close_reason: Option<String>,
    /// When it was entered here.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// Input of [`Deal::create`].
#[derive(Clone, Debug)]
pub struct NewDeal {
    /// Number.
    pub number: String,
    /// Short description.
    pub name: Option<String>,
    /// Who buys.
    pub customer_id: Option<CustomerId>,
    /// What is sold.
    pub product_id: Option<ProductId>,
    /// Who sells.
    pub owner_id: UserId,
    /// An open stage; `None` is [`DealStage::Prospecting`].
    pub stage: Option<DealStage>,
    /// Expected value.
    pub value: Option<Money>,
    /// When it began; `None` is now.
    pub opened_at: Option<Timestamp>,
    /// Day on which it is expected to be won.
    pub expected_close_on: Option<NaiveDate>,
}

/// Input of [`Deal::update`].
#[derive(Clone, Debug, Default)]
pub struct DealUpdate {
    /// Short description.
    pub name: Patch<String>,
    /// Who buys.
    pub customer_id: Patch<CustomerId>,
    /// What is sold.
    pub product_id: Patch<ProductId>,
    /// Who sells; `None` leaves it.
    pub owner_id: Option<UserId>,
    /// Another open stage; `None` leaves it.
    pub stage: Option<DealStage>,
    /// Expected value.
    pub value: Patch<Money>,
    /// Day on which it is expected to be won.
    pub expected_close_on: Patch<NaiveDate>,
}

/// Input of [`Deal::win`].
#[derive(Clone, Debug, Default)]
pub struct WinDeal {
    /// When it was won; `None` is now.
    pub won_at: Option<Timestamp>,
    /// Booked value; `None` books the expected one.
    pub value: Option<Money>,
    /// Who is credited; empty credits the whole to the owner.
    pub credits: Vec<NewCredit>,
}

/// A deal that was won or cancelled, with the credit lines to append in the same transaction.
#[derive(Clone, Debug)]
pub struct Credited {
    /// The new state of the deal.
    pub change: Change<Deal>,
    /// The new lines, in the order of the input.
    pub lines: Vec<CreditLine>,
}

impl Deal {
    /// Enters an open deal. That customer, product and owner exist is for the caller to see to.
    ///
    /// # Errors
    /// Every field that is wrong; `INVALID_TRANSITION` for a stage that is not open, `IN_FUTURE`.
    pub fn create(input: &NewDeal, id: DealId, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let number = problems.take("number", text::label(&input.number));
        let name = problems.take("name", input.name.as_deref().map(text::name).transpose());
        let stage = problems.take("stage", open_stage(input.stage.unwrap_or(DealStage::Prospecting)));
        let value = problems.take("value", input.value.map(checked_value).transpose());
        let opened_at = problems.take("openedAt", not_in_future(input.opened_at.unwrap_or(now), now));
        let deal = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                number: number?,
                name: name?,
                customer_id: input.customer_id,
                product_id: input.product_id,
                owner_id: input.owner_id,
                stage: stage?,
                value: value?,
                opened_at: opened_at?,
                expected_close_on: input.expected_close_on,
                won_at: None,
                lost_at: None,
                cancelled_at: None,
                close_reason: None,
                created_at: now,
                updated_at: now,
            })
        })?;
        Ok(Change::created(EventKind::DealCreated, deal))
    }

    /// Changes details or moves to another open stage.
    ///
    /// # Errors
    /// Every field that is wrong; `INVALID_TRANSITION` when the deal or the new stage is not open.
    pub fn update(&self, input: &DealUpdate, now: Timestamp) -> Result<Change<Self>> {
        self.require_open()?;
        let mut problems = Problems::default();
        let name = problems.take("name", input.name.check(|name| text::name(name)));
        let stage = problems.take("stage", open_stage(input.stage.unwrap_or(self.stage)));
        let value = problems.take("value", input.value.check(|&value| checked_value(value)));
        let after = problems.finish_with(|| {
            Some(Self {
                name: name?.apply(self.name.clone()),
                customer_id: input.customer_id.clone().apply(self.customer_id),
                product_id: input.product_id.clone().apply(self.product_id),
                owner_id: input.owner_id.unwrap_or(self.owner_id),
                stage: stage?,
                value: value?.apply(self.value),
                expected_close_on: input.expected_close_on.clone().apply(self.expected_close_on),
                updated_at: now,
                ..self.clone()
            })
        })?;
        Ok(Change::updated(EventKind::DealUpdated, self, after))
    }

    /// Wins the deal: books its value and splits it among those who are credited, to the last minor unit.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when the deal is not open; `CUSTOMER_REQUIRED`; `REQUIRED` without a value;
    /// `IN_FUTURE` or `TOO_EARLY` for the date; what is wrong with the credits, `SHARES_NOT_WHOLE` and
    /// `DUPLICATE` among it.
    pub fn win(
        &self,
        input: &WinDeal,
        new_id: impl FnMut() -> CreditLineId,
        now: Timestamp,
    ) -> Result<Credited> {
        self.require_open()?;
        let mut problems = Problems::default();
        if self.customer_id.is_none() {
            problems
                .push(Problem::new(Code::CustomerRequired, "Give the deal a customer before winning it."));
        }
        let won_at = problems.take("wonAt", close_moment(input.won_at, self.opened_at, now));
        let value = match input.value.or(self.value) {
            Some(value) => problems.take("value", checked_value(value)),
            None => {
                problems.push(Problem::required("value"));
                None
            }
        };
        let to_owner = [NewCredit::whole(self.owner_id)];
        let credits = if input.credits.is_empty() { &to_owner[..] } else { &input.credits[..] };
        credits::check(credits, &mut problems);
        let (won_at, value) = problems.finish_with(|| Some((won_at?, value?)))?;

        let lines = credits::split(self.id, value, credits, new_id, (won_at, now));
        let after = Self {
            stage: DealStage::Won,
            value: Some(value),
            won_at: Some(won_at),
            updated_at: now,
            ..self.clone()
        };
        let change = Change::updated(EventKind::DealWon, self, after);
        Ok(Credited { change: change.with_detail("credits", credits::view(&lines)), lines })
    }

    /// Closes the deal without a sale.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when the deal is not open; `IN_FUTURE` or `TOO_EARLY` for the date; a wrong reason.
    pub fn lose(&self, at: Option<Timestamp>, reason: Option<&str>, now: Timestamp) -> Result<Change<Self>> {
        self.require_open()?;
        let mut problems = Problems::default();
        let lost_at = problems.take("lostAt", close_moment(at, self.opened_at, now));
        let reason = problems.take("reason", reason.map(text::note).transpose());
        let after = problems.finish_with(|| {
            Some(Self {
                stage: DealStage::Lost,
                lost_at: Some(lost_at?),
                close_reason: reason?,
                updated_at: now,
                ..self.clone()
            })
        })?;
        Ok(Change::updated(EventKind::DealLost, self, after))
    }

    /// Takes a won deal back. `lines` are all credit lines of the deal; each gets a negative counterpart,
    /// dated at the cancellation: what was reported for the day of the win stays as it was.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when the deal is not won; `IN_FUTURE`, or `TOO_EARLY` before the win; a missing or
    /// wrong reason. [`Error::Internal`] when `lines` are not the whole credit of this deal.
    pub fn cancel(
        &self,
        at: Option<Timestamp>,
        reason: &str,
        lines: &[CreditLine],
        new_id: impl FnMut() -> CreditLineId,
        now: Timestamp,
    ) -> Result<Credited> {
        let (DealStage::Won, Some(won_at), Some(value)) = (self.stage, self.won_at, self.value) else {
            return Err(self.wrong_stage("Only a won deal can be cancelled"));
        };
        let mut problems = Problems::default();
        let cancelled_at = problems.take("cancelledAt", close_moment(at, won_at, now));
        let reason = problems.take("reason", text::note(reason));
        let (cancelled_at, reason) = problems.finish_with(|| Some((cancelled_at?, reason?)))?;

        let reversals = credits::reverse(self.id, value, lines, new_id, (cancelled_at, now))?;
        let after = Self {
            stage: DealStage::Cancelled,
            cancelled_at: Some(cancelled_at),
            close_reason: Some(reason),
            updated_at: now,
            ..self.clone()
        };
        let change = Change::updated(EventKind::DealCancelled, self, after);
        Ok(Credited { change: change.with_detail("credits", credits::view(&reversals)), lines: reversals })
    }

    fn require_open(&self) -> Result<()> {
        if self.stage.is_open() { Ok(()) } else { Err(self.wrong_stage("Only an open deal can be changed")) }
    }

    fn wrong_stage(&self, rule: &str) -> Error {
        Problem::new(Code::InvalidTransition, format!("{rule}; this one is {}.", self.stage.as_str())).into()
    }
}

fn open_stage(stage: DealStage) -> Result<DealStage, Problem> {
    if stage.is_open() {
        Ok(stage)
    } else {
        Err(Problem::new(
            Code::InvalidTransition,
            "Only open stages can be set; win or lose the deal to close it.",
        ))
    }
}

fn checked_value(value: Money) -> Result<Money, Problem> {
    if (0..=AMOUNT_MINOR_MAX).contains(&value.minor) {
        Ok(value)
    } else {
        let most = Money::new(AMOUNT_MINOR_MAX, value.currency);
        Err(Problem::new(Code::OutOfRange, format!("The value of a deal lies between 0 and {most}.")))
    }
}

fn not_in_future(at: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    if at <= now {
        Ok(at)
    } else {
        Err(Problem::new(Code::InFuture, "The moment lies in the future; give a past one."))
    }
}

/// The moment of a step that follows the one at `earliest`; now when none is given.
fn close_moment(at: Option<Timestamp>, earliest: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    let at = not_in_future(at.unwrap_or(now), now)?;
    if at < earliest {
        return Err(Problem::new(Code::TooEarly, format!("The moment must not lie before {earliest}.")));
    }
    Ok(at)
}

impl Aggregate for Deal {
    const SUBJECT: SubjectType = SubjectType::Deal;
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
            "number": self.number, "name": self.name, "customerId": self.customer_id,
            "productId": self.product_id, "ownerId": self.owner_id, "stage": self.stage.as_str(),
            "value": self.value.map(Money::view), "openedAt": self.opened_at, "expectedCloseOn": self.expected_close_on,
            "wonAt": self.won_at, "lostAt": self.lost_at, "cancelledAt": self.cancelled_at,
            "closeReason": self.close_reason,
        })
    }
}

/// What deals can be filtered by.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum DealTerm {
    /// Id.
    Id(OneOf<DealId>),
    /// Number.
    Number(Text),
    /// Stage.
    Stage(OneOf<DealStage>),
    /// Who sells.
    Owner(OneOf<UserId>),
    /// Who buys.
    Customer(OneOf<CustomerId>),
    /// What is sold.
    Product(OneOf<ProductId>),
    /// Value; matches deals in the same currency only.
    Value(Range<Money>),
    /// When it began.
    OpenedAt(Range<Timestamp>),
    /// When it was won.
    WonAt(Range<Timestamp>),
    /// When it was lost.
    LostAt(Range<Timestamp>),
    /// When it was cancelled.
    CancelledAt(Range<Timestamp>),
    /// When it was entered here.
    CreatedAt(Range<Timestamp>),
    /// Last change.
    UpdatedAt(Range<Timestamp>),
}

wire_enum! {
    /// What deals can be sorted by.
    DealSort as "DealOrderField" {
        /// When it was entered here.
        CreatedAt = "CREATED_AT",
        /// Last change.
        UpdatedAt = "UPDATED_AT",
        /// When it began.
        OpenedAt = "OPENED_AT",
        /// Number, ignoring case.
        Number = "NUMBER",
    }
}

#[cfg(test)]
pub(crate) mod tests;
