//! What is done with complaints, and by which policy and hours their clocks are computed then.

use evenhand_domain::access::{Actor, Permission, Principal};
use evenhand_domain::calendars::{WorkCalendar, WorkHours};
use evenhand_domain::change::Version;
use evenhand_domain::complaints::{
    Assessment, Case, CloseComplaint, Complaint, Handling, NewAwait, NewComplaint, NewNote, NewResponse,
    Reopening, Service, SlaPolicy, Standing, SurveyWithdrawal, choose,
};
use evenhand_domain::error::{Error, Problem, Reference, Result};
use evenhand_domain::id::{ComplaintId, EscalationId, UserId};
use evenhand_persistence::Tx;

use super::surveys::withdraw;
use super::{RecordComplaint, notices};
use crate::door::Command;
use crate::targets::managers_of;

/// What the clocks of a complaint are computed by now.
pub(super) struct Basis {
    policy: Option<SlaPolicy>,
    calendars: Vec<WorkCalendar>,
    standard: WorkHours,
}

impl Basis {
    /// By the policy that fits best.
    async fn chosen(tx: &Tx, case: &Case) -> Result<Self> {
        let policies = tx.read().active_sla_policies().await?;
        Self::of(tx, choose(&policies, case).cloned()).await
    }

    /// By the policy that the complaint follows, as it is now.
    pub(super) async fn followed(tx: &Tx, complaint: &Complaint) -> Result<Self> {
        let policy = match complaint.policy().and_then(|stamp| stamp.policy_id) {
            Some(id) => Some(tx.read().sla_policy(id).await?),
            None => None,
        };
        Self::of(tx, policy).await
    }

    async fn of(tx: &Tx, policy: Option<SlaPolicy>) -> Result<Self> {
        let wanted = policy.as_ref().and_then(|policy| policy.calendar_id);
        let calendars = tx.read().work_calendars_or_default(wanted.as_slice()).await?;
        Ok(Self { policy, calendars, standard: WorkHours::standard(tx.grant().zone()) })
    }

    pub(super) fn handling(&self, tx: &Tx) -> Handling<'_> {
        let service = Service::of(self.policy.as_ref(), &self.calendars, &self.standard);
        Handling { by: tx.grant().user(), service, now: tx.now() }
    }
}

impl Command for RecordComplaint {
    const PERMISSION: Permission = Permission::HandleComplaints;
    type Output = Complaint;

    async fn run(&self, tx: &mut Tx) -> Result<Complaint> {
        let owner_id = self.owner_id.or(tx.grant().user()).ok_or_else(|| Problem::required("ownerId"))?;
        Complaint::check_owner(&tx.read().user(owner_id).await.referenced("ownerId")?)?;
        let customer = tx.read().customer(self.customer_id).await.referenced("customerId")?;
        if let Some(product) = self.product_id {
            tx.read().product(product).await.referenced("productId")?;
        }
        let number = match &self.number {
            Some(number) => number.clone(),
            None => tx.free_complaint_number().await?,
        };
        let input = NewComplaint {
            number,
            customer_id: customer.id,
            contact_id: None,
            reporter: self.reporter.clone(),
            subject: self.subject.clone(),
            description: self.description.clone(),
            channel: self.channel,
            remedy: self.remedy.clone(),
            product_id: self.product_id,
            owner_id,
            account_manager_id: customer.owner_id,
            confidentiality: self.confidentiality,
            is_safety_risk: self.is_safety_risk,
            attachments: self.attachments.clone(),
            occurred_at: self.occurred_at,
        };
        let case = Case {
            severity: None,
            product_id: self.product_id,
            customer_grade: customer.grade,
            channel: self.channel,
        };
        let basis = Basis::chosen(tx, &case).await?;
        let change = Complaint::record(&input, tx.new_id(), &basis.handling(tx))?;
        let complaint = tx.save(change).await?;
        notices::tell_recorded(tx, &complaint).await?;
        Ok(complaint)
    }
}

/// A step of the work on a complaint.
#[derive(Debug)]
pub enum Step {
    /// The customer was told that it has arrived.
    Acknowledge,
    /// How bad it is was judged; the policy that fits is chosen.
    Assess(Assessment),
    /// Somebody gets it.
    Assign(UserId),
    /// Somebody is awaited.
    Await(NewAwait),
    /// Work goes on after somebody was awaited.
    Resume,
    /// Something is written down, or told to the customer.
    Note(NewNote),
    /// A response is offered to the customer.
    Offer(NewResponse),
    /// The customer accepts the response.
    Accept,
    /// The customer does not accept it, and why.
    Dispute(String),
    /// It is settled.
    Close(CloseComplaint),
    /// It is taken up again, and why.
    Reopen(String),
    /// It is not for us to settle; what the customer was told.
    DeclareOutOfScope(String),
    /// It is a duplicate of this one, which lives on.
    MergeInto(ComplaintId),
    /// The caller takes charge of this escalation.
    AcceptEscalation(EscalationId),
}

