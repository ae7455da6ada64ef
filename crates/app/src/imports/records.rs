//! What the rows of a file say, typed: one record for each kind of source.

use chrono::{NaiveDate, NaiveTime};
use evenhand_domain::access::Role;
use evenhand_domain::activities::ActivityKind;
use evenhand_domain::complaints::{Channel, ComplaintState, Confidentiality, Severity};
use evenhand_domain::customers::{CustomerGrade, CustomerKind, CustomerStage};
use evenhand_domain::deals::DealStage;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::money::Money;
use evenhand_domain::users::TeamRole;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::fields::Wire;

/// What a row says. The order and the names of the fields below are part of [`Record::fingerprint`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A team.
    Team(TeamRecord),
    /// A person.
    User(UserRecord),
    /// A customer.
    Customer(CustomerRecord),
    /// A product.
    Product(ProductRecord),
    /// A deal.
    Deal(DealRecord),
    /// A call, visit or message.
    Activity(ActivityRecord),
    /// A complaint.
    Complaint(ComplaintRecord),
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TeamRecord {
    /// Identity in the namespace of the profile.
    pub key: String,
    /// Name.
    pub name: String,
    /// Name of the team above.
    pub parent: Option<String>,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserRecord {
    /// Identity in the namespace of the profile.
    pub key: String,
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// What they may do.
    #[serde(serialize_with = "wire")]
    pub role: Role,
    /// First day of work.
    pub hired_on: Option<NaiveDate>,
    /// Place in a team.
    pub membership: Option<MembershipRecord>,
}

/// A place in a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MembershipRecord {
    /// Name of the team.
    pub team: String,
    /// What the person is there.
    #[serde(serialize_with = "wire")]
    pub role: TeamRole,
    /// First day.
    pub from: NaiveDate,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomerRecord {
    /// Identity in the namespace of the profile.
    pub key: String,
    /// Name.
    pub name: String,
    /// Number.
    pub number: Option<String>,
    /// Company or person; a company when the row does not say.
    #[serde(serialize_with = "wire")]
    pub kind: CustomerKind,
    /// How far it has come; a lead when the row does not say.
    #[serde(serialize_with = "wire")]
    pub stage: CustomerStage,
    /// What it is worth.
    #[serde(serialize_with = "wire_option")]
    pub grade: Option<CustomerGrade>,
    /// Line of business.
    pub sector: Option<String>,
    /// Where the contact came from.
    pub source: Option<String>,
    /// Name of the person who looks after it.
    pub owner: Option<String>,
    /// Local day on which it was collected.
    pub collected_on: Option<NaiveDate>,
}

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProductRecord {
    /// Identity in the namespace of the profile.
    pub key: String,
    /// Name.
    pub name: String,
    /// Article number.
    pub code: Option<String>,
    /// Product line.
    pub series: Option<String>,
    /// Price without discount.
    pub list_price: Option<Money>,
}

/// A deal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DealRecord {
    /// Identity in the namespace of the profile.
    pub key: String,
    /// Number.
    pub number: String,
    /// Short description.
    pub name: Option<String>,
    /// Name of the person who sells.
    pub owner: String,
    /// Name of the customer.
    pub customer: Option<String>,
    /// Name of the product.
    pub product: Option<String>,
    /// How far it is; prospecting when the row does not say.
    #[serde(serialize_with = "wire")]
    pub stage: DealStage,
    /// Local day on which it began.
    pub opened_on: Option<NaiveDate>,
    /// Local day on which it is expected to be won.
    pub expected_close_on: Option<NaiveDate>,
    /// Local day on which it was won, lost or cancelled; always there for these stages.
    pub closed_on: Option<NaiveDate>,
    /// Why it was lost or cancelled.
    pub close_reason: Option<String>,
    /// Expected value while open, booked value once won.
    pub value: Option<Money>,
}

