//! Pages of a list: bounded, by keyset, in both directions.

use uuid::Uuid;

use crate::error::{Code, Error, Problem, Result};
use crate::time::Timestamp;

/// Page size where the client names none.
pub const PAGE_SIZE_DEFAULT: u32 = 20;
/// Largest page.
pub const PAGE_SIZE_MAX: u32 = 100;

/// The sort value of a row, for a cursor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// An instant.
    Time(Timestamp),
    /// A text, compared by bytes.
    Text(String),
    /// A number.
    Number(i64),
}

/// A place in a list: sort value and id of the row at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// Sort value.
    pub key: SortKey,
    /// Id, the tie-break.
    pub id: Uuid,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct PageRequest {
    /// Rows wanted, 1 to [`PAGE_SIZE_MAX`].
    pub size: u32,
    /// True for the last `size` rows of the range instead of the first.
    pub backward: bool,
    /// Only rows after this place.
    pub after: Option<Cursor>,
    /// Only rows before this place.
    pub before: Option<Cursor>,
}

impl PageRequest {
    /// Reads the arguments of a connection.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` for a size outside 1 to [`PAGE_SIZE_MAX`], or when both `first` and `last` are given.
    pub fn new(
        first: Option<i32>,
        last: Option<i32>,
        after: Option<Cursor>,
        before: Option<Cursor>,
    ) -> Result<Self> {
        let (field, size) = match (first, last) {
            (Some(_), Some(_)) => {
                return Err(Problem::new(Code::OutOfRange, "Give either first or last, not both.")
                    .at("first")
                    .into());
            }
            (None, Some(last)) => ("last", last),
            (first, None) => ("first", first.unwrap_or(PAGE_SIZE_DEFAULT as i32)),
        };
        let size =
            u32::try_from(size).ok().filter(|size| (1..=PAGE_SIZE_MAX).contains(size)).ok_or_else(|| {
                Error::from(
                    Problem::new(
                        Code::OutOfRange,
                        format!("{field} must lie between 1 and {PAGE_SIZE_MAX}."),
                    )
                    .at(field),
                )
            })?;
        Ok(Self { size, backward: last.is_some(), after, before })
    }

    /// The first `size` rows.
    pub fn first(size: u32) -> Self {
        Self { size, backward: false, after: None, before: None }
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows with their places, in the order of the list.
    pub items: Vec<(T, Cursor)>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows precede.
    pub has_previous: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), has_next: false, has_previous: false }
    }
}
