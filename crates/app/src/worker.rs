//! What runs beside the requests: the sequencer of the event log and the background jobs.
//!
//! A job acts for its organisation as the system, carries ids only, may run twice, and says by its error
//! whether another try makes sense.

use std::time::Duration;

use evenhand_domain::access::{Actor, Permission};
use evenhand_domain::change::JobRequest;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, InvitationId};
use evenhand_domain::organizations::Organization;
use evenhand_domain::sessions::Invitation;
use evenhand_domain::users::User;
use evenhand_persistence::{ClaimedJob, Reader};
use tokio::sync::watch;

use crate::door::{App, Query};
use crate::invitations::INVITATION_CONTEXT;

/// Events numbered in one transaction.
const SEQUENCE_BATCH: u64 = 1_024;
/// How often to look for work that another node left; work of this node wakes at once.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a claimed job is safe from other workers; a long one renews nothing, so it must fit.
const LEASE_MINUTES: i64 = 15;
/// Tries before a job is given up and kept for inspection.
const ATTEMPTS_MAX: i32 = 10;
/// How long messages are kept that are over.
const MESSAGE_DAYS: i64 = 90;
/// How often expired technical rows are deleted.
const TIDY_MINUTES: i64 = 60;
/// How often to look for days that are to be closed: somewhere it is past midnight.
const CLOSE_MINUTES: i64 = 60;
/// First wait after a failure, in seconds; it doubles with each try.
const BACKOFF_SECONDS: i64 = 5;
/// Longest wait between tries, in seconds.
const BACKOFF_SECONDS_MAX: i64 = 3_600;

