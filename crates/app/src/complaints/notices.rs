//! Who of ours is told of a complaint: by mail, which is queued in the transaction of what it tells.
//!
//! Nobody is told of a complaint that they may not see. A person whose role no longer handles complaints, or who cannot
//! sign in, is not told either.

use evenhand_domain::access::{Permission, Role};
use evenhand_domain::change::SubjectType;
use evenhand_domain::complaints::{Complaint, Confidentiality, Escalation, EscalationRole};
use evenhand_domain::error::Result;
use evenhand_domain::filter::{Filter, OneOf};
use evenhand_domain::id::{EntityId, UserId};
use evenhand_domain::messages::{MessageText, NewMessage, Purpose, Recipient};
use evenhand_domain::page::PageRequest;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::{UserStatus, UserTerm};
use evenhand_persistence::{Reader, Tx};
use uuid::Uuid;

use crate::targets::managers_of;

/// Most people of one role that a notice goes to.
const PEOPLE_MAX: u32 = 50;

fn about(complaint: &Complaint) -> (SubjectType, Uuid) {
    (SubjectType::Complaint, complaint.id.uuid())
}

/// People of a role who can sign in.
async fn everybody(reader: &Reader<'_>, role: Role) -> Result<Vec<UserId>> {
    let filter = Filter::All(vec![
        Filter::Term(UserTerm::Role(OneOf::In(vec![role]))),
        Filter::Term(UserTerm::Status(OneOf::In(vec![UserStatus::Active]))),
    ]);
    let page = reader.users(&PageRequest::first(PEOPLE_MAX), &filter).await?;
    Ok(page.items.into_iter().map(|(user, _)| user.id).collect())
}

/// Those of `people` who can sign in and whose role handles complaints.
async fn able(reader: &Reader<'_>, people: Vec<UserId>) -> Result<Vec<UserId>> {
    let found = reader.users_by_ids(&people).await?;
    let is_able = |id: &UserId| {
        found.iter().any(|user| {
            user.id == *id && user.status == UserStatus::Active && user.role.may(Permission::HandleComplaints)
        })
    };
    Ok(people.into_iter().filter(is_able).collect())
}

/// Whom a rung names, as far as they may see the complaint; the administrators where that is nobody.
async fn named(reader: &Reader<'_>, role: EscalationRole, complaint: &Complaint) -> Result<Vec<UserId>> {
    let is_open_to_all = complaint.confidentiality == Confidentiality::Normal;
    let people = match role {
        EscalationRole::Owner => vec![complaint.owner_id],
        EscalationRole::ServiceAgents => everybody(reader, Role::ServiceAgent).await?,
        EscalationRole::AccountManager if is_open_to_all => {
            complaint.account_manager_id.into_iter().collect()
        }
        EscalationRole::OwnerLead if is_open_to_all => {
            managers_of(reader, complaint.owner_id).await?.into_iter().take(1).collect()
        }
        EscalationRole::Managers if is_open_to_all => {
            let mut managers = managers_of(reader, complaint.owner_id).await?;
            if let Some(account_manager) = complaint.account_manager_id {
                managers.extend(managers_of(reader, account_manager).await?);
            }
            managers.sort_unstable();
            managers.dedup();
            managers
        }
        EscalationRole::AccountManager
        | EscalationRole::OwnerLead
        | EscalationRole::Managers
        | EscalationRole::Admins => Vec::new(),
    };
    let people = able(reader, people).await?;
    if people.is_empty() { everybody(reader, Role::Admin).await } else { Ok(people) }
}

/// Queues a notice for each of `people`.
async fn tell(
    tx: &Tx,
    complaint: &Complaint,
    people: Vec<UserId>,
    (subject, text): (String, String),
    due_at: Timestamp,
) -> Result<()> {
    let message = |user| NewMessage {
        purpose: Purpose::Notice,
        to: Recipient::User(user),
        about: about(complaint),
        subject: subject.clone(),
        text: MessageText::Plain(text.clone()),
        due_at,
    };
    tx.queue(&people.into_iter().map(message).collect::<Vec<_>>()).await
}

/// An instant as people of the organisation read it.
fn local(tx: &Tx, at: Timestamp) -> String {
    at.utc().with_timezone(&tx.grant().zone()).format("%Y-%m-%d %H:%M %Z").to_string()
}

/// Tells the account manager, the service department and the owner of a new complaint, but not whoever recorded it.
pub(super) async fn tell_recorded(tx: &Tx, complaint: &Complaint) -> Result<()> {
    let reader = tx.read();
    let mut people = vec![complaint.owner_id];
    if complaint.confidentiality == Confidentiality::Normal {
        people.extend(complaint.account_manager_id);
    }
    people.extend(everybody(&reader, Role::ServiceAgent).await?);
    people.sort_unstable();
    people.dedup();
    people.retain(|person| Some(*person) != tx.grant().user());
    let people = able(&reader, people).await?;
    let subject = format!("Complaint {}: {}", complaint.number, complaint.subject);
    let danger = if complaint.is_safety_risk { "Somebody's safety is at stake.\n\n" } else { "" };
    let text = format!(
        "{danger}Complaint {} was recorded on {}: {}\n\nSomething is to be done by {}.\n",
        complaint.number,
        local(tx, complaint.recorded_at),
        complaint.subject,
        local(tx, complaint.next_action_due),
    );
    tell(tx, complaint, people, (subject, text), tx.now()).await
}

/// Tells those whom the rungs name that were raised since the complaint had `known` of them.
pub(super) async fn tell_raised(tx: &Tx, complaint: &Complaint, known: usize) -> Result<()> {
    for escalation in complaint.escalations.iter().skip(known) {
        let people = named(&tx.read(), escalation.role, complaint).await?;
        tell(tx, complaint, people, notice(tx, complaint, escalation), escalation.notify_at).await?;
    }
    Ok(())
}

fn notice(tx: &Tx, complaint: &Complaint, escalation: &Escalation) -> (String, String) {
    let (cause, rung) = (escalation.key.cause.as_str(), escalation.key.rung);
    let subject = format!("Escalation of complaint {} ({cause}, rung {rung})", complaint.number);
    let text = format!(
        "Complaint {}: {}\n\nEscalated on {} for {cause}, rung {rung}. Take charge of it by {}, or the next rung is \
         raised.\n\nSomething is to be done by {}.\n",
        complaint.number,
        complaint.subject,
        local(tx, escalation.raised_at),
        local(tx, escalation.accept_by),
        local(tx, complaint.next_action_due),
    );
    (subject, text)
}

/// Takes back what waits to be told of a complaint that has ended.
pub(super) async fn forget(tx: &Tx, complaint: &Complaint) -> Result<()> {
    if complaint.state.is_open() {
        return Ok(());
    }
    tx.drop_messages(about(complaint), "the complaint has ended").await
}
