//! Comparators: the small inputs that filters are made of, bounded in size and depth.

use async_graphql::{ID, InputObject};
use evenhand_domain::error::{Code, Error, Problem};
use evenhand_domain::filter::{DEPTH_MAX, Filter, OneOf, Range, Text, VALUES_MAX};
use evenhand_domain::id::EntityId;
use evenhand_domain::text::NAME_CHARS_MAX;
use evenhand_domain::time::Timestamp;

use crate::ids;
use crate::scalars::DateTime;

fn bounded<T>(values: Vec<T>) -> Result<Vec<T>, Problem> {
    if values.len() <= VALUES_MAX {
        Ok(values)
    } else {
        Err(Problem::new(Code::TooMany, format!("A list may hold at most {VALUES_MAX} values.")).at("in"))
    }
}

/// Exactly one of the two ways to name values.
pub(crate) fn values<T>(eq: Option<T>, list: Option<Vec<T>>) -> Result<Vec<T>, Problem> {
    match (eq, list) {
        (Some(value), None) => Ok(vec![value]),
        (None, Some(values)) => bounded(values),
        _ => Err(Problem::new(Code::Required, "Give exactly one of eq and in.")),
    }
}

/// Compares an id. Give exactly one.
#[derive(Clone, InputObject)]
pub(crate) struct IdFilter {
    /// Is this object.
    eq: Option<ID>,
    /// Is one of these objects; at most 100.
    r#in: Option<Vec<ID>>,
}

