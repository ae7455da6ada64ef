//! Mutations of complaints: inputs become commands.

use async_graphql::{ComplexObject, Context, ID, Object, Result};
use evenhand_app::complaints::{HandleComplaint, Step};
use evenhand_domain::complaints::{
    self as domain, Assessment, CloseComplaint, NewAwait, NewNote, NewResponse, NoteAudience,
};
use evenhand_domain::error::Problem;
use evenhand_domain::id::EntityId;

use super::Complaint;
use super::escalations::AcceptEscalationInput;
use super::inputs::{
    AcceptResponseInput, AcknowledgeComplaintInput, AddComplaintNoteInput, AssessComplaintInput,
    AssignComplaintInput, AwaitComplaintInput, CloseComplaintInput, DisputeResponseInput,
    MarkOutOfScopeInput, MergeComplaintInput, OfferResponseInput, RecordComplaintInput, ReopenComplaintInput,
    ResumeComplaintInput, attachments,
};
use super::open::duplicates_of;
use crate::context::Request;
use crate::error::payload;
use crate::ids;

payload! {
    /// Result of `recordComplaint`.
    #[graphql(complex)]
    RecordComplaintPayload {
        /// The new complaint; null when the input was wrong.
        complaint: Complaint
    }
}

#[ComplexObject]
impl RecordComplaintPayload {
    /// Complaints of the same customer that may be the same, as `Complaint.possibleDuplicates` suggests them.
    async fn possible_duplicates(&self, ctx: &Context<'_>) -> Result<Vec<Complaint>> {
        match &self.complaint {
            Some(complaint) => duplicates_of(ctx, &complaint.0).await,
            None => Ok(Vec::new()),
        }
    }
}