impl App {
    /// Numbers the waiting events until there are none.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn sequence_all(&self) -> Result<()> {
        loop {
            match self.store().sequence_events(SEQUENCE_BATCH).await {
                Ok(0) => return Ok(()),
                Ok(_) => self.feed().send_modify(|batches| *batches += 1),
                // Another node is at it, and numbers ours too.
                Err(Error::Contention) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Numbers events as they are committed, until `stop` turns true.
    pub async fn run_sequencer(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.sequence_all().await {
                tracing::warn!(%error, "events could not be numbered; trying again");
            }
            self.wait(&mut stop).await;
        }
    }

    /// Runs jobs as they fall due, one at a time, until `stop` turns true; tidies up and closes old days now and then.
    pub async fn run_jobs(&self, mut stop: watch::Receiver<bool>) {
        let (mut tidy_at, mut close_at) = (self.now(), self.now());
        while !*stop.borrow() {
            if tidy_at <= self.now() {
                tidy_at = self.now().plus(chrono::Duration::minutes(TIDY_MINUTES));
                if let Err(error) = self.tidy().await {
                    tracing::warn!(%error, "old attempts and tokens could not be deleted; trying again later");
                }
            }
            if close_at <= self.now() {
                let more = self.close_old_days().await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "old days could not be closed; trying again later");
                    false
                });
                // Jobs come in between when there is much to close.
                let wait = if more { 0 } else { CLOSE_MINUTES };
                close_at = self.now().plus(chrono::Duration::minutes(wait));
            }
            match self.run_due_job().await {
                Ok(true) => {}
                Ok(false) => self.wait(&mut stop).await,
                Err(error) => {
                    tracing::warn!(%error, "jobs could not be claimed; trying again");
                    self.wait(&mut stop).await;
                }
            }
        }
    }

    /// Deletes what has expired and means nothing any more: counted attempts, refresh tokens, revoked tokens,
    /// quotas, idempotency keys and messages that are over.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn tidy(&self) -> Result<()> {
        let before = self.now().plus(-chrono::Duration::minutes(TIDY_MINUTES));
        let attempts = self.store().forget_old_attempts(before).await?;
        let tokens = self.store().forget_old_refresh_tokens(before).await?;
        let revoked = self.store().forget_revoked_tokens(before).await?;
        let quotas = self.store().forget_full_quotas(before).await?;
        let keys = self.store().forget_old_keys(before).await?;
        let old = self.now().plus(-chrono::Duration::days(MESSAGE_DAYS));
        let messages = self.store().forget_old_messages(old).await?;
        tracing::debug!(attempts, tokens, revoked, quotas, keys, messages, "deleted what had expired");
        Ok(())
    }

    pub(crate) async fn wait(&self, stop: &mut watch::Receiver<bool>) {
        tokio::select! {
            () = self.store().committed() => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            // An error means that the sender is gone, which is a reason to look again as well.
            _ = stop.changed() => {}
        }
    }

    /// Runs one due job; false when there is none.
    ///
    /// # Errors
    /// When the database cannot be reached. A failure of the job itself is kept with the job.
    pub async fn run_due_job(&self) -> Result<bool> {
        let now = self.now();
        let lease_end = now.plus(chrono::Duration::minutes(LEASE_MINUTES));
        let Some(job) = self.store().claim_job(now, lease_end).await? else {
            return Ok(false);
        };
        match self.run_job(&job).await {
            Ok(()) => self.store().finish_job(&job).await?,
            Err(error) => {
                let again = retry_after(&error, job.attempts, ATTEMPTS_MAX);
                tracing::warn!(job = %job.id, attempts = job.attempts, %error, retry = again.is_some(), "job failed");
                let due_at = again.map(|wait| self.now().plus(wait));
                self.store().fail_job(&job, due_at, &error.to_string()).await?;
            }
        }
        Ok(true)
    }

    async fn run_job(&self, job: &ClaimedJob) -> Result<()> {
        let actor = self.system(job.organization).await?;
        match &job.request {
            JobRequest::SendInvitation { invitation, sealed_token } => {
                self.send_invitation(&actor, *invitation, sealed_token).await
            }
            JobRequest::RunImport { import } => crate::imports::run_import_job(self, &actor, *import).await,
        }
    }

    async fn send_invitation(&self, actor: &Actor, id: InvitationId, sealed_token: &str) -> Result<()> {
        let Some(mailer) = &self.services().mailer else {
            return Err(Error::Unavailable("mail is not configured".into()));
        };
        let (organization, invitation, user) = self.query(actor, &InvitationMail(id)).await?;
        let Some(email) = user.email.filter(|_| invitation.accept(self.now()).is_ok()) else {
            // Withdrawn or used in the meantime: there is nothing to tell.
            return Ok(());
        };
        let token = self.services().sealer.open(INVITATION_CONTEXT, sealed_token)?;
        let token =
            String::from_utf8(token).map_err(|_| Error::Internal("a sealed token is no text".into()))?;
        let subject = format!("Invitation to {}", organization.name);
        let text = format!(
            "Hello {},\n\nyou are invited to work with {} in Evenhand. Choose your password here:\n\n{}\n\n\
             The link works once, until {}.\n",
            user.name,
            organization.name,
            self.invitation_link(&token),
            invitation.expires_at.utc().format("%Y-%m-%d %H:%M UTC"),
        );
        mailer.send(id.uuid(), &email, &subject, &text).await
    }
}

/// How long to wait before the next try; `None` when another try cannot help.
pub(crate) fn retry_after(error: &Error, attempts: i32, attempts_max: i32) -> Option<chrono::Duration> {
    let passing = matches!(
        error,
        Error::Unavailable(_) | Error::Contention | Error::Conflict | Error::Throttled { .. }
    );
    (passing && attempts < attempts_max).then(|| {
        let doubled = BACKOFF_SECONDS << attempts.clamp(0, 20);
        chrono::Duration::seconds(doubled.min(BACKOFF_SECONDS_MAX))
    })
}

struct InvitationMail(InvitationId);

impl Query for InvitationMail {
    const PERMISSION: Permission = Permission::ManageUsers;
    type Output = (Organization, Invitation, User);

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let invitation = reader.invitation(self.0).await?;
        let user = reader.user(invitation.user_id).await?;
        Ok((reader.organization().await?, invitation, user))
    }
}