/// A call, visit or message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActivityRecord {
    /// Identity in the namespace of the profile.
    pub key: String,
    /// What was done.
    #[serde(serialize_with = "wire")]
    pub kind: ActivityKind,
    /// Name of the person who did it.
    pub user: String,
    /// Name of the customer.
    pub customer: Option<String>,
    /// Number of the deal.
    pub deal: Option<String>,
    /// Local day.
    pub started_on: NaiveDate,
    /// Local time of day.
    pub started_at: Option<NaiveTime>,
    /// How long it took, in seconds.
    pub seconds: Option<u32>,
    /// Whether somebody answered.
    pub connected: Option<bool>,
    /// What came of it.
    pub outcome: Option<String>,
    /// What was said.
    pub note: Option<String>,
}

/// A complaint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComplaintRecord {
    /// Identity in the namespace of the profile.
    pub key: String,
    /// Number.
    pub number: String,
    /// Name or number of the customer.
    pub customer: String,
    /// Name of the person who answers for it.
    pub owner: String,
    /// Local day on which it was recorded.
    pub recorded_on: NaiveDate,
    /// What it is about, in a line.
    pub subject: String,
    /// What happened.
    pub description: String,
    /// How it came.
    #[serde(serialize_with = "wire")]
    pub channel: Channel,
    /// Name of the product.
    pub product: Option<String>,
    /// What the customer wants.
    pub remedy: Option<String>,
    /// Who may read it; everybody who may read complaints when the row does not say.
    #[serde(serialize_with = "wire")]
    pub confidentiality: Confidentiality,
    /// Whether somebody's safety is at stake; not so when the row does not say.
    pub safety_risk: bool,
    /// Local day on which it happened.
    pub occurred_on: Option<NaiveDate>,
    /// How far it is; just recorded when the row does not say.
    #[serde(serialize_with = "wire")]
    pub state: ComplaintState,
    /// Local day on which the customer was told that it has arrived.
    pub acknowledged_on: Option<NaiveDate>,
    /// How bad it is for the customer.
    #[serde(serialize_with = "wire_option")]
    pub severity: Option<Severity>,
    /// How bad it is beyond this customer; as bad when the row does not say.
    #[serde(serialize_with = "wire_option")]
    pub impact: Option<Severity>,
    /// How soon it gets worse; as the severity when the row does not say.
    #[serde(serialize_with = "wire_option")]
    pub urgency: Option<Severity>,
    /// What was offered to the customer.
    pub response: Option<String>,
    /// Local day on which the customer heard it.
    pub responded_on: Option<NaiveDate>,
    /// Whether that was in time.
    pub timely: Option<bool>,
    /// Whether the customer disputed it; not so when the row does not say.
    pub disputed: bool,
    /// Whether the customer accepted it; for an accepted one, always so.
    pub accepted: bool,
    /// Local day on which it ended.
    pub ended_on: Option<NaiveDate>,
    /// The code of what caused it.
    pub root_cause: Option<String>,
    /// Where the customer can turn to.
    pub recourse: Option<String>,
    /// Why it is not for us to settle.
    pub out_of_scope_reason: Option<String>,
}

fn wire<T: Wire, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.name())
}

fn wire_option<T: Wire, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(Wire::name).serialize(serializer)
}

impl Record {
    /// Identity in the namespace of the profile: equal in every run over the same thing.
    pub fn key(&self) -> &str {
        match self {
            Self::Team(record) => &record.key,
            Self::User(record) => &record.key,
            Self::Customer(record) => &record.key,
            Self::Product(record) => &record.key,
            Self::Deal(record) => &record.key,
            Self::Activity(record) => &record.key,
            Self::Complaint(record) => &record.key,
        }
    }

    /// SHA-256 over all values, in lower-case hexadecimal digits: a later run compares it to see whether the
    /// row still says the same. Spelling that does not matter (`1054` and `1054.00`) does not change it.
    ///
    /// # Errors
    /// [`Error::Internal`] if the record cannot be written, which no input causes.
    pub fn fingerprint(&self) -> Result<String> {
        let bytes = serde_json::to_vec(self).map_err(|error| Error::Internal(format!("record: {error}")))?;
        Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