payload! {
    /// Result of `acknowledgeComplaint`.
    AcknowledgeComplaintPayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `assessComplaint`.
    AssessComplaintPayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `assignComplaint`.
    AssignComplaintPayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `awaitComplaint`.
    AwaitComplaintPayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `resumeComplaint`.
    ResumeComplaintPayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `addComplaintNote`.
    AddComplaintNotePayload {
        /// The complaint after the step, the note in its timeline; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `offerResponse`.
    OfferResponsePayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `acceptResponse`.
    AcceptResponsePayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `disputeResponse`.
    DisputeResponsePayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `closeComplaint`.
    CloseComplaintPayload {
        /// The closed complaint; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `reopenComplaint`.
    ReopenComplaintPayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `markOutOfScope`.
    MarkOutOfScopePayload {
        /// The ended complaint; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `mergeComplaint`.
    MergeComplaintPayload {
        /// The ended duplicate; null when the input was wrong.
        complaint: Complaint
    }
}

payload! {
    /// Result of `acceptEscalation`.
    AcceptEscalationPayload {
        /// The complaint after the step; null when the input was wrong.
        complaint: Complaint
    }
}

/// Takes a step with a complaint.
async fn handle(
    ctx: &Context<'_>,
    id: &ID,
    version: i32,
    step: Step,
) -> evenhand_domain::error::Result<domain::Complaint> {
    let id = ids::decode(id).map_err(|problem| problem.at("id"))?;
    Request::of(ctx).execute(&HandleComplaint { id, version, step }).await
}

fn id_at<I: EntityId>(id: &ID, field: &str) -> std::result::Result<I, Problem> {
    ids::decode(id).map_err(|problem| problem.at(field))
}

/// Mutations of complaints.
#[derive(Default)]
pub(crate) struct ComplaintMutations;

#[Object]
impl ComplaintMutations {
    /// Writes a complaint down. Its clocks run from now, by the policy that fits best.
    async fn record_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The complaint.")] input: RecordComplaintInput,
    ) -> Result<RecordComplaintPayload> {
        RecordComplaintPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }

    /// Notes that the customer was told that the complaint has arrived.
    async fn acknowledge_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint.")] input: AcknowledgeComplaintInput,
    ) -> Result<AcknowledgeComplaintPayload> {
        let result = handle(ctx, &input.id, input.version, Step::Acknowledge);
        AcknowledgeComplaintPayload::of(result.await)
    }

    /// Judges how bad it is. The policy is chosen anew, and running clocks are computed by it from the record on.
    async fn assess_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, and how bad it is.")] input: AssessComplaintInput,
    ) -> Result<AssessComplaintPayload> {
        let step = Step::Assess(Assessment {
            severity: input.severity.0,
            impact: input.impact.0,
            urgency: input.urgency.0,
            is_safety_risk: input.is_safety_risk,
        });
        AssessComplaintPayload::of(handle(ctx, &input.id, input.version, step).await)
    }

    /// Gives the complaint to an owner. Once it is assessed, work on it begins.
    async fn assign_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who gets which complaint.")] input: AssignComplaintInput,
    ) -> Result<AssignComplaintPayload> {
        let result = async {
            let step = Step::Assign(id_at(&input.owner_id, "ownerId")?);
            handle(ctx, &input.id, input.version, step).await
        };
        AssignComplaintPayload::of(result.await)
    }

    /// Waits for somebody until a moment. While it is the customer, the clocks stand still; while it is one of ours,
    /// they run on.
    async fn await_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, for whom and until when.")] input: AwaitComplaintInput,
    ) -> Result<AwaitComplaintPayload> {
        let step = Step::Await(NewAwait { side: input.side.0, whom: input.whom, until: input.until.0 });
        AwaitComplaintPayload::of(handle(ctx, &input.id, input.version, step).await)
    }

    /// Goes on with the work after somebody was awaited.
    async fn resume_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint.")] input: ResumeComplaintInput,
    ) -> Result<ResumeComplaintPayload> {
        ResumeComplaintPayload::of(handle(ctx, &input.id, input.version, Step::Resume).await)
    }

    /// Writes something down, or notes that it was told to the customer. It stands in the timeline for good.
    async fn add_complaint_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, and the note.")] input: AddComplaintNoteInput,
    ) -> Result<AddComplaintNotePayload> {
        let step = Step::Note(NewNote {
            text: input.text,
            audience: input.audience.map_or(NoteAudience::Internal, |audience| audience.0),
            attachments: attachments(input.attachments),
        });
        AddComplaintNotePayload::of(handle(ctx, &input.id, input.version, step).await)
    }

    /// Notes that a response was offered to the customer. The clocks stand still until they are to answer.
    async fn offer_response(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, and the response.")] input: OfferResponseInput,
    ) -> Result<OfferResponsePayload> {
        let answer_by = input.answer_by.map(|at| at.0);
        let step = Step::Offer(NewResponse { text: input.text, answer_by });
        OfferResponsePayload::of(handle(ctx, &input.id, input.version, step).await)
    }

    /// Notes that the customer accepted the response. It is to be carried out before the complaint is closed.
    async fn accept_response(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint.")] input: AcceptResponseInput,
    ) -> Result<AcceptResponsePayload> {
        AcceptResponsePayload::of(handle(ctx, &input.id, input.version, Step::Accept).await)
    }

    /// Notes that the customer did not accept the response. Work goes on.
    async fn dispute_response(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, and why.")] input: DisputeResponseInput,
    ) -> Result<DisputeResponsePayload> {
        let step = Step::Dispute(input.reason);
        DisputeResponsePayload::of(handle(ctx, &input.id, input.version, step).await)
    }

    /// Closes a complaint whose response was carried out, or whose customer knows where else to turn to.
    async fn close_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, and what caused it.")] input: CloseComplaintInput,
    ) -> Result<CloseComplaintPayload> {
        let step = Step::Close(CloseComplaint { root_cause: input.root_cause, recourse: input.recourse });
        CloseComplaintPayload::of(handle(ctx, &input.id, input.version, step).await)
    }

    /// Takes a closed complaint up again. Clocks that have stopped stay as they are; new ones begin.
    async fn reopen_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, and why.")] input: ReopenComplaintInput,
    ) -> Result<ReopenComplaintPayload> {
        let step = Step::Reopen(input.reason);
        ReopenComplaintPayload::of(handle(ctx, &input.id, input.version, step).await)
    }

    /// Ends a complaint that is not for us to settle.
    async fn mark_out_of_scope(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, and why.")] input: MarkOutOfScopeInput,
    ) -> Result<MarkOutOfScopePayload> {
        let step = Step::DeclareOutOfScope(input.reason);
        MarkOutOfScopePayload::of(handle(ctx, &input.id, input.version, step).await)
    }

    /// Ends a duplicate. The complaint that lives on counts from the earlier record of the two.
    async fn merge_complaint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaint, and into which.")] input: MergeComplaintInput,
    ) -> Result<MergeComplaintPayload> {
        let result = async {
            let step = Step::MergeInto(id_at(&input.into_id, "intoId")?);
            handle(ctx, &input.id, input.version, step).await
        };
        MergeComplaintPayload::of(result.await)
    }

    /// Takes charge of an escalation: the next rung is not raised for want of somebody. For those whom it names,
    /// managers in whose reach the complaint lies unless it names the administrators, and administrators.
    async fn accept_escalation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which escalation of which complaint.")] input: AcceptEscalationInput,
    ) -> Result<AcceptEscalationPayload> {
        let result = async {
            let step = Step::AcceptEscalation(id_at(&input.escalation_id, "escalationId")?);
            handle(ctx, &input.id, input.version, step).await
        };
        AcceptEscalationPayload::of(result.await)
    }
}