impl IdFilter {
    /// The typed comparison.
    pub(crate) fn parse<I: EntityId>(&self) -> Result<OneOf<I>, Problem> {
        let values = values(self.eq.clone(), self.r#in.clone())?;
        values.iter().map(ids::decode).collect::<Result<_, _>>().map(OneOf::In)
    }
}

/// Compares an id that may be missing. Give exactly one.
#[derive(Clone, InputObject)]
pub(crate) struct OptionalIdFilter {
    /// Is this object.
    eq: Option<ID>,
    /// Is one of these objects; at most 100.
    r#in: Option<Vec<ID>>,
    /// True for entries where it is not set.
    missing: Option<bool>,
}

impl OptionalIdFilter {
    /// The typed comparison, as a filter over terms made by `term`.
    pub(crate) fn parse<I: EntityId, T>(&self, term: impl Fn(OneOf<I>) -> T) -> Result<Filter<T>, Problem> {
        match (&self.eq, &self.r#in, self.missing) {
            (None, None, Some(true)) => Ok(Filter::Term(term(OneOf::Missing))),
            (None, None, Some(false)) => Ok(Filter::Not(Box::new(Filter::Term(term(OneOf::Missing))))),
            (eq, list, None) => {
                IdFilter { eq: eq.clone(), r#in: list.clone() }.parse().map(|ids| Filter::Term(term(ids)))
            }
            _ => Err(Problem::new(Code::Required, "Give exactly one of eq, in and missing.")),
        }
    }
}

/// Compares a code, letter by letter, that may be missing. Give exactly one.
#[derive(Clone, InputObject)]
pub(crate) struct CodeFilter {
    /// Is this code.
    eq: Option<String>,
    /// Is one of these codes; at most 100.
    r#in: Option<Vec<String>>,
    /// True for entries where it is not set.
    missing: Option<bool>,
}

impl CodeFilter {
    /// The typed comparison, as a filter over terms made by `term`.
    pub(crate) fn parse<T>(self, term: impl Fn(OneOf<String>) -> T) -> Result<Filter<T>, Problem> {
        match (self.eq, self.r#in, self.missing) {
            (None, None, Some(true)) => Ok(Filter::Term(term(OneOf::Missing))),
            (None, None, Some(false)) => Ok(Filter::Not(Box::new(Filter::Term(term(OneOf::Missing))))),
            (eq, list, None) => {
                let codes = values(eq, list)?;
                codes.iter().try_for_each(|code| comparable(code))?;
                Ok(Filter::Term(term(OneOf::In(codes))))
            }
            _ => Err(Problem::new(Code::Required, "Give exactly one of eq, in and missing.")),
        }
    }
}

/// A text that something can be equal to, on both databases.
fn comparable(text: &str) -> Result<(), Problem> {
    if text.chars().nth(NAME_CHARS_MAX).is_some() || text.chars().any(char::is_control) {
        let message =
            format!("Compare with at most {NAME_CHARS_MAX} characters, none of them control characters.");
        return Err(Problem::new(Code::InvalidFormat, message));
    }
    Ok(())
}

/// Declares the comparison of a domain enum.
macro_rules! enum_filter {
    ($name:ident, $of:ty, $what:literal) => {
        #[doc = concat!("Compares ", $what, ". Give exactly one.")]
        #[derive(Clone, async_graphql::InputObject)]
        pub(crate) struct $name {
            /// Has this value.
            eq: Option<$crate::wire::Wire<$of>>,
            /// Has one of these values.
            r#in: Option<Vec<$crate::wire::Wire<$of>>>,
        }

        impl $name {
            /// The typed comparison.
            pub(crate) fn parse(
                self,
                field: &str,
            ) -> Result<evenhand_domain::filter::OneOf<$of>, evenhand_domain::error::Problem> {
                let values =
                    $crate::filters::values(self.eq, self.r#in).map_err(|problem| problem.at(field))?;
                Ok(evenhand_domain::filter::OneOf::In(values.into_iter().map(|value| value.0).collect()))
            }
        }
    };
}
pub(crate) use enum_filter;

/// Compares a yes or no.
#[derive(Clone, InputObject)]
pub(crate) struct BooleanFilter {
    /// Has this value; entries where it is not set do not match.
    pub(crate) eq: bool,
}

impl BooleanFilter {
    /// The typed comparison.
    pub(crate) fn parse(self) -> OneOf<bool> {
        OneOf::In(vec![self.eq])
    }
}

/// Compares a text, ignoring case and spacing. Give at least one.
#[derive(Clone, InputObject)]
pub(crate) struct TextFilter {
    /// Is equal.
    eq: Option<String>,
    /// Is equal to one of these; at most 100.
    r#in: Option<Vec<String>>,
    /// Contains this.
    contains: Option<String>,
}

impl TextFilter {
    /// The typed comparisons; all must hold.
    pub(crate) fn parse(self, field: &str) -> Result<Vec<Text>, Problem> {
        let mut texts = Vec::new();
        if self.eq.is_some() || self.r#in.is_some() {
            texts.push(Text::In(values(self.eq, self.r#in).map_err(|problem| problem.at(field))?));
        }
        texts.extend(self.contains.map(Text::Contains));
        let all = texts.iter().flat_map(|text| match text {
            Text::In(values) => values.iter().collect::<Vec<_>>(),
            Text::Contains(part) => vec![part],
        });
        for value in all {
            comparable(value).map_err(|problem| problem.at(field))?;
        }
        if texts.is_empty() {
            return Err(Problem::new(Code::Required, "Give at least one of eq, in and contains.").at(field));
        }
        Ok(texts)
    }
}

/// Compares an instant. Give at least one.
#[derive(Clone, InputObject)]
pub(crate) struct DateTimeFilter {
    /// At this instant.
    eq: Option<DateTime>,
    /// At or after.
    gte: Option<DateTime>,
    /// At or before.
    lte: Option<DateTime>,
}

impl DateTimeFilter {
    /// The typed comparisons; all must hold.
    pub(crate) fn parse(self, field: &str) -> Result<Vec<Range<Timestamp>>, Problem> {
        ranges(self.eq.map(|at| at.0), self.gte.map(|at| at.0), self.lte.map(|at| at.0), field)
    }
}

/// The comparisons of a range; at least one must be given.
pub(crate) fn ranges<V>(
    eq: Option<V>,
    gte: Option<V>,
    lte: Option<V>,
    field: &str,
) -> Result<Vec<Range<V>>, Problem> {
    let all: Vec<_> =
        eq.map(Range::Eq).into_iter().chain(gte.map(Range::Gte)).chain(lte.map(Range::Lte)).collect();
    if all.is_empty() {
        return Err(Problem::new(Code::Required, "Give at least one of eq, gte and lte.").at(field));
    }
    Ok(all)
}

/// Puts the terms of a filter and its nested filters together.
pub(crate) fn combine<T, F>(
    terms: Vec<T>,
    and: Option<Vec<F>>,
    or: Option<Vec<F>>,
    not: Option<F>,
    depth: usize,
    parse: impl Fn(F, usize) -> Result<Filter<T>, Error>,
) -> Result<Filter<T>, Error> {
    if depth >= DEPTH_MAX && (and.is_some() || or.is_some() || not.is_some()) {
        let message = format!("Filters may nest {DEPTH_MAX} deep.");
        return Err(Problem::new(Code::TooMany, message).at("filter").into());
    }
    let nested = |filters: Vec<F>| -> Result<Vec<Filter<T>>, Error> {
        bounded(filters)?.into_iter().map(|filter| parse(filter, depth + 1)).collect()
    };
    let mut all: Vec<Filter<T>> = terms.into_iter().map(Filter::Term).collect();
    all.extend(and.map(nested).transpose()?.unwrap_or_default());
    all.extend(or.map(nested).transpose()?.map(Filter::Any));
    if let Some(not) = not {
        all.push(Filter::Not(Box::new(parse(not, depth + 1)?)));
    }
    Ok(Filter::All(all))
}
