//! Why a command of the command line ended: one line for a person, and below it what explains it.

use evenhand_domain::error::Error;

use crate::config::ConfigError;

/// Why a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    what: String,
    why: Vec<String>,
}

impl Failure {
    /// A failure that explains itself.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: Vec::new() }
    }

    /// Puts `what` above this failure.
    #[must_use]
    pub fn during(self, what: impl Into<String>) -> Self {
        Self { what: what.into(), why: [vec![self.what], self.why].concat() }
    }

    /// Adds a line below.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        self.why.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(problems) => {
                let mut lines: Vec<String> = problems
                    .into_iter()
                    .map(|problem| match problem.field.join(".") {
                        field if field.is_empty() => problem.message,
                        field => format!("{field}: {}", problem.message),
                    })
                    .collect();
                lines.dedup();
                match <[String; 1]>::try_from(lines) {
                    Ok([only]) => Self::new(only),
                    Err(why) => Self { what: "the input is refused".into(), why },
                }
            }
            Error::Internal(text) | Error::Unavailable(text) => Self::new(text),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenhand_domain::error::{Code, Problem};

    #[test]
    fn one_problem_is_one_line_and_several_are_listed() {
        let problem =
            |field: &str| Problem::new(Code::Taken, "Another one has this value already.").at(field);
        let one = Failure::from(Error::from(problem("email")));
        assert_eq!(one.to_string(), "email: Another one has this value already.");
        let two =
            Failure::from(Error::Rejected(vec![problem("email"), problem("name")])).during("nobody was made");
        assert_eq!(
            two.to_string(),
            "nobody was made\n  the input is refused\n  email: Another one has this value already.\n  name: Another \
             one has this value already."
        );
    }
}
