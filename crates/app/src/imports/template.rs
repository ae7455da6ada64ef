//! Templates of a profile: `"office:{regional_office}"`. Text in, text out; they know columns and nothing else.
//!
//! `{column}` stands for the trimmed value of that column, `{column|lower}` and `{column|slug}` for a form of it,
//! `{{` and `}}` for braces. A template without columns is a constant.

use csv::StringRecord;

use super::mapping::suggest;

/// Most parts (literals and columns) of one template; bounds the text that one row can make.
pub(super) const TEMPLATE_PARTS_MAX: usize = 20;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part<String>>);

/// A template whose columns are places in the rows of one file.
#[derive(Clone, Debug)]
pub(super) struct Bound(Vec<Part<usize>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<C> {
    Literal(String),
    Column(C, Filter),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    /// The value as it stands.
    Plain,
    /// In lower case.
    Lower,
    /// Lower-case letters and digits with single hyphens between: fit for keys and e-mail addresses.
    Slug,
}

impl Template {
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let (inside, after) = rest.split_once('}').filter(|_| brace == "{").ok_or_else(|| {
                format!("'{text}' has a single '{brace}'; write '{brace}{brace}' for the character itself.")
            })?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(column(inside)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        if parts.len() > TEMPLATE_PARTS_MAX {
            return Err(format!("A template has at most {TEMPLATE_PARTS_MAX} parts."));
        }
        Ok(Self(parts))
    }

    /// The names of the columns, in order.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Column(name, _) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text, when no column is named.
    pub(super) fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Finds the columns in the header of a file.
    ///
    /// # Errors
    /// A column that the file lacks, or has twice.
    pub(super) fn bind(&self, headers: &StringRecord) -> Result<Bound, String> {
        let parts = self.0.iter().map(|part| match part {
            Part::Literal(text) => Ok(Part::Literal(text.clone())),
            Part::Column(name, filter) => Ok(Part::Column(find(name, headers)?, *filter)),
        });
        parts.collect::<Result<_, String>>().map(Bound)
    }
}

impl Bound {
    /// The text that a row makes of the template, trimmed; `None` when every column that it names is empty.
    pub(super) fn fill(&self, row: &StringRecord) -> Option<String> {
        let mut text = String::new();
        let (mut columns, mut empty) = (0, 0);
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Column(index, filter) => {
                    let value = row.get(*index).unwrap_or_default().trim();
                    columns += 1;
                    empty += usize::from(value.is_empty());
                    text.push_str(&filter.apply(value));
                }
            }
        }
        let text = text.trim();
        (!text.is_empty() && (columns == 0 || empty < columns)).then(|| text.to_owned())
    }

    /// Whether some column that it names is empty in this row.
    pub(super) fn has_gap(&self, row: &StringRecord) -> bool {
        self.0.iter().any(|part| match part {
            Part::Column(index, _) => row.get(*index).unwrap_or_default().trim().is_empty(),
            Part::Literal(_) => false,
        })
    }
}

impl Filter {
    fn apply(self, value: &str) -> String {
        match self {
            Self::Plain => value.to_owned(),
            Self::Lower => value.to_lowercase(),
            // Letters of every script stay: two different names must not become one slug.
            Self::Slug => value
                .to_lowercase()
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join("-"),
        }
    }
}

fn column(inside: &str) -> Result<Part<String>, String> {
    let (name, filter) = match inside.split_once('|') {
        None => (inside, Filter::Plain),
        Some((name, filter)) => match filter.trim() {
            "lower" => (name, Filter::Lower),
            "slug" => (name, Filter::Slug),
            other => return Err(format!("Unknown filter '{other}'; there are 'lower' and 'slug'.")),
        },
    };
    let name = name.trim();
    if name.is_empty() {
        return Err("A column needs a name between its braces; write '{{' for the character itself.".into());
    }
    if name.contains('{') {
        return Err(format!("The brace before '{name}' is never closed."));
    }
    Ok(Part::Column(name.to_owned(), filter))
}

fn find(name: &str, headers: &StringRecord) -> Result<usize, String> {
    let mut places = headers.iter().enumerate().filter(|(_, header)| header.trim() == name);
    match (places.next(), places.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => Err(format!("has the column '{name}' twice; rename one of the two.")),
        (None, _) => Err(match suggest(name, headers.iter()) {
            Some(near) => format!("has no column '{name}'; did you mean '{}'?", near.trim()),
            None => {
                format!("has no column '{name}'; it has: {}.", headers.iter().collect::<Vec<_>>().join(", "))
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, row: &[&str]) -> Option<String> {
        let headers = StringRecord::from(vec!["a", "b"]);
        Template::parse(template)
            .expect(template)
            .bind(&headers)
            .expect(template)
            .fill(&StringRecord::from(row))
    }

    #[test]
    fn templates_join_literals_and_columns() {
        for (template, row, text) in [
            ("{a}", ["x", ""], Some("x")),
            ("{ a }:{b|lower}", ["x", "Y"], Some("x:y")),
            ("{a|slug}@x.example", ["Mei-Mei  O'Johns Zoë", ""], Some("mei-mei-o-johns-zoë@x.example")),
            ("{{{a}}}", ["x", ""], Some("{x}")),
            ("{a} {b}", ["", "last"], Some("last")),
            ("{a}'s team", ["  ", ""], None),
            ("constant", ["", ""], Some("constant")),
            ("", ["x", "y"], None),
        ] {
            assert_eq!(fill(template, &row).as_deref(), text, "{template}");
        }
    }

    #[test]
    fn wrong_templates_say_why() {
        for (template, reason) in [
            ("{a", "single '{'"),
            ("a}", "single '}'"),
            ("{}", "needs a name"),
            ("{a|upper}", "Unknown filter 'upper'"),
            ("{a {b}", "never closed"),
        ] {
            let message = Template::parse(template).expect_err(template);
            assert!(message.contains(reason), "{template}: {message}");
        }
        assert!(Template::parse(&"{a}".repeat(TEMPLATE_PARTS_MAX + 1)).is_err());
    }

    #[test]
    fn columns_are_found_in_the_header_or_named_with_the_nearest() {
        let headers = StringRecord::from(vec![" sales_agent", "x", "x"]);
        let bind = |text: &str| Template::parse(text).expect(text).bind(&headers).map(|_| ());
        assert_eq!(bind("{sales_agent}"), Ok(()));
        assert_eq!(
            bind("{sales_agnet}"),
            Err("has no column 'sales_agnet'; did you mean 'sales_agent'?".into())
        );
        assert!(bind("{x}").is_err_and(|message| message.contains("twice")));
    }
}
