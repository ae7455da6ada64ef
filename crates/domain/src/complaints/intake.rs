//! How a complaint is written down: who complains, about what, and what they want.

use serde::{Deserialize, Serialize};

use super::clocks::{ClockKind, SlaClock};
use super::{Channel, Complaint, ComplaintState, Confidentiality, Handling};
use crate::access::Permission;
use crate::change::{Change, EventKind};
use crate::error::{Code, Problem, Problems, Result};
use crate::id::{ComplaintId, ContactId, CustomerId, ProductId, UserId};
use crate::text;
use crate::time::Timestamp;
use crate::users::{User, UserStatus};

/// Most documents of one complaint.
pub const ATTACHMENTS_MAX: usize = 50;
/// Largest document, in bytes: 25 MiB.
pub const ATTACHMENT_BYTES_MAX: i64 = 26_214_400;
/// Most addresses of a reporter.
pub const ADDRESSES_MAX: usize = 5;
/// The types of documents that can be attached: nothing that runs.
pub const MEDIA_TYPES: [&str; 12] = [
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "audio/mpeg",
    "image/heic",
    "image/jpeg",
    "image/png",
    "image/webp",
    "message/rfc822",
    "text/csv",
    "text/plain",
    "video/mp4",
];

/// What the customer wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remedy {
    /// This.
    Sought(String),
    /// They were asked, and named nothing.
    NoneNamed,
}

impl Remedy {
    /// What they want, if they named something.
    pub fn sought(&self) -> Option<&str> {
        match self {
            Self::Sought(remedy) => Some(remedy),
            Self::NoneNamed => None,
        }
    }
}

/// Where to reach somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReporterAddress {
    /// By what.
    pub channel: Channel,
    /// The address or number.
    pub address: String,
}

/// Who complained, where the customer has no such contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reporter {
    /// Their name.
    pub name: String,
    /// Where to reach them; at least one.
    pub addresses: Vec<ReporterAddress>,
}

impl Reporter {
    /// The first e-mail address, if there is one.
    pub fn email(&self) -> Option<&str> {
        let mut addresses = self.addresses.iter();
        addresses.find(|address| address.channel == Channel::Email).map(|address| address.address.as_str())
    }
}

/// A document that lies elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Name of the file.
    pub name: String,
    /// Where it lies.
    pub reference: String,
    /// One of [`MEDIA_TYPES`].
    pub media_type: String,
    /// Its size.
    pub bytes: i64,
}

/// Input of [`Complaint::record`].
#[derive(Clone, Debug)]
pub struct NewComplaint {
    /// Number; the caller counts it and checks that it is free.
    pub number: String,
    /// Whose complaint it is.
    pub customer_id: CustomerId,
    /// Who of them complained.
    pub contact_id: Option<ContactId>,
    /// Who complained, where the customer has no such contact.
    pub reporter: Option<Reporter>,
    /// What it is about, in a line.
    pub subject: String,
    /// What happened.
    pub description: String,
    /// How it came.
    pub channel: Channel,
    /// What the customer wants; `None` when nobody asked, which is refused.
    pub remedy: Option<Remedy>,
    /// Which product it is about.
    pub product_id: Option<ProductId>,
    /// Who answers for it.
    pub owner_id: UserId,
    /// Who looks after the customer.
    pub account_manager_id: Option<UserId>,
    /// Who may read it.
    pub confidentiality: Confidentiality,
    /// Whether somebody's safety is at stake.
    pub is_safety_risk: bool,
    /// Documents.
    pub attachments: Vec<Attachment>,
    /// When it happened.
    pub occurred_at: Option<Timestamp>,
}

impl Complaint {
    /// Writes a complaint down; its clocks run from now. That customer, contact, product and people exist is for the
    /// caller to see to, and that the account manager and the service department hear of it.
    ///
    /// # Errors
    /// Every field that is wrong; `REQUIRED` when nobody asked for the remedy, and for a reporter without an address;
    /// `NOT_APPLICABLE` for a reporter beside a contact; `IN_FUTURE`; `TOO_MANY`; `OUT_OF_RANGE` and `INVALID_FORMAT`
    /// for the size and type of a document.
    pub fn record(input: &NewComplaint, id: ComplaintId, handling: &Handling<'_>) -> Result<Change<Self>> {
        let Handling { service, now, .. } = *handling;
        let mut problems = Problems::default();
        let number = problems.take("number", text::label(&input.number));
        let subject = problems.take("subject", text::name(&input.subject));
        let description = problems.take("description", text::note(&input.description));
        let remedy = problems.take("remedySought", check_remedy(input.remedy.as_ref()));
        let reporter = problems.take("reporter", check_reporter(input));
        let occurred_at = problems.take("occurredAt", check_occurred(input.occurred_at, now));
        let attachments = check_attachments(&input.attachments, 0, &mut problems);
        let mut complaint = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                number: number?,
                customer_id: input.customer_id,
                contact_id: input.contact_id,
                reporter: reporter?,
                subject: subject?,
                description: description?,
                channel: input.channel,
                remedy: remedy?,
                product_id: input.product_id,
                owner_id: input.owner_id,
                account_manager_id: input.account_manager_id,
                confidentiality: input.confidentiality,
                is_safety_risk: input.is_safety_risk,
                attachments,
                state: ComplaintState::Recorded,
                severity: None,
                impact: None,
                urgency: None,
                occurred_at: occurred_at?,
                recorded_at: now,
                next_action_due: now,
                clocks: ClockKind::ALL.iter().map(|&kind| SlaClock::start(kind, 1, now, &service)).collect(),
                escalations: Vec::new(),
                level: 0,
                waiting: None,
                response: None,
                root_cause: None,
                recourse: None,
                out_of_scope_reason: None,
                merged_into_id: None,
                reopen_count: 0,
                ended_at: None,
                created_at: now,
                updated_at: now,
            })
        })?;
        complaint.next_action_due = complaint.next_due().unwrap_or(now);
        Ok(Change::created(EventKind::ComplaintRecorded, complaint))
    }

    /// Whether a complaint can be given to this person.
    ///
    /// # Errors
    /// `USER_DEACTIVATED`; `NOT_PERMITTED` for somebody whose role handles no complaints.
    pub fn check_owner(owner: &User) -> Result<()> {
        let problem = if owner.status == UserStatus::Deactivated {
            Problem::new(Code::UserDeactivated, "This person is deactivated; choose somebody else.")
        } else if !owner.role.may(Permission::HandleComplaints) {
            let message = "This person's role handles no complaints; choose somebody else.";
            Problem::new(Code::NotPermitted, message)
        } else {
            return Ok(());
        };
        Err(problem.at("ownerId").into())
    }
}