/// Takes a step with a complaint.
#[derive(Debug)]
pub struct HandleComplaint {
    /// Which complaint.
    pub id: ComplaintId,
    /// The version that the client saw.
    pub version: Version,
    /// What is done.
    pub step: Step,
}

impl Command for HandleComplaint {
    const PERMISSION: Permission = Permission::HandleComplaints;
    type Output = Complaint;

    async fn run(&self, tx: &mut Tx) -> Result<Complaint> {
        let complaint = tx.read().complaint(self.id).await?;
        if complaint.version != self.version {
            return Err(Error::Conflict);
        }
        let after = self.take(tx, &complaint).await?;
        notices::tell_raised(tx, &after, complaint.escalations.len()).await?;
        notices::forget(tx, &after).await?;
        Ok(after)
    }
}

impl HandleComplaint {
    async fn take(&self, tx: &mut Tx, complaint: &Complaint) -> Result<Complaint> {
        let basis = match &self.step {
            Step::Assess(input) => {
                let grade = tx.read().unscoped_customer_grade(complaint.customer_id).await?;
                Basis::chosen(tx, &Case { severity: Some(input.severity), ..complaint.case(grade) }).await?
            }
            _ => Basis::followed(tx, complaint).await?,
        };
        let handling = basis.handling(tx);
        let change = match &self.step {
            Step::Acknowledge => complaint.acknowledge(&handling),
            Step::Assess(input) => complaint.assess(input, &handling),
            Step::Assign(owner) => {
                complaint.assign(&tx.read().user(*owner).await.referenced("ownerId")?, &handling)
            }
            Step::Await(input) => complaint.wait(input, &handling),
            Step::Resume => complaint.resume(&handling),
            Step::Note(input) => complaint.add_note(input, &handling),
            Step::Offer(input) => complaint.offer_response(input, &handling),
            Step::Accept => complaint.accept_response(&handling),
            Step::Dispute(reason) => complaint.dispute_response(reason, tx.new_id(), &handling),
            Step::Close(input) => return close(tx, complaint, input, &handling).await,
            Step::Reopen(reason) => return reopen(tx, complaint, reason, &handling).await,
            Step::DeclareOutOfScope(reason) => complaint.declare_out_of_scope(reason, &handling),
            Step::MergeInto(survivor) => return merge(tx, complaint, *survivor).await,
            Step::AcceptEscalation(id) => {
                complaint.accept_escalation(*id, &standing(tx, complaint).await?, &handling)
            }
        };
        tx.save(change?).await
    }
}

/// The caller as the ladder sees them; nobody takes charge in the name of the system.
async fn standing(tx: &Tx, complaint: &Complaint) -> Result<Standing> {
    let Actor::User(Principal { user, role, .. }) = tx.grant().actor() else { return Err(Error::Forbidden) };
    let leads = managers_of(&tx.read(), complaint.owner_id).await?;
    Ok(Standing { user_id: user, role, leads_owner: leads.contains(&user) })
}

async fn close(
    tx: &mut Tx,
    complaint: &Complaint,
    input: &CloseComplaint,
    handling: &Handling<'_>,
) -> Result<Complaint> {
    let closed = complaint.close(input, tx.new_id(), handling)?;
    let complaint = tx.save(closed.change).await?;
    tx.save(closed.survey).await?;
    Ok(complaint)
}

/// Nobody is asked how a complaint was handled that is being handled.
async fn reopen(
    tx: &mut Tx,
    complaint: &Complaint,
    reason: &str,
    handling: &Handling<'_>,
) -> Result<Complaint> {
    let change = complaint.reopen(Reopening::Asked { reason }, tx.new_id(), handling)?;
    let survey = tx.read().running_survey(complaint.id).await?;
    if let Some(survey) = survey {
        withdraw(tx, &survey, SurveyWithdrawal::Reopened).await?;
    }
    tx.save(change).await
}

async fn merge(tx: &mut Tx, duplicate: &Complaint, survivor: ComplaintId) -> Result<Complaint> {
    let survivor = tx.read().complaint(survivor).await.referenced("intoId")?;
    let basis = Basis::followed(tx, &survivor).await?;
    let merged = duplicate.merge_into(&survivor, &basis.handling(tx))?;
    tx.save(merged.survivor).await?;
    tx.save(merged.duplicate).await
}
