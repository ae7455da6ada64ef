//! Domain errors as GraphQL: the only place where they are translated.
//!
//! What the client can mend is data (`userErrors` of a payload); what it cannot is a top-level error with a
//! code. Resolvers use `?` on domain errors; the edge turns them with [`present`] and hides internal texts.

use async_graphql::{ErrorExtensionValues, ServerError, SimpleObject};
use evenhand_domain::error::{Code, Error, Problem};

use crate::wire::Wire;

/// Longest message of an error, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// One thing that is wrong with an input, or one rule that refuses it. Mend it and send the mutation again.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct UserError {
    /// Path of the field at fault, beginning with `input`; null when no single field is.
    field: Option<Vec<String>>,
    /// Stable code to act on.
    code: Wire<Code>,
    /// What is wrong and what to do, for a person.
    message: String,
}

impl From<Problem> for UserError {
    fn from(problem: Problem) -> Self {
        let path = std::iter::once("input".to_owned()).chain(problem.field.iter().cloned()).collect();
        let field = (!problem.field.is_empty()).then_some(path);
        Self { field, code: Wire(problem.code), message: problem.message }
    }
}

/// Splits the outcome of a mutation: what the client can mend goes into the payload.
pub(crate) fn outcome<T>(result: Result<T, Error>) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    let problems = match result {
        Ok(value) => return Ok((Some(value), Vec::new())),
        Err(Error::Rejected(problems)) => problems,
        Err(Error::NotFound) => {
            vec![Problem::new(Code::NotFound, "There is no such object, or you may not see it.").at("id")]
        }
        Err(Error::Conflict) => vec![Problem::new(
            Code::Conflict,
            "Somebody else changed this since you read it. Read it again, and repeat with the new version.",
        )],
        Err(error) => return Err(error.into()),
    };
    Ok((None, problems.into_iter().map(UserError::from).collect()))
}

/// Declares the payload of a mutation: the changed object, and what was wrong with the input. `#[graphql(complex)]` where
/// more fields are computed.
macro_rules! payload {
    ($(#[doc = $doc:literal])* $(#[graphql($complex:ident)])? $name:ident {
        $(#[doc = $field_doc:literal])* $field:ident: $type:ty
    }) => {
        $(#[doc = $doc])*
        #[derive(async_graphql::SimpleObject)]
        $(#[graphql($complex)])?
        pub(crate) struct $name {
            $(#[doc = $field_doc])*
            $field: Option<$type>,
            /// What is wrong with the input; empty when the mutation was carried out.
            user_errors: Vec<$crate::error::UserError>,
        }

        impl $name {
            /// The payload of a mutation that ended like this.
            pub(crate) fn of<T: Into<$type>>(
                result: evenhand_domain::error::Result<T>,
            ) -> async_graphql::Result<Self> {
                let (value, user_errors) = $crate::error::outcome(result)?;
                Ok(Self { $field: value.map(Into::into), user_errors })
            }
        }
    };
}
pub(crate) use payload;

/// The code of a top-level error.
fn code(error: &Error) -> &'static str {
    match error {
        Error::Rejected(_) => "BAD_USER_INPUT",
        Error::NotFound => "NOT_FOUND",
        Error::Conflict => "CONFLICT",
        Error::Unauthenticated(_) => "UNAUTHENTICATED",
        Error::Forbidden | Error::ScopeMissing(None) => "FORBIDDEN",
        Error::ScopeMissing(Some(_)) => "INSUFFICIENT_SCOPE",
        Error::AlreadyDone => "ANSWER_LOST",
        Error::Throttled { .. } => "RATE_LIMITED",
        Error::Unavailable(_) | Error::Contention => "UNAVAILABLE",
        Error::Internal(_) => "INTERNAL_SERVER_ERROR",
    }
}

/// Gives an error its code and a text that leaks nothing.
pub(crate) fn present(mut error: ServerError, request_id: &str) -> ServerError {
    let mut extensions = error.extensions.take().unwrap_or_default();
    if let Some(cause) = error.source::<Error>() {
        extensions.set("code", code(cause));
        error.message = match cause {
            Error::Rejected(problems) => {
                if let Some(problem) = problems.first() {
                    extensions.set("reason", problem.code.as_str());
                    extensions.set("argument", problem.field.join("."));
                }
                problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join(" ")
            }
            Error::NotFound => "There is no such object, or you may not see it.".into(),
            Error::Conflict => "Somebody else changed this since you read it.".into(),
            Error::Unauthenticated(reason) => format!("You are not signed in: {reason}."),
            Error::Forbidden => "Your role does not allow this.".into(),
            Error::ScopeMissing(None) => "This is for people; no scope of an API client allows it.".into(),
            Error::ScopeMissing(Some(scope)) => {
                extensions.set("scope", scope.as_str());
                format!("This needs the scope {}, which the token does not have.", scope.as_str())
            }
            Error::AlreadyDone => {
                "This was carried out by an earlier attempt whose answer was lost. Read what it changed."
                    .into()
            }
            Error::Throttled { retry_after_s } => {
                extensions.set("retryAfter", *retry_after_s);
                format!("Too many attempts. Try again in {retry_after_s} seconds.")
            }
            Error::Unavailable(reason) => {
                tracing::warn!(request_id, %reason, "unavailable");
                "The service cannot answer right now. Try again shortly.".into()
            }
            Error::Contention => "The service is busy with other changes. Try again shortly.".into(),
            Error::Internal(reason) => {
                tracing::error!(request_id, %reason, path = ?error.path, "internal error");
                extensions.set("requestId", request_id);
                format!("Something went wrong on our side. Quote request {request_id} when you report it.")
            }
        };
    } else if extensions.get("code").is_none() {
        extensions
            .set("code", if error.path.is_empty() { "GRAPHQL_VALIDATION_FAILED" } else { "BAD_USER_INPUT" });
    }
    if error.message.chars().nth(MESSAGE_CHARS_MAX).is_some() {
        error.message = error.message.chars().take(MESSAGE_CHARS_MAX).chain(['…']).collect();
    }
    // What the translation has put together has no place in the text, and lines are counted from 1.
    error.locations.retain(|place| place.line > 0);
    error.extensions = Some(extensions);
    // The cause stays here: nothing of it may be serialised by accident.
    error.source = None;
    error
}

/// A top-level error that is made at the edge itself.
pub(crate) fn edge(code: &'static str, message: impl Into<String>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    let mut error = ServerError::new(message, None);
    error.extensions = Some(extensions);
    error
}
