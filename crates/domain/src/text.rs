//! Text at the edge: bounded, free of control characters, and folded for comparison.

use unicode_normalization::UnicodeNormalization;

use crate::error::{Code, Problem};

/// Longest name of a person, team, product or customer, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// Longest short label (sector, source, number, outcome), in characters.
pub const LABEL_CHARS_MAX: usize = 100;
/// Longest reference to a document (title or URL), in characters.
pub const REFERENCE_CHARS_MAX: usize = 2_000;
/// Longest free text (notes, reasons), in characters.
pub const NOTE_CHARS_MAX: usize = 10_000;
/// Longest e-mail address, in characters (RFC 5321).
pub const EMAIL_CHARS_MAX: usize = 254;

/// A name: trimmed, 1 to [`NAME_CHARS_MAX`] characters on one line.
///
/// # Errors
/// `REQUIRED`, `TOO_LONG` or `INVALID_CHARACTER`.
pub fn name(text: &str) -> Result<String, Problem> {
    line(text, NAME_CHARS_MAX)
}

/// A short label: trimmed, 1 to [`LABEL_CHARS_MAX`] characters on one line.
///
/// # Errors
/// `REQUIRED`, `TOO_LONG` or `INVALID_CHARACTER`.
pub fn label(text: &str) -> Result<String, Problem> {
    line(text, LABEL_CHARS_MAX)
}

/// A reference to a document, a title or a URL: trimmed, 1 to [`REFERENCE_CHARS_MAX`] characters on one line.
///
/// # Errors
/// `REQUIRED`, `TOO_LONG` or `INVALID_CHARACTER`.
pub fn reference(text: &str) -> Result<String, Problem> {
    line(text, REFERENCE_CHARS_MAX)
}

/// Free text: trimmed, 1 to [`NOTE_CHARS_MAX`] characters; line breaks and tabs are allowed.
///
/// # Errors
/// `REQUIRED`, `TOO_LONG` or `INVALID_CHARACTER`.
pub fn note(text: &str) -> Result<String, Problem> {
    bounded(text, NOTE_CHARS_MAX, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// An e-mail address as typed, trimmed and checked.
///
/// # Errors
/// `REQUIRED`, `TOO_LONG`, `INVALID_CHARACTER` or `INVALID_FORMAT`.
pub fn email(text: &str) -> Result<String, Problem> {
    let text = line(text, EMAIL_CHARS_MAX)?;
    if email_address::EmailAddress::is_valid(&text) {
        Ok(text)
    } else {
        Err(Problem::new(Code::InvalidFormat, "Expected an e-mail address such as ada@example.com."))
    }
}

/// The comparison key of a text: NFKC, lower case, inner white space folded to single spaces.
/// Two names with one key are the same name; databases compare keys only, since their own case rules differ.
pub fn fold(text: &str) -> String {
    let lower = text.nfkc().flat_map(char::to_lowercase).collect::<String>();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line(text: &str, chars_max: usize) -> Result<String, Problem> {
    bounded(text, chars_max, char::is_control)
}

fn bounded(text: &str, chars_max: usize, forbidden: impl Fn(char) -> bool) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::new(Code::Required, "A value is required."));
    }
    if text.chars().nth(chars_max).is_some() {
        return Err(Problem::new(Code::TooLong, format!("At most {chars_max} characters are allowed.")));
    }
    if text.chars().any(forbidden) {
        return Err(Problem::new(Code::InvalidCharacter, "Control characters are not allowed."));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_bounded_and_free_of_control_characters() {
        assert_eq!(name("  Zoë Müller ").as_deref(), Ok("Zoë Müller"));
        let code = |result: Result<String, Problem>| result.map_err(|problem| problem.code);
        assert_eq!(code(name(" \u{3000} ")), Err(Code::Required));
        assert_eq!(code(name("a\0b")), Err(Code::InvalidCharacter));
        assert_eq!(code(name("a\nb")), Err(Code::InvalidCharacter));
        assert_eq!(code(note("a\nb")), Ok("a\nb".into()));
        assert_eq!(code(name(&"ä".repeat(NAME_CHARS_MAX))), Ok("ä".repeat(NAME_CHARS_MAX)));
        assert_eq!(code(name(&"ä".repeat(NAME_CHARS_MAX + 1))), Err(Code::TooLong));
        assert_eq!(code(email("ada@example")).is_ok(), email_address::EmailAddress::is_valid("ada@example"));
        assert_eq!(code(email("ada example.com")), Err(Code::InvalidFormat));
    }

    #[test]
    fn folding_ignores_case_width_and_spacing() {
        assert_eq!(fold(" GTX  ＰＲＯ "), "gtx pro");
        assert_eq!(fold("ÄRGER"), fold("ärger"));
        assert_ne!(fold("GTX Pro"), fold("GTXPro"));
    }
}
