//! One version of what a target asks, and the guard that lets it in: specific, dated, linked, derived, achievable.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bands::{AchievabilitySummary, TargetLevel, percent};
use super::lines::{Metric, NewLine, Quantity, TargetLine, WHOLE_PPM, check_lines};
use super::self_approval;
use super::signing::{Side, Signature};
use super::support::{self, NewSupport, SupportPlan, SupportResource};
use crate::derivation::{AchievabilityVerdict, Band};
use crate::error::{Code, Problem, Problems};
use crate::id::{DerivationId, SupportResourceId, UserId};
use crate::money::Money;
use crate::text;
use crate::time::{Period, Timestamp};

/// How far a number may lie from the one that follows from the others: one piece, or one minor unit.
pub const LINK_TOLERANCE: u64 = 1;

/// Why a target that is too easy or too hard for its level is right all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BandOverride {
    /// Why.
    pub reason: String,
    /// Who answers for it: never the author and never the owner. The terms are agreed only with their signature.
    pub approver_id: UserId,
}

/// One version of what a target asks. Only signatures, commitments and dates are added later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Counts the versions of one target, from 1.
    pub number: i32,
    /// Who wrote them.
    pub author_id: UserId,
    /// On whose side the author is: [`Side::Manager`] unless the owner answered.
    pub author_side: Side,
    /// When they were put on the table.
    pub proposed_at: Timestamp,
    /// First local day for which they are meant: of the period, or of its rest for an amendment.
    pub effective_from: NaiveDate,
    /// Workdays of the owner in the period.
    pub workdays: u32,
    /// What is asked, for the whole period, in the order of [`Metric`].
    pub lines: Vec<TargetLine>,
    /// How the numbers follow from recorded work.
    pub derivation_id: DerivationId,
    /// How likely they are reached; `None` where no history says so.
    pub achievability: Option<AchievabilitySummary>,
    /// Who answers for an unusual or unknown probability.
    pub band_override: Option<BandOverride>,
    /// What is to be done and owed; an amendment holds what it adds.
    pub support: SupportPlan,
    /// Signatures so far, in their order.
    pub signatures: Vec<Signature>,
    /// When the last signature was given.
    pub agreed_at: Option<Timestamp>,
    /// When an amendment was taken back.
    pub withdrawn_at: Option<Timestamp>,
    /// First local day on which they count.
    pub in_force_from: Option<NaiveDate>,
}

impl Terms {
    /// The line of a metric.
    pub fn find_line(&self, metric: Metric) -> Option<&TargetLine> {
        self.lines.iter().find(|line| line.metric == metric)
    }

    /// Required resources of these terms that no department has signed.
    pub(super) fn unsigned(&self) -> impl Iterator<Item = &SupportResource> {
        self.support.resources.iter().filter(|resource| resource.blocks())
    }

    /// True when owner and manager have signed, and the approver where one is needed.
    pub(super) fn is_fully_signed(&self) -> bool {
        let by = |side| self.signatures.iter().any(|signature| signature.side == side);
        let approved = self.band_override.as_ref().is_none_or(|overridden| {
            let approver = overridden.approver_id;
            self.signatures.iter().any(|found| found.user_id == approver && found.side != Side::Owner)
        });
        by(Side::Owner) && by(Side::Manager) && approved
    }

    pub(super) fn view(&self) -> Value {
        let signature = |signature: &Signature| {
            json!({
                "userId": signature.user_id, "side": signature.side, "hash": signature.hash,
                "signedAt": signature.signed_at,
            })
        };
        json!({
            "number": self.number, "authorId": self.author_id, "effectiveFrom": self.effective_from,
            "workdays": self.workdays, "lines": self.lines.iter().map(TargetLine::view).collect::<Vec<_>>(),
            "derivationId": self.derivation_id,
            "probabilityPpm": self.achievability.map(|found| found.probability_ppm),
            "verdict": self.achievability.map(|found| found.verdict),
            "overrideReason": self.band_override.as_ref().map(|overridden| &overridden.reason),
            "overrideApproverId": self.band_override.as_ref().map(|overridden| overridden.approver_id),
            "support": self.support.view(),
            "signatures": self.signatures.iter().map(signature).collect::<Vec<_>>(),
            "agreedAt": self.agreed_at, "inForceFrom": self.in_force_from,
        })
    }
}

/// The numbers that follow from the deals and the lead quality of a target by the rates of its derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Implied {
    /// Prospects that the deals need.
    pub prospects: i64,
    /// Calls that those prospects need.
    pub calls: i64,
    /// Leads that those calls need.
    pub leads: i64,
    /// Revenue that the deals bring; `None` where the deals were worked out from the revenue.
    pub revenue: Option<Money>,
}

/// Terms as wanted, with what the derivation says about them.
#[derive(Clone, Debug)]
pub struct NewTerms {
    /// What is asked.
    pub lines: Vec<NewLine>,
    /// First day of an amendment; `None` for anything that begins with its period, and for an answer to an
    /// amendment that keeps the day.
    pub effective_from: Option<NaiveDate>,
    /// Workdays of the owner in the period.
    pub workdays: u32,
    /// The numbers that follow from deals and lead quality.
    pub implied: Option<Implied>,
    /// Where all this was derived.
    pub derivation_id: Option<DerivationId>,
    /// How likely the target is reached, in parts per million; `None` where no history says so.
    pub probability_ppm: Option<u32>,
    /// The band of the level, as the derivation took it.
    pub band: Band,
    /// Who answers for a probability that is unknown or outside the band of the level.
    pub band_override: Option<BandOverride>,
    /// What is to be done and owed; an amendment says what it adds.
    pub support: NewSupport,
}

