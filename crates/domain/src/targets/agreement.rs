//! How terms come about: proposed, answered, signed by both sides, taken back.

use chrono::NaiveDate;

use super::lines::Metric;
use super::signing::{Side, Signature};
use super::terms::{self, Frame, NewTerms, Terms};
use super::{Acting, Step, Target, TargetLevel, TargetOwner, TargetState, period_over, self_approval};
use crate::change::{Change, EventKind};
use crate::error::{Code, Error, Problem, Problems, Result};
use crate::id::{SupportResourceId, TargetId, UserId};
use crate::text;
use crate::time::Period;

/// Most versions that the terms of one target can have.
pub const TERMS_MAX: i32 = 100;

/// Input of [`Target::propose`].
#[derive(Clone, Debug)]
pub struct NewTarget<'a> {
    /// Whose it is to be.
    pub owner: TargetOwner,
    /// The lead of the owning team, who will sign for it; not looked at for a person.
    pub lead_id: Option<UserId>,
    /// When it is to count.
    pub period: Period,
    /// How much it asks.
    pub level: TargetLevel,
    /// The target of the team that it is a part of.
    pub parent: Option<&'a Target>,
    /// The owner's live target of this period and level, if there is one already.
    pub existing: Option<TargetId>,
    /// What is asked.
    pub terms: NewTerms,
}

impl NewTarget<'_> {
    fn signer(&self) -> Option<UserId> {
        match self.owner {
            TargetOwner::User(user) => Some(user),
            TargetOwner::Team(_) => self.lead_id,
        }
    }

    fn check(&self, acting: &Acting, problems: &mut Problems) {
        let signer = self.signer();
        if signer.is_none() {
            let message = "The team has no lead who could sign for it; give it one first.";
            problems.push(Problem::new(Code::Required, message).at("ownerId"));
        }
        if acting.side == Some(Side::Owner) || signer == Some(acting.user_id) {
            let problem =
                self_approval("Nobody sets their own target; your manager proposes it and you answer.");
            problems.push(problem.at("ownerId"));
        }
        if self.existing.is_some() {
            let message =
                "The owner has a target of this level for this period; counter, amend or withdraw it.";
            problems.push(Problem::new(Code::Taken, message).at("period"));
        }
        if acting.today() >= self.period.end() {
            problems.push(period_over(self.period).at("period"));
        }
        if self.parent.is_some_and(|parent| !self.is_part_of(parent)) {
            let message = "The target above must be a live one of a team, for the same period and level.";
            problems.push(Problem::new(Code::NotApplicable, message).at("parentId"));
        }
        if self.terms.effective_from.is_some_and(|from| from != self.period.start()) {
            let message = "A target begins with its period; only an amendment begins later.";
            problems.push(Problem::new(Code::NotApplicable, message).at("effectiveFrom"));
        }
    }

    fn is_part_of(&self, parent: &Target) -> bool {
        matches!(parent.owner, TargetOwner::Team(_))
            && parent.owner != self.owner
            && (parent.period, parent.level) == (self.period, self.level)
            && !matches!(parent.state, TargetState::Closed | TargetState::Withdrawn)
    }
}

