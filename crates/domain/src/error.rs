//! One error for the whole system, with few variants: what the client can mend, and what it cannot.

use serde::Serialize;

use crate::api_clients::ApiScope;
use crate::wire::wire_enum;

/// Result of every operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The input is wrong or a rule says no. The client can mend it: each problem names place, code and cure.
    #[error("rejected: {}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join(" "))]
    Rejected(Vec<Problem>),
    /// Absent, or not visible to the caller: the two are never told apart.
    #[error("not found")]
    NotFound,
    /// Somebody else changed the object since the client read it.
    #[error("changed by somebody else")]
    Conflict,
    /// Another transaction was in the way and nothing was changed; the door tries again.
    #[error("another transaction was in the way")]
    Contention,
    /// No valid credentials.
    #[error("not signed in: {0}")]
    Unauthenticated(&'static str),
    /// The caller's role does not allow the operation on anything at all.
    #[error("role not permitted")]
    Forbidden,
    /// The token of an API client lacks this scope; `None` where no scope suffices, because it is for people.
    #[error("scope not granted: {}", .0.map_or("none suffices", ApiScope::as_str))]
    ScopeMissing(Option<ApiScope>),
    /// An earlier attempt with the same idempotency key has carried it out, but its answer was lost.
    #[error("already carried out")]
    AlreadyDone,
    /// Too many attempts.
    #[error("too many attempts, retry in {retry_after_s} s")]
    Throttled {
        /// Seconds until the next attempt can succeed.
        retry_after_s: u32,
    },
    /// The service cannot answer now; a retry may succeed.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A fault of ours. The text is for the log, never for the client.
    #[error("internal: {0}")]
    Internal(String),
}

/// A reference in an input that leads nowhere.
pub trait Reference<T> {
    /// Turns "not found" into a problem of the input's `field`.
    ///
    /// # Errors
    /// The problem, or any other error as it is.
    fn referenced(self, field: &str) -> Result<T>;
}

impl<T> Reference<T> for Result<T> {
    fn referenced(self, field: &str) -> Result<T> {
        self.map_err(|error| match error {
            Error::NotFound => {
                Problem::new(Code::NotFound, "There is no such object, or you may not see it.")
                    .at(field)
                    .into()
            }
            other => other,
        })
    }
}

impl Error {
    /// Puts all problems inside `field`; every other error stays as it is. Call from the inside outwards.
    #[must_use]
    pub fn at(self, field: &str) -> Self {
        match self {
            Self::Rejected(problems) => {
                Self::Rejected(problems.into_iter().map(|problem| problem.at(field)).collect())
            }
            other => other,
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Rejected(vec![problem])
    }
}

/// One thing that is wrong with an input, or one rule that refuses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Path inside the input, outermost first; empty when no single field is at fault.
    pub field: Vec<String>,
    /// Stable code.
    pub code: Code,
    /// What is wrong and what to do, for a person.
    pub message: String,
}

impl Problem {
    /// A problem of the whole input.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { field: Vec::new(), code, message: message.into() }
    }

    /// Puts the problem inside `field`; call from the inside outwards.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field.insert(0, field.into());
        self
    }

    /// The missing-value problem.
    pub fn required(field: &str) -> Self {
        Self::new(Code::Required, "A value is required.").at(field)
    }
}

/// Collects all problems of an input instead of stopping at the first.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Keeps the value, or notes the problem at `field`.
    pub fn take<T>(&mut self, field: &str, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.0.push(problem.at(field))).ok()
    }

    /// Notes a problem.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// # Errors
    /// [`Error::Rejected`] when any problem was noted.
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Rejected(self.0)) }
    }

    /// For use after `take`: the problems when there are any, else the built value.
    ///
    /// # Errors
    /// [`Error::Rejected`] when any problem was noted.
    pub fn finish_with<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T> {
        self.finish()?;
        build().ok_or_else(|| Error::Internal("a field was dropped without a problem".into()))
    }
}

