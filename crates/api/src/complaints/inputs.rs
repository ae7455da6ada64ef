//! Inputs of the mutations of complaints.

use async_graphql::{ID, InputObject};
use evenhand_app::complaints::RecordComplaint;
use evenhand_domain::complaints::{
    self as domain, Attachment, Awaited, Channel, Confidentiality, NoteAudience, Remedy, Severity,
};
use evenhand_domain::error::{Code, Problem, Problems};

use crate::ids;
use crate::scalars::DateTime;
use crate::wire::Wire;

/// Who complained, where the customer has no such contact.
#[derive(InputObject)]
pub(crate) struct ComplaintReporterInput {
    /// Their name, 1 to 200 characters.
    pub(super) name: String,
    /// Where to reach them, 1 to 5 addresses.
    pub(super) addresses: Vec<ReporterAddressInput>,
}

/// Where to reach somebody.
#[derive(InputObject)]
pub(crate) struct ReporterAddressInput {
    /// By what.
    pub(super) channel: Wire<Channel>,
    /// The address or number.
    pub(super) address: String,
}

impl From<ComplaintReporterInput> for domain::Reporter {
    fn from(input: ComplaintReporterInput) -> Self {
        let address = |input: ReporterAddressInput| domain::ReporterAddress {
            channel: input.channel.0,
            address: input.address,
        };
        Self { name: input.name, addresses: input.addresses.into_iter().map(address).collect() }
    }
}

/// A document that lies elsewhere.
#[derive(InputObject)]
pub(crate) struct ComplaintAttachmentInput {
    /// Name of the file, 1 to 200 characters.
    pub(super) name: String,
    /// Where it lies, 1 to 2,000 characters.
    pub(super) reference: String,
    /// Its type, such as `application/pdf`; a refusal names those that are taken.
    pub(super) media_type: String,
    /// Its size, at most 26214400.
    pub(super) bytes: i64,
}

pub(super) fn attachments(input: Option<Vec<ComplaintAttachmentInput>>) -> Vec<Attachment> {
    let attachment = |input: ComplaintAttachmentInput| Attachment {
        name: input.name,
        reference: input.reference,
        media_type: input.media_type,
        bytes: input.bytes,
    };
    input.unwrap_or_default().into_iter().map(attachment).collect()
}

/// Input of `recordComplaint`. What the customer wants must be asked: give `remedySought`, or say `noRemedyNamed`.
#[derive(InputObject)]
pub(crate) struct RecordComplaintInput {
    /// Number, unique in the organisation, 1 to 100 characters; the next free one (`R-000001`) if not given.
    pub(super) number: Option<String>,
    /// Whose complaint it is.
    pub(super) customer_id: ID,
    /// Who complained.
    pub(super) reporter: Option<ComplaintReporterInput>,
    /// What it is about, in a line, 1 to 200 characters.
    pub(super) subject: String,
    /// What happened, 1 to 10,000 characters.
    pub(super) description: String,
    /// How it came.
    pub(super) channel: Wire<Channel>,
    /// What the customer wants, 1 to 10,000 characters.
    pub(super) remedy_sought: Option<String>,
    /// True where the customer was asked what they want, and named nothing.
    pub(super) no_remedy_named: Option<bool>,
    /// Which product it is about; also one that is no longer sold.
    pub(super) product_id: Option<ID>,
    /// Who answers for it; you if not given. Somebody whose role handles complaints.
    pub(super) owner_id: Option<ID>,
    /// `NORMAL` if not given.
    pub(super) confidentiality: Option<Wire<Confidentiality>>,
    /// Whether somebody's safety is at stake; no if not given.
    pub(super) is_safety_risk: Option<bool>,
    /// Documents that lie elsewhere, at most 50.
    pub(super) attachments: Option<Vec<ComplaintAttachmentInput>>,
    /// When it happened, not in the future.
    pub(super) occurred_at: Option<DateTime>,
}

/// What the customer wants; `None` where nobody asked.
fn remedy(sought: Option<String>, none_named: Option<bool>) -> std::result::Result<Option<Remedy>, Problem> {
    match (sought, none_named) {
        (Some(_), Some(true)) => {
            let message = "Either the customer named something or they did not; leave one of the two out.";
            Err(Problem::new(Code::NotApplicable, message))
        }
        (Some(sought), _) => Ok(Some(Remedy::Sought(sought))),
        (None, Some(true)) => Ok(Some(Remedy::NoneNamed)),
        (None, _) => Ok(None),
    }
}

