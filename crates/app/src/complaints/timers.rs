//! Rungs of the ladder are raised as their time comes, and clocks follow policies and calendars that change.
//!
//! Every open complaint says when it is to be looked at next. Any worker may look: the version of the complaint
//! decides that each rung is raised once, and a worker that dies leaves it due.

use std::time::Duration;

use evenhand_domain::access::Permission;
use evenhand_domain::complaints::Absence;
use evenhand_domain::error::Result;
use evenhand_domain::id::{ComplaintId, OrganizationId, UserId};
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::UserStatus;
use evenhand_persistence::{Reader, Tx};
use tokio::sync::watch;

use super::handling::Basis;
use super::notices;
use crate::door::{App, Command};

/// Due complaints that are read at a time.
const DUE_BATCH: u64 = 64;
/// How often to look for due complaints.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a complaint is left alone after it could not be looked at, in seconds: others come first.
const POSTPONE_SECONDS: i64 = 60;

/// Whether the owner of a complaint can work on it.
struct Presence {
    absence: Option<Absence>,
    /// When they leave for another time.
    next_leave: Option<Timestamp>,
}

impl Presence {
    async fn of(reader: &Reader<'_>, owner: UserId) -> Result<Self> {
        let owner = reader.user(owner).await?;
        if owner.status == UserStatus::Deactivated || !owner.role.may(Permission::HandleComplaints) {
            let since = owner.deactivated_at.unwrap_or(owner.updated_at);
            return Ok(Self { absence: Some(Absence::Gone(since)), next_leave: None });
        }
        let leaves = reader.leaves_of_users(&[owner.id]).await?.remove(&owner.id).unwrap_or_default();
        let (now, zone) = (reader.now(), reader.grant().zone());
        let today = now.date_in(zone);
        let start = |date| Timestamp::start_of(date, zone);
        let away = leaves.iter().find(|leave| leave.days.from <= today && today < leave.days.to);
        let next = leaves.iter().map(|leave| leave.days.from).filter(|&from| from > today).min();
        Ok(Self {
            absence: away.map(|leave| Absence::Away(start(leave.days.from))),
            next_leave: next.map(start),
        })
    }
}

/// Looks at a complaint whose time has come; false where there is nothing to do, or somebody else does it.
struct LookAt(ComplaintId);

impl Command for LookAt {
    const PERMISSION: Permission = Permission::HandleComplaints;
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool> {
        let Some(due) = tx.due_complaint(self.0).await? else { return Ok(false) };
        let (mut complaint, mut seen) = (due.complaint, due.due_at);
        let known = complaint.escalations.len();
        let basis = Basis::followed(tx, &complaint).await?;
        let handling = basis.handling(tx);
        let presence = Presence::of(&tx.read(), complaint.owner_id).await?;
        if let Some(change) = complaint.recalculate(&handling)? {
            complaint = tx.save(change).await?;
            seen = tx.now();
        }
        while let Some(change) = complaint.escalate(presence.absence, tx.new_id(), &handling) {
            complaint = tx.save(change).await?;
            seen = tx.now();
        }
        notices::tell_raised(tx, &complaint, known).await?;
        let pending = complaint.pending_rungs(&handling.service, presence.absence);
        let next =
            pending.first().map(|pending| pending.arises_at).into_iter().chain(presence.next_leave).min();
        tx.look_again(&complaint, seen, next).await?;
        Ok(true)
    }
}

impl App {
    /// Raises rungs as their time comes, until `stop` turns true.
    pub async fn run_timers(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.look_at_due_complaints().await {
                Ok(1..) => continue,
                Ok(0) => {}
                Err(error) => tracing::warn!(%error, "complaints could not be looked at; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                // An error means that the sender is gone, which is a reason to look again as well.
                _ = stop.changed() => {}
            }
        }
    }

    /// Looks at the complaints that are due, at most a batch of them; answers how many there were.
    ///
    /// # Errors
    /// When the database cannot be read. A complaint that cannot be looked at is told of and tried again later.
    pub async fn look_at_due_complaints(&self) -> Result<usize> {
        let mut looked = 0;
        for (organization, complaint) in self.store().unscoped_due_complaints(self.now(), DUE_BATCH).await? {
            match self.look_at(organization, complaint).await {
                Ok(done) => looked += usize::from(done),
                Err(error) => {
                    tracing::warn!(%complaint, %error, "a complaint could not be looked at; trying again later");
                    let later = self.now().plus(chrono::Duration::seconds(POSTPONE_SECONDS));
                    self.store().unscoped_postpone_complaint(organization, complaint, later).await?;
                }
            }
        }
        Ok(looked)
    }

    async fn look_at(&self, organization: OrganizationId, complaint: ComplaintId) -> Result<bool> {
        let actor = self.system(organization).await?;
        self.execute(&actor, "timer", &LookAt(complaint)).await
    }
}