/// What [`check`] must know besides the input.
pub(super) struct Frame {
    pub(super) number: i32,
    pub(super) period: Period,
    pub(super) level: TargetLevel,
    pub(super) effective_from: NaiveDate,
    pub(super) author_id: UserId,
    pub(super) author_side: Side,
    /// The person on the owner's side, where known.
    pub(super) owner_id: Option<UserId>,
    pub(super) now: Timestamp,
}

/// The terms, unless something is noted in `problems`: one problem for each part of the guard that is missing,
/// and one for each wrong field.
pub(super) fn check(
    input: &NewTerms,
    frame: &Frame,
    new_id: impl FnMut() -> SupportResourceId,
    problems: &mut Problems,
) -> Option<Terms> {
    let lines = check_lines(&input.lines, frame.period, input.workdays, problems);
    check_links(&input.lines, input.implied, problems);
    if input.derivation_id.is_none() {
        let message = "Not derived: derive the target from recorded work first.";
        problems.push(Problem::new(Code::TargetNotDerived, message).at("derivationId"));
    }
    let achievability = check_probability(input, frame.level, problems);
    let band_override = check_override(input, achievability, frame, problems);
    let support = support::check(&input.support, frame.period, new_id, problems);
    Some(Terms {
        number: frame.number,
        author_id: frame.author_id,
        author_side: frame.author_side,
        proposed_at: frame.now,
        effective_from: frame.effective_from,
        workdays: input.workdays,
        lines,
        derivation_id: input.derivation_id?,
        achievability,
        band_override,
        support,
        signatures: Vec::new(),
        agreed_at: None,
        withdrawn_at: None,
        in_force_from: None,
    })
}

/// One problem that names every number which does not follow from the others.
fn check_links(lines: &[NewLine], implied: Option<Implied>, problems: &mut Problems) {
    let mut not_linked =
        |message: String| problems.push(Problem::new(Code::TargetNotLinked, message).at("lines"));
    let Some(implied) = implied else {
        return not_linked("Not linked: nothing says which numbers follow from the deals.".into());
    };
    let counted = [
        (Metric::Prospects, implied.prospects),
        (Metric::Calls, implied.calls),
        (Metric::LeadsCollected, implied.leads),
    ];
    let expected = counted
        .map(|(metric, count)| (metric, Quantity::Count(count)))
        .into_iter()
        .chain(implied.revenue.map(|money| (Metric::Revenue, Quantity::Money(money))));
    let broken: Vec<String> = expected
        .filter_map(|(metric, follows)| {
            let asked = lines.iter().find(|line| line.metric == metric)?.quantity;
            let linked = asked.with_value(follows.value()) == follows
                && asked.value().abs_diff(follows.value()) <= LINK_TOLERANCE;
            (!linked).then(|| format!("{} is {asked}, but {follows} follows", metric.as_str()))
        })
        .collect();
    if !broken.is_empty() {
        let broken = broken.join("; ");
        not_linked(format!("Not linked: {broken} from the deals by the rates of the derivation."));
    }
}

/// Notes a probability that is unknown or outside the band of the level, unless somebody answers for it.
fn check_probability(
    input: &NewTerms,
    level: TargetLevel,
    problems: &mut Problems,
) -> Option<AchievabilitySummary> {
    let mut not_achievable = |message: String| {
        if input.band_override.is_none() {
            let message = format!("{message}, or let somebody else answer for it with a reason.");
            problems.push(Problem::new(Code::TargetNotAchievable, message).at("lines"));
        }
    };
    let Some(probability_ppm) = input.probability_ppm else {
        not_achievable("Not known to be achievable: wait for history to judge it by".into());
        return None;
    };
    if i64::from(probability_ppm) > WHOLE_PPM {
        let message = "A probability lies between 0 and 1000000 parts per million.";
        problems.push(Problem::new(Code::OutOfRange, message).at("probability"));
        return None;
    }
    let (band, name) = (input.band, level.as_str());
    let verdict = band.verdict(probability_ppm);
    let off = match verdict {
        AchievabilityVerdict::Within => None,
        AchievabilityVerdict::TooHard => Some("hard"),
        AchievabilityVerdict::TooEasy => Some("easy"),
    };
    if let Some(off) = off {
        let [found, least, most] = [probability_ppm, band.min_ppm, band.max_ppm].map(percent);
        not_achievable(format!(
            "Not achievable as a {name} target: too {off}. It is reached with {found}, and should be with {least} \
             to {most}; change it"
        ));
    }
    Some(AchievabilitySummary { probability_ppm, verdict })
}

/// The override, checked: given only where it is needed, reasoned, and by neither author nor owner.
fn check_override(
    input: &NewTerms,
    achievability: Option<AchievabilitySummary>,
    frame: &Frame,
    problems: &mut Problems,
) -> Option<BandOverride> {
    let overridden = input.band_override.as_ref()?;
    if achievability.is_some_and(|found| found.verdict == AchievabilityVerdict::Within) {
        let message = "The target is right for its level; nothing is to be overridden.";
        problems.push(Problem::new(Code::NotApplicable, message).at("override"));
    }
    if overridden.approver_id == frame.author_id || Some(overridden.approver_id) == frame.owner_id {
        let problem = self_approval("Neither the author nor the owner of a target can approve an exception.");
        problems.push(problem.at("approverId").at("override"));
    }
    let reason = text::note(&overridden.reason).map_err(|problem| problem.at("reason"));
    let reason = problems.take("override", reason)?;
    Some(BandOverride { reason, approver_id: overridden.approver_id })
}