impl Target {
    /// Puts a target on the table. That the owner exists and works here is for the caller to see to, see
    /// [`Target::check_owner`].
    ///
    /// # Errors
    /// One problem for each part that is missing: `TARGET_NOT_QUANTIFIED`, `TARGET_NOT_DATED`,
    /// `TARGET_NOT_LINKED`, `TARGET_NOT_DERIVED`, `TARGET_NOT_ACHIEVABLE`; `SELF_APPROVAL` for one's own target
    /// or exception; `TAKEN`, `PERIOD_OVER`, `NOT_APPLICABLE` for a target above that does not fit; and
    /// every field that is wrong.
    pub fn propose(
        input: &NewTarget<'_>,
        id: TargetId,
        new_id: impl FnMut() -> SupportResourceId,
        acting: &Acting,
    ) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        input.check(acting, &mut problems);
        let frame = Frame {
            number: 1,
            period: input.period,
            level: input.level,
            effective_from: input.period.start(),
            author_id: acting.user_id,
            author_side: Side::Manager,
            owner_id: input.signer(),
            now: acting.now,
        };
        let terms = terms::check(&input.terms, &frame, new_id, &mut problems);
        let target = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                owner: input.owner,
                period: input.period,
                level: input.level,
                state: TargetState::Proposed,
                parent_id: input.parent.map(|parent| parent.id),
                terms: terms?,
                amendment: None,
                history: Vec::new(),
                buffer: Vec::new(),
                published_at: None,
                activated_at: None,
                late_activation: None,
                closed_at: None,
                withdrawn_at: None,
                withdraw_reason: None,
                created_at: acting.now,
                updated_at: acting.now,
            })
        })?;
        Ok(Change::created(EventKind::TargetProposed, target))
    }

    /// Answers the terms on the table with other ones. The earlier ones are kept; signatures begin anew.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when nothing is on the table, or one's own side's terms are; `NOT_PERMITTED` for
    /// somebody on neither side; `PERIOD_OVER`; `TOO_MANY`; for an amendment what [`Target::amend`] says about
    /// its day; and all that [`Target::propose`] says about the terms.
    pub fn counter(
        &self,
        input: &NewTerms,
        new_id: impl FnMut() -> SupportResourceId,
        acting: &Acting,
    ) -> Result<Change<Self>> {
        self.check_step(Step::Counter)?;
        let open = self.on_the_table().ok_or_else(no_terms)?;
        let side = match acting.side {
            Some(side @ (Side::Owner | Side::Manager)) => side,
            Some(Side::Approver) | None => return Err(not_a_party().into()),
        };
        if side == open.author_side {
            let message = "The terms of your own side are on the table; it is for the other side to answer.";
            return Err(Problem::new(Code::InvalidTransition, message).into());
        }
        let mut problems = Problems::default();
        let effective_from = match self.amendment {
            Some(_) => problems.take(
                "effectiveFrom",
                self.check_amendment_day(input.effective_from.unwrap_or(open.effective_from), acting),
            ),
            None => problems.take("effectiveFrom", self.check_first_day(input.effective_from)),
        };
        let terms = self.check_terms(input, (side, effective_from), new_id, acting, &mut problems);
        let terms = problems.finish_with(|| terms)?;

        let mut after = Self { updated_at: acting.now, ..self.clone() };
        let answered = std::mem::replace(after.amendment.as_mut().unwrap_or(&mut after.terms), terms);
        after.keep(answered);
        if after.amendment.is_none() {
            after.state = if side == Side::Owner { TargetState::Countered } else { TargetState::Proposed };
        }
        Ok(Change::updated(EventKind::TargetCountered, self, after))
    }

    /// Puts other terms for the rest of the period on the table. Days before they take force keep the present
    /// ones. Support that was promised stays owed; the input says what is added.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` unless the target is active and no amendment is open; `SELF_APPROVAL` for the
    /// owner; `REQUIRED`, `TOO_EARLY` (a day that has passed) or `OUT_OF_RANGE` (after the period) for the
    /// day; `CURRENCY_MISMATCH`; `TOO_MANY`; and all that [`Target::propose`] says about the terms.
    pub fn amend(
        &self,
        input: &NewTerms,
        new_id: impl FnMut() -> SupportResourceId,
        acting: &Acting,
    ) -> Result<Change<Self>> {
        self.check_step(Step::Amend)?;
        self.check_not_owner(acting)?;
        let mut problems = Problems::default();
        let day = input.effective_from.ok_or_else(|| Problem::new(Code::Required, "A value is required."));
        let effective_from =
            problems.take("effectiveFrom", day.and_then(|day| self.check_amendment_day(day, acting)));
        let terms = self.check_terms(input, (Side::Manager, effective_from), new_id, acting, &mut problems);
        let terms = problems.finish_with(|| terms)?;
        let after = Self { amendment: Some(terms), updated_at: acting.now, ..self.clone() };
        Ok(Change::updated(EventKind::AmendmentProposed, self, after))
    }

    /// Signs the terms on the table, which the signer knows by their [hash](Target::hash). The last signature
    /// makes the agreement.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when nothing is on the table; `NOT_PERMITTED` for somebody on neither side or not the
    /// approver; `TERMS_CHANGED` for another hash; `SELF_APPROVAL` for somebody who signed as something
    /// else; `ALREADY_SIGNED`; `PERIOD_OVER`.
    pub fn sign(&self, hash: &str, acting: &Acting) -> Result<Change<Self>> {
        self.check_step(Step::Sign)?;
        self.check_not_over(acting.today())?;
        let open = self.on_the_table().ok_or_else(no_terms)?;
        let side = acting.side.ok_or_else(not_a_party)?;
        self.check_signer(open, side, acting.user_id)?;
        if hash != self.hash(open) {
            let message =
                "These are not the terms on the table; read the target again and sign what it says now.";
            return Err(Problem::new(Code::TermsChanged, message).into());
        }
        let mut after = Self { updated_at: acting.now, ..self.clone() };
        let signed = after.amendment.as_mut().unwrap_or(&mut after.terms);
        let (user_id, signed_at) = (acting.user_id, acting.now);
        signed.signatures.push(Signature { user_id, side, hash: hash.to_owned(), signed_at });
        let kind = if signed.is_fully_signed() {
            signed.agreed_at = Some(acting.now);
            if after.amendment.is_none() {
                after.state = TargetState::Agreed;
            }
            EventKind::TargetAgreed
        } else {
            EventKind::TargetSigned
        };
        Ok(Change::updated(kind, self, after))
    }

    /// Takes back a target that does not count yet, or the open amendment of one that does.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` for a target that counts, has counted or is withdrawn; `SELF_APPROVAL` for the
    /// owner, who counters instead; a missing or wrong reason.
    pub fn withdraw(&self, reason: &str, acting: &Acting) -> Result<Change<Self>> {
        self.check_step(Step::Withdraw)?;
        self.check_not_owner(acting)?;
        let reason = text::note(reason).map_err(|problem| problem.at("reason"))?;
        let mut after = Self { updated_at: acting.now, ..self.clone() };
        if let Some(amendment) = after.amendment.take() {
            after.keep(Terms { withdrawn_at: Some(acting.now), ..amendment });
            let change = Change::updated(EventKind::AmendmentWithdrawn, self, after);
            return Ok(change.with_detail("amendmentWithdrawReason", reason.into()));
        }
        after.state = TargetState::Withdrawn;
        after.withdrawn_at = Some(acting.now);
        after.withdraw_reason = Some(reason);
        Ok(Change::updated(EventKind::TargetWithdrawn, self, after))
    }

    /// Terms for this target, `effective_from` a day that was checked before.
    fn check_terms(
        &self,
        input: &NewTerms,
        (author_side, effective_from): (Side, Option<NaiveDate>),
        new_id: impl FnMut() -> SupportResourceId,
        acting: &Acting,
        problems: &mut Problems,
    ) -> Option<Terms> {
        if let Err(problem) = self.check_not_over(acting.today()) {
            problems.push(problem);
        }
        let number = self.all_terms().map(|terms| terms.number).max().unwrap_or(0).saturating_add(1);
        if number > TERMS_MAX {
            let message = format!(
                "A target has at most {TERMS_MAX} versions of its terms; withdraw it and begin anew."
            );
            problems.push(Problem::new(Code::TooMany, message));
        }
        if self.state == TargetState::Active {
            self.check_currency(input, problems);
        }
        let owner_id = match (self.owner, author_side) {
            (TargetOwner::User(user), _) => Some(user),
            (TargetOwner::Team(_), Side::Owner) => Some(acting.user_id),
            (TargetOwner::Team(_), _) => None, // Whoever leads the team when it signs; is_fully_signed sees to it.
        };
        let frame = Frame {
            number,
            period: self.period,
            level: self.level,
            effective_from: effective_from.unwrap_or(self.period.start()),
            author_id: acting.user_id,
            author_side,
            owner_id,
            now: acting.now,
        };
        terms::check(input, &frame, new_id, problems)
    }

    /// Past days and days to come are summed, which two currencies cannot be.
    fn check_currency(&self, input: &NewTerms, problems: &mut Problems) {
        let present = self.terms.find_line(Metric::Revenue).and_then(|line| line.quantity.currency());
        let wanted = input.lines.iter().find_map(|line| line.quantity.currency());
        if let (Some(present), Some(wanted)) = (present, wanted)
            && present != wanted
        {
            let message = format!("The target counts in {}, this in {}.", present.code(), wanted.code());
            problems.push(Problem::new(Code::CurrencyMismatch, message).at("lines"));
        }
    }

    fn check_first_day(&self, day: Option<NaiveDate>) -> Result<NaiveDate, Problem> {
        let first = self.period.start();
        if day.is_none_or(|day| day == first) {
            return Ok(first);
        }
        Err(Problem::new(
            Code::NotApplicable,
            "A target begins with its period; only an amendment begins later.",
        ))
    }

    fn check_amendment_day(&self, day: NaiveDate, acting: &Acting) -> Result<NaiveDate, Problem> {
        let today = acting.today();
        if day < today {
            let message = format!("Days that have passed keep their terms; begin on {today} or later.");
            return Err(Problem::new(Code::TooEarly, message));
        }
        if day >= self.period.end() {
            let message = format!("The period ends before {}; begin earlier.", self.period.end());
            return Err(Problem::new(Code::OutOfRange, message));
        }
        Ok(day)
    }

    /// Whether this person can sign `terms` as `side`, which the caller has found them to be.
    fn check_signer(&self, terms: &Terms, side: Side, user_id: UserId) -> Result<(), Problem> {
        let approver = terms.band_override.as_ref().map(|overridden| overridden.approver_id);
        let is_owner = self.owner == TargetOwner::User(user_id);
        let fits = match side {
            Side::Owner => is_owner || matches!(self.owner, TargetOwner::Team(_)),
            Side::Manager => !is_owner,
            Side::Approver => approver == Some(user_id),
        };
        if !fits {
            return Err(not_a_party());
        }
        if let Some(earlier) =
            terms.signatures.iter().find(|found| found.user_id == user_id || found.side == side)
        {
            return Err(if earlier.user_id == user_id && earlier.side != side {
                self_approval("You have signed already; nobody signs for two sides.")
            } else {
                Problem::new(
                    Code::AlreadySigned,
                    format!("{} has signed these terms already.", side.as_str()),
                )
            });
        }
        Ok(())
    }
}

fn not_a_party() -> Problem {
    let message = "Only the owner's side, the manager's side and a named approver have a say in the terms.";
    Problem::new(Code::NotPermitted, message)
}

fn no_terms() -> Error {
    Error::Internal("a target at this stage has terms on the table".into())
}
