//! Credit lines: who gets which part of a won deal. Append-only facts; a correction is a new line.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::error::{Code, Error, Problem, Problems, Result};
use crate::id::{CreditLineId, DealId, UserId};
use crate::money::{self, Money};
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// Most credit lines that a win may name.
pub const CREDITS_MAX: usize = 20;
/// The whole in basis points: 100 %.
pub const WHOLE_BP: i32 = 10_000;

wire_enum! {
    /// Whether a credit line is a part of the company's revenue.
    CreditKind {
        /// A part of the deal: all direct lines of a deal make up its value.
        Direct = "DIRECT",
        /// Extra recognition, for example of a specialist; not counted in the company's total.
        Overlay = "OVERLAY",
    }
}

wire_enum! {
    /// At which step revenue is counted. Winning a deal books it.
    CreditBasis {
        /// The deal was won.
        Booked = "BOOKED",
        /// The customer was invoiced.
        Invoiced = "INVOICED",
        /// The customer has paid.
        Collected = "COLLECTED",
    }
}

/// A person's share of a won deal, or its reversal. Never changed and never deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct CreditLine {
    /// Its id.
    pub id: CreditLineId,
    /// The deal.
    pub deal_id: DealId,
    /// Who is credited; `None` is the unassigned part, for direct lines only.
    pub user_id: Option<UserId>,
    /// Whether it counts to the company's total.
    pub kind: CreditKind,
    /// At which step it counts.
    pub basis: CreditBasis,
    /// Share of the deal in basis points, 1 to [`WHOLE_BP`]; a reversal keeps the share of its line.
    pub share_bp: i32,
    /// Share of the deal in money; negative in a reversal.
    pub amount: Money,
    /// Business time: when the deal was won, or cancelled for a reversal.
    pub occurred_at: Timestamp,
    /// System time: when the line was written.
    pub recorded_at: Timestamp,
    /// The line that this one takes back.
    pub reverses: Option<CreditLineId>,
}

/// One wanted credit line of a win.
#[derive(Clone, Debug)]
pub struct NewCredit {
    /// Who is credited; `None` leaves the share unassigned.
    pub user_id: Option<UserId>,
    /// Whether it counts to the company's total.
    pub kind: CreditKind,
    /// Share in basis points, 1 to [`WHOLE_BP`].
    pub share_bp: i32,
}

impl NewCredit {
    /// The whole deal for one person.
    pub fn whole(user: UserId) -> Self {
        Self { user_id: Some(user), kind: CreditKind::Direct, share_bp: WHOLE_BP }
    }
}

/// Notes everything that is wrong with the wanted lines.
pub(super) fn check(credits: &[NewCredit], problems: &mut Problems) {
    if credits.len() > CREDITS_MAX {
        let message = format!("A deal has at most {CREDITS_MAX} credit lines; these are {}.", credits.len());
        problems.push(Problem::new(Code::TooMany, message).at("credits"));
        return;
    }
    let mut seen = HashSet::new();
    for (index, credit) in credits.iter().enumerate() {
        let mut push = |field: &str, code, message: &str| {
            problems.push(Problem::new(code, message).at(field).at(index.to_string()).at("credits"));
        };
        if !(1..=WHOLE_BP).contains(&credit.share_bp) {
            push("shareBp", Code::OutOfRange, "A share lies between 1 and 10000 basis points.");
        }
        if credit.kind == CreditKind::Overlay && credit.user_id.is_none() {
            push("userId", Code::Required, "An overlay line needs a person.");
        }
        if !seen.insert((credit.kind, credit.user_id)) {
            push("userId", Code::Duplicate, "A person stands at most once per kind; add up their shares.");
        }
    }
    let direct = credits.iter().filter(|credit| credit.kind == CreditKind::Direct);
    let sum: i64 = direct.map(|credit| i64::from(credit.share_bp)).sum();
    if sum != i64::from(WHOLE_BP) {
        let message = format!("Direct shares must sum to 10000 basis points (100 %); these sum to {sum}.");
        problems.push(Problem::new(Code::SharesNotWhole, message).at("credits"));
    }
}

/// The lines of a win, in the order of `credits`, which [`check`] has passed. The direct amounts sum to
/// `value`; units that no share divides go to the largest fractions, ties to the earlier line.
pub(super) fn split(
    deal_id: DealId,
    value: Money,
    credits: &[NewCredit],
    mut new_id: impl FnMut() -> CreditLineId,
    (occurred_at, recorded_at): (Timestamp, Timestamp),
) -> Vec<CreditLine> {
    let direct = |credit: &NewCredit| match credit.kind {
        CreditKind::Direct => u64::from(credit.share_bp.unsigned_abs()),
        CreditKind::Overlay => 0,
    };
    let parts = money::allocate(value.minor, &credits.iter().map(direct).collect::<Vec<_>>());
    let line = |(credit, part): (&NewCredit, i64)| CreditLine {
        id: new_id(),
        deal_id,
        user_id: credit.user_id,
        kind: credit.kind,
        basis: CreditBasis::Booked,
        share_bp: credit.share_bp,
        amount: Money::new(
            match credit.kind {
                CreditKind::Direct => part,
                CreditKind::Overlay => overlay(value.minor, credit.share_bp),
            },
            value.currency,
        ),
        occurred_at,
        recorded_at,
        reverses: None,
    };
    credits.iter().zip(parts).map(line).collect()
}

/// An overlay share stands alone: it is weighed against the rest of the whole, which nobody gets.
fn overlay(minor: i64, share_bp: i32) -> i64 {
    let share = share_bp.unsigned_abs();
    let rest = WHOLE_BP.unsigned_abs().saturating_sub(share);
    money::allocate(minor, &[u64::from(share), u64::from(rest)])[0]
}

/// The negative counterparts of `lines`.
///
/// # Errors
/// [`Error::Internal`] unless `lines` are standing lines of this deal that make up `value`: reversing
/// anything else would leave personal and company figures apart for ever.
pub(super) fn reverse(
    deal_id: DealId,
    value: Money,
    lines: &[CreditLine],
    mut new_id: impl FnMut() -> CreditLineId,
    (occurred_at, recorded_at): (Timestamp, Timestamp),
) -> Result<Vec<CreditLine>> {
    let standing = |line: &CreditLine| {
        line.deal_id == deal_id && line.reverses.is_none() && line.amount.currency == value.currency
    };
    let direct = lines.iter().filter(|line| line.kind == CreditKind::Direct);
    let credited: i128 = direct.map(|line| i128::from(line.amount.minor)).sum();
    if lines.is_empty() || !lines.iter().all(standing) || credited != i128::from(value.minor) {
        return Err(Error::Internal(format!(
            "the credit lines of deal {deal_id} do not make up its value {value}"
        )));
    }
    let reversal = |line: &CreditLine| CreditLine {
        id: new_id(),
        amount: Money::new(-line.amount.minor, line.amount.currency),
        occurred_at,
        recorded_at,
        reverses: Some(line.id),
        ..line.clone()
    };
    Ok(lines.iter().map(reversal).collect())
}

/// The lines as the event of the deal tells them.
pub(super) fn view(lines: &[CreditLine]) -> Value {
    lines
        .iter()
        .map(|line| {
            json!({
                "id": line.id, "userId": line.user_id, "kind": line.kind.as_str(), "basis": line.basis.as_str(),
                "shareBp": line.share_bp, "amount": line.amount.view(), "reverses": line.reverses,
            })
        })
        .collect()
}
