//! Filters as data: bounded trees of typed terms. Persistence turns them into conditions.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Problem};
use crate::wire::wire_enum;

/// Deepest nesting of and/or/not that the API accepts.
pub const DEPTH_MAX: usize = 3;
/// Most terms in one filter.
pub const TERMS_MAX: usize = 20;
/// Most values in one `in` list.
pub const VALUES_MAX: usize = 100;

/// A filter over terms of type `T`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Filter<T> {
    /// All must hold; an empty list always holds.
    All(Vec<Filter<T>>),
    /// At least one must hold.
    Any(Vec<Filter<T>>),
    /// Must not hold.
    Not(Box<Filter<T>>),
    /// A single comparison.
    Term(T),
}

impl<T> Default for Filter<T> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl<T> Filter<T> {
    /// Number of terms in the whole tree.
    pub fn terms(&self) -> usize {
        match self {
            Self::Term(_) => 1,
            Self::Not(inner) => inner.terms(),
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::terms).sum(),
        }
    }

    /// # Errors
    /// `TOO_MANY` when the tree has more than [`TERMS_MAX`] terms.
    pub fn check(&self) -> Result<(), Problem> {
        let terms = self.terms();
        if terms > TERMS_MAX {
            return Err(Problem::new(
                Code::TooMany,
                format!("A filter may hold {TERMS_MAX} comparisons; this one has {terms}."),
            ));
        }
        Ok(())
    }
}

/// Comparison of a value that has no order that matters: an id or an enum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OneOf<V> {
    /// One of these.
    In(Vec<V>),
    /// Not set.
    Missing,
}

/// Comparison of a text by its folded key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Text {
    /// Equal to one of these, ignoring case and spacing.
    In(Vec<String>),
    /// Contains this, ignoring case and spacing.
    Contains(String),
}

/// Comparison of an ordered value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Range<V> {
    /// Equal.
    Eq(V),
    /// At least.
    Gte(V),
    /// At most.
    Lte(V),
}

wire_enum! {
    /// Direction of a sort.
    Direction as "OrderDirection" {
        /// Smallest, earliest or first in the alphabet first.
        Asc = "ASC",
        /// Largest, latest or last in the alphabet first.
        Desc = "DESC",
    }
}