wire_enum! {
    /// What is wrong with an input, or which rule refuses it. Codes are a contract: never renamed or reused.
    Code as "UserErrorCode" {
    /// A required value is missing or empty.
    Required = "REQUIRED",
    /// The id is malformed or names an object of another type.
    InvalidId = "INVALID_ID",
    /// The text does not have the expected form.
    InvalidFormat = "INVALID_FORMAT",
    /// The text holds control characters.
    InvalidCharacter = "INVALID_CHARACTER",
    /// The text is too long.
    TooLong = "TOO_LONG",
    /// The text is too short.
    TooShort = "TOO_SHORT",
    /// The field has no meaning for an object of this kind.
    NotApplicable = "NOT_APPLICABLE",
    /// The number or date lies outside the allowed range.
    OutOfRange = "OUT_OF_RANGE",
    /// The currency code is not in ISO 4217.
    UnknownCurrency = "UNKNOWN_CURRENCY",
    /// The amount has more decimals than the currency has.
    TooManyDecimals = "TOO_MANY_DECIMALS",
    /// The start date is not the first day of such a period.
    NotAPeriodStart = "NOT_A_PERIOD_START",
    /// A list has too many items.
    TooMany = "TOO_MANY",
    /// The object does not exist or is not visible to you.
    NotFound = "NOT_FOUND",
    /// Your role does not reach this person or object.
    NotPermitted = "NOT_PERMITTED",
    /// The object was changed since you read it; read it again and repeat.
    Conflict = "CONFLICT",
    /// The value is used by another object.
    Taken = "TAKEN",
    /// The password is among the most common ones.
    CommonPassword = "COMMON_PASSWORD",
    /// E-mail, password or organisation is wrong, or the account cannot sign in.
    SignInFailed = "SIGN_IN_FAILED",
    /// The refresh token is spent, expired or revoked; sign in again.
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN",
    /// The present password is wrong.
    WrongPassword = "WRONG_PASSWORD",
    /// The invitation is unknown, used or expired.
    InvalidInvitation = "INVALID_INVITATION",
    /// The link of the survey is unknown, used or no longer valid.
    InvalidSurvey = "INVALID_SURVEY",
    /// The person already has a sign-in.
    AlreadyActive = "ALREADY_ACTIVE",
    /// The organisation would be left without an active administrator.
    LastAdmin = "LAST_ADMIN",
    /// The person is deactivated.
    UserDeactivated = "USER_DEACTIVATED",
    /// The team would become its own ancestor.
    TeamCycle = "TEAM_CYCLE",
    /// The person would be in two teams on the same day.
    MembershipOverlap = "MEMBERSHIP_OVERLAP",
    /// The object is not in a state that allows this.
    InvalidTransition = "INVALID_TRANSITION",
    /// The step needs evidence: an activity or a document reference.
    EvidenceRequired = "EVIDENCE_REQUIRED",
    /// The deal needs a customer first.
    CustomerRequired = "CUSTOMER_REQUIRED",
    /// The shares of the direct credit lines do not sum to 100 %.
    SharesNotWhole = "SHARES_NOT_WHOLE",
    /// The same person or date stands twice in a list that allows each only once.
    Duplicate = "DUPLICATE",
    /// The amounts are in different currencies.
    CurrencyMismatch = "CURRENCY_MISMATCH",
    /// The moment lies in the future.
    InFuture = "IN_FUTURE",
    /// The moment lies before something it must follow.
    TooEarly = "TOO_EARLY",
    /// The import profile is wrong.
    InvalidProfile = "INVALID_PROFILE",
    /// The file is wrong.
    InvalidFile = "INVALID_FILE",
    /// The product is no longer sold.
    ProductRetired = "PRODUCT_RETIRED",
    /// The target lacks one of the five funnel numbers.
    TargetNotQuantified = "TARGET_NOT_QUANTIFIED",
    /// A number of the target has no due date.
    TargetNotDated = "TARGET_NOT_DATED",
    /// The numbers of the target do not follow from one another.
    TargetNotLinked = "TARGET_NOT_LINKED",
    /// The target is not derived from recorded work.
    TargetNotDerived = "TARGET_NOT_DERIVED",
    /// The target is too hard or too easy for its level and nobody has overridden that.
    TargetNotAchievable = "TARGET_NOT_ACHIEVABLE",
    /// Nobody sets, approves or signs for both sides of one thing.
    SelfApproval = "SELF_APPROVAL",
    /// The step needs the approval of somebody else.
    ApprovalRequired = "APPROVAL_REQUIRED",
    /// The terms have changed since you read them; read them again.
    TermsChanged = "TERMS_CHANGED",
    /// This side or department has signed already.
    AlreadySigned = "ALREADY_SIGNED",
    /// A department has not signed yet for a required resource.
    SupportNotCommitted = "SUPPORT_NOT_COMMITTED",
    /// The targets of the members, less the buffer, do not make up the target of the team.
    RollUpBroken = "ROLL_UP_BROKEN",
    /// The period has ended.
    PeriodOver = "PERIOD_OVER",
    /// A day of the period is not closed yet.
    DayNotClosed = "DAY_NOT_CLOSED",
    /// Personal figures and company figures of the period differ.
    NotReconciled = "NOT_RECONCILED",
    /// The interval overlaps another one of the same day.
    IntervalOverlap = "INTERVAL_OVERLAP",
    /// The person is on leave on one of these days already.
    LeaveOverlap = "LEAVE_OVERLAP",
    /// The calendar has no open interval within the next year.
    NeverOpen = "NEVER_OPEN",
    }
}