impl RecordComplaintInput {
    pub(super) fn parse(self) -> evenhand_domain::error::Result<RecordComplaint> {
        let mut problems = Problems::default();
        let customer_id = problems.take("customerId", ids::decode(&self.customer_id));
        let product_id = problems.take("productId", ids::decode_opt(self.product_id.as_ref()));
        let owner_id = problems.take("ownerId", ids::decode_opt(self.owner_id.as_ref()));
        let remedy = problems.take("noRemedyNamed", remedy(self.remedy_sought, self.no_remedy_named));
        problems.finish_with(|| {
            Some(RecordComplaint {
                number: self.number,
                customer_id: customer_id?,
                reporter: self.reporter.map(domain::Reporter::from),
                subject: self.subject,
                description: self.description,
                channel: self.channel.0,
                remedy: remedy?,
                product_id: product_id?,
                owner_id: owner_id?,
                confidentiality: self.confidentiality.map_or(Confidentiality::Normal, |found| found.0),
                is_safety_risk: self.is_safety_risk.unwrap_or(false),
                attachments: attachments(self.attachments),
                occurred_at: self.occurred_at.map(|at| at.0),
            })
        })
    }
}

/// Input of `acknowledgeComplaint`.
#[derive(InputObject)]
pub(crate) struct AcknowledgeComplaintInput {
    /// The complaint; it must be `RECORDED`.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
}

/// Input of `assessComplaint`.
#[derive(InputObject)]
pub(crate) struct AssessComplaintInput {
    /// The complaint; it must be `ACKNOWLEDGED`.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// How bad it is for the customer.
    pub(super) severity: Wire<Severity>,
    /// How bad it is beyond this customer.
    pub(super) impact: Wire<Severity>,
    /// How soon it gets worse.
    pub(super) urgency: Wire<Severity>,
    /// Whether somebody's safety is at stake.
    pub(super) is_safety_risk: bool,
}

/// Input of `assignComplaint`.
#[derive(InputObject)]
pub(crate) struct AssignComplaintInput {
    /// The complaint; it must be open.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// Who answers for it from now on: somebody whose role handles complaints. Work on an assessed complaint begins,
    /// also by the owner that it has.
    pub(super) owner_id: ID,
}

/// Input of `awaitComplaint`.
#[derive(InputObject)]
pub(crate) struct AwaitComplaintInput {
    /// The complaint; it must be `INVESTIGATING`.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// On whose side somebody is awaited.
    pub(super) side: Wire<Awaited>,
    /// Who, 1 to 200 characters.
    pub(super) whom: String,
    /// Until when, at most 90 days ahead. A pause ends then by itself.
    pub(super) until: DateTime,
}

/// Input of `resumeComplaint`.
#[derive(InputObject)]
pub(crate) struct ResumeComplaintInput {
    /// The complaint; it must wait for somebody.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
}

/// Input of `addComplaintNote`.
#[derive(InputObject)]
pub(crate) struct AddComplaintNoteInput {
    /// The complaint; any but a merged one.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// What to write down, 1 to 10,000 characters.
    pub(super) text: String,
    /// Who reads it; `INTERNAL` if not given. `CUSTOMER` is news: it says that the customer was told this.
    pub(super) audience: Option<Wire<NoteAudience>>,
    /// Documents that come with it and lie elsewhere; a complaint has at most 50.
    pub(super) attachments: Option<Vec<ComplaintAttachmentInput>>,
}

/// Input of `offerResponse`.
#[derive(InputObject)]
pub(crate) struct OfferResponseInput {
    /// The complaint; it must be `INVESTIGATING`.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// The response as the customer has it, 1 to 10,000 characters.
    pub(super) text: String,
    /// Until when the customer is to answer, at most 90 days ahead; 14 days from now if not given.
    pub(super) answer_by: Option<DateTime>,
}

/// Input of `acceptResponse`.
#[derive(InputObject)]
pub(crate) struct AcceptResponseInput {
    /// The complaint; a response must have been offered.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
}

/// Input of `disputeResponse`.
#[derive(InputObject)]
pub(crate) struct DisputeResponseInput {
    /// The complaint; a response must have been offered.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// Why the customer does not accept it, 1 to 10,000 characters.
    pub(super) reason: String,
}

/// Input of `closeComplaint`.
#[derive(InputObject)]
pub(crate) struct CloseComplaintInput {
    /// The complaint; a response must have been offered or accepted.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// The code of what caused it, 1 to 100 characters.
    pub(super) root_cause: String,
    /// Where the customer can turn to, as they were told, 1 to 10,000 characters. Needed where they have not accepted
    /// the response, and only there.
    pub(super) recourse: Option<String>,
}

/// Input of `reopenComplaint`.
#[derive(InputObject)]
pub(crate) struct ReopenComplaintInput {
    /// The complaint; it must have been closed within the last 30 days.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// Why, 1 to 10,000 characters.
    pub(super) reason: String,
}

/// Input of `markOutOfScope`.
#[derive(InputObject)]
pub(crate) struct MarkOutOfScopeInput {
    /// The complaint; it must be `ASSESSED`.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// Why it is not for us to settle, as the customer was told, 1 to 10,000 characters.
    pub(super) reason: String,
}

/// Input of `mergeComplaint`.
#[derive(InputObject)]
pub(crate) struct MergeComplaintInput {
    /// The duplicate; it must be open.
    pub(super) id: ID,
    /// The version of the duplicate that you read.
    pub(super) version: i32,
    /// The open complaint of the same customer that lives on.
    pub(super) into_id: ID,
}
