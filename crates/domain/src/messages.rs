//! Mail that goes out: what for, to whom, and how far it is. Whoever causes a message queues it in the same
//! transaction; the outbox sends it once it is due.

use uuid::Uuid;

use crate::change::SubjectType;
use crate::id::{MessageId, UserId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// Longest subject, in characters.
pub const SUBJECT_CHARS_MAX: usize = 200;
/// Longest text, in characters.
pub const TEXT_CHARS_MAX: usize = 16_000;

wire_enum! {
    /// What a message is for.
    Purpose as "MessagePurpose" {
        /// Asks a customer how a complaint was handled.
        Survey = "SURVEY",
        /// Asks a customer once more.
        SurveyReminder = "SURVEY_REMINDER",
        /// Tells somebody of ours what they are to know.
        Notice = "NOTICE",
    }
}

wire_enum! {
    /// How far a message is. All but the first are final.
    MessageState {
        /// Its time has not come, the last try failed and another follows, or no mail server is configured; it goes out
        /// by itself once all is well.
        Waiting = "WAITING",
        /// The mail server has taken it.
        Sent = "SENT",
        /// The mail server refused it, or was out of reach for days.
        Failed = "FAILED",
        /// There was nothing to tell any more, or nobody to tell it to; the reason stands in the last error.
        Dropped = "DROPPED",
    }
}

/// To whom a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A person of the organisation, at the address that they have when it is sent.
    User(UserId),
    /// Somebody else, at this address.
    Address(String),
}

/// What a message says, in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageText {
    /// As it will be read.
    Plain(String),
    /// Encrypted, because it holds a secret such as a link that works without signing in.
    Sealed(String),
}

/// A message that is to be queued.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// What for.
    pub purpose: Purpose,
    /// To whom.
    pub to: Recipient,
    /// The object that it is about.
    pub about: (SubjectType, Uuid),
    /// Its subject; cut to [`SUBJECT_CHARS_MAX`] characters on one line.
    pub subject: String,
    /// What it says; cut to [`TEXT_CHARS_MAX`] characters.
    pub text: MessageText,
    /// When it is to go out at the earliest.
    pub due_at: Timestamp,
}

/// A message as the outbox shows it: without its text.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// What for.
    pub purpose: Purpose,
    /// To whom.
    pub to: Recipient,
    /// The object that it is about.
    pub about: (SubjectType, Uuid),
    /// Its subject.
    pub subject: String,
    /// How far it is.
    pub state: MessageState,
    /// When it goes out, or is tried again; `None` once it is final.
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last try failed, or why it was dropped.
    pub last_error: Option<String>,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
    /// When it was queued.
    pub created_at: Timestamp,
}

/// `text` as the subject of a mail: on one line, and not too long.
pub fn subject_line(text: &str) -> String {
    text.chars().take(SUBJECT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `text` as the text of a mail: not too long.
pub fn bounded_text(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_line_of_bounded_length() {
        assert_eq!(subject_line("C-1\r\nBcc: eve@example.com"), "C-1  Bcc: eve@example.com");
        assert_eq!(subject_line(&"ä".repeat(SUBJECT_CHARS_MAX + 1)), "ä".repeat(SUBJECT_CHARS_MAX));
        assert_eq!(bounded_text(&"ä".repeat(TEXT_CHARS_MAX + 1)), "ä".repeat(TEXT_CHARS_MAX));
    }
}