fn check_remedy(remedy: Option<&Remedy>) -> Result<Remedy, Problem> {
    match remedy {
        Some(Remedy::Sought(remedy)) => text::note(remedy).map(Remedy::Sought),
        Some(Remedy::NoneNamed) => Ok(Remedy::NoneNamed),
        None => {
            let message = "Ask what the customer wants, and write it down, or that they named nothing.";
            Err(Problem::new(Code::Required, message))
        }
    }
}

fn check_occurred(at: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    if at.is_some_and(|at| at > now) {
        return Err(Problem::new(Code::InFuture, "The moment lies in the future; give a past one."));
    }
    Ok(at)
}

fn check_reporter(input: &NewComplaint) -> Result<Option<Reporter>, Problem> {
    let Some(reporter) = &input.reporter else { return Ok(None) };
    if input.contact_id.is_some() {
        let message = "A contact of the customer complained; their name and addresses are known.";
        return Err(Problem::new(Code::NotApplicable, message));
    }
    let name = text::name(&reporter.name).map_err(|problem| problem.at("name"))?;
    if reporter.addresses.is_empty() {
        return Err(Problem::new(Code::Required, "Write down where to reach them.").at("addresses"));
    }
    if reporter.addresses.len() > ADDRESSES_MAX {
        let message = format!("At most {ADDRESSES_MAX} addresses are kept.");
        return Err(Problem::new(Code::TooMany, message).at("addresses"));
    }
    let address = |(index, ReporterAddress { channel, address }): (usize, &ReporterAddress)| {
        let checked = match channel {
            Channel::Email => text::email(address),
            Channel::Post | Channel::InPerson => text::note(address),
            Channel::Sms | Channel::Fax | Channel::Phone | Channel::Web => text::reference(address),
        };
        let at = |problem: Problem| problem.at("address").at(index.to_string()).at("addresses");
        checked.map(|address| ReporterAddress { channel: *channel, address }).map_err(at)
    };
    let addresses = reporter.addresses.iter().enumerate().map(address).collect::<Result<_, _>>()?;
    Ok(Some(Reporter { name, addresses }))
}

/// The documents as given; notes in `problems` what is wrong with them. `present` is how many there are already.
pub(super) fn check_attachments(
    attachments: &[Attachment],
    present: usize,
    problems: &mut Problems,
) -> Vec<Attachment> {
    if present + attachments.len() > ATTACHMENTS_MAX {
        let message = format!("A complaint has at most {ATTACHMENTS_MAX} documents.");
        problems.push(Problem::new(Code::TooMany, message).at("attachments"));
        return Vec::new();
    }
    let mut checked = Vec::new();
    for (index, attachment) in attachments.iter().enumerate() {
        let at = |field: &'static str| move |problem: Problem| problem.at(field).at(index.to_string());
        let name = problems.take("attachments", text::name(&attachment.name).map_err(at("name")));
        let reference =
            problems.take("attachments", text::reference(&attachment.reference).map_err(at("reference")));
        problems.take("attachments", check_media_type(&attachment.media_type).map_err(at("mediaType")));
        problems.take("attachments", check_bytes(attachment.bytes).map_err(at("bytes")));
        checked.extend(name.zip(reference).map(|(name, reference)| Attachment {
            name,
            reference,
            ..attachment.clone()
        }));
    }
    checked
}

fn check_media_type(media_type: &str) -> Result<(), Problem> {
    if MEDIA_TYPES.contains(&media_type) {
        return Ok(());
    }
    let message = format!("Documents of these types can be attached: {}.", MEDIA_TYPES.join(", "));
    Err(Problem::new(Code::InvalidFormat, message))
}

fn check_bytes(bytes: i64) -> Result<(), Problem> {
    if (1..=ATTACHMENT_BYTES_MAX).contains(&bytes) {
        return Ok(());
    }
    Err(Problem::new(Code::OutOfRange, format!("A document has 1 to {ATTACHMENT_BYTES_MAX} bytes.")))
}
