//! Relay connections: arguments in, pages out.

use async_graphql::SimpleObject;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::page::{Cursor, PageRequest, SortKey};
use evenhand_domain::time::Timestamp;
use futures_util::future::BoxFuture;
use uuid::Uuid;

/// Longest cursor that is looked at, in bytes: a sort value of 200 characters and an id, encoded.
const CURSOR_BYTES_MAX: usize = 2_048;

/// Where a page lies in its list.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether entries follow the last one of this page.
    pub(crate) has_next_page: bool,
    /// Whether entries precede the first one of this page.
    pub(crate) has_previous_page: bool,
    /// Cursor of the first entry; null on an empty page.
    pub(crate) start_cursor: Option<String>,
    /// Cursor of the last entry; null on an empty page.
    pub(crate) end_cursor: Option<String>,
}

/// The paging arguments of a connection, as they come in.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageArgs {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i32>,
    pub(crate) before: Option<String>,
}

impl PageArgs {
    /// The arguments of a connection that pages forward only.
    pub(crate) fn forward(first: Option<i32>, after: Option<String>) -> Self {
        Self { first, after, last: None, before: None }
    }

    /// The checked request for a list that is sorted by `sort`.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` for a wrong size, `INVALID_FORMAT` for a cursor that is none of this list.
    pub(crate) fn parse(&self, sort: &str) -> Result<PageRequest> {
        let cursor = |text: &Option<String>, name: &str| {
            text.as_deref().map(|text| decode(text, sort).ok_or_else(|| bad_cursor(name))).transpose()
        };
        PageRequest::new(
            self.first,
            self.last,
            cursor(&self.after, "after")?,
            cursor(&self.before, "before")?,
        )
    }
}

/// The error for a cursor that is none of this list.
pub(crate) fn bad_cursor(argument: &str) -> Error {
    let text = "This is no cursor of this list; use endCursor or startCursor of an earlier page with the same order.";
    Problem::new(Code::InvalidFormat, text).at(argument).into()
}

/// A cursor as text: the list's sort, the sort value and the id.
pub(crate) fn encode(cursor: &Cursor, sort: &str) -> String {
    let key = match &cursor.key {
        SortKey::Time(at) => serde_json::json!({ "t": at.micros() }),
        SortKey::Text(text) => serde_json::json!({ "s": text }),
        SortKey::Number(number) => serde_json::json!({ "n": number }),
    };
    URL_SAFE_NO_PAD.encode(serde_json::json!([sort, key, cursor.id]).to_string())
}

fn decode(text: &str, sort: &str) -> Option<Cursor> {
    if text.len() > CURSOR_BYTES_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (of, key, id): (String, serde_json::Value, Uuid) = serde_json::from_slice(&bytes).ok()?;
    if of != sort {
        return None;
    }
    let key = if let Some(micros) = key.get("t").and_then(serde_json::Value::as_i64) {
        SortKey::Time(Timestamp::new(chrono::DateTime::from_timestamp_micros(micros)?))
    } else if let Some(text) = key.get("s").and_then(serde_json::Value::as_str) {
        // PostgreSQL holds no NUL; no sort value of ours has one.
        if text.contains('\0') {
            return None;
        }
        SortKey::Text(text.to_owned())
    } else {
        SortKey::Number(key.get("n")?.as_i64()?)
    };
    Some(Cursor { key, id })
}

/// Counts a list when, and only when, `totalCount` is selected.
pub(crate) type Total = Box<dyn Fn() -> BoxFuture<'static, Result<i64>> + Send + Sync>;

/// Declares a connection and its edge over a node type that is made from a domain type by `From`.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $of:literal) => {
        #[doc = concat!("An entry in a list of ", $of, ".")]
        #[derive(async_graphql::SimpleObject)]
        pub(crate) struct $edge {
            /// The place of this entry; pass it as `after` or `before` to go on from here.
            cursor: String,
            /// The entry itself.
            node: $node,
        }

        #[doc = concat!("A page of ", $of, ".")]
        pub(crate) struct $connection {
            nodes: Vec<($node, evenhand_domain::page::Cursor)>,
            has_next_page: bool,
            has_previous_page: bool,
            sort: String,
            total: $crate::page::Total,
        }

        impl $connection {
            /// A page as the client sees it. `sort` names the order, so that a cursor fits its own list only.
            pub(crate) fn new<T: Into<$node>>(
                page: evenhand_domain::page::Page<T>,
                sort: &str,
                total: $crate::page::Total,
            ) -> Self {
                Self {
                    nodes: page.items.into_iter().map(|(node, cursor)| (node.into(), cursor)).collect(),
                    has_next_page: page.has_next,
                    has_previous_page: page.has_previous,
                    sort: sort.to_owned(),
                    total,
                }
            }

            fn cursor(&self, place: &($node, evenhand_domain::page::Cursor)) -> String {
                $crate::page::encode(&place.1, &self.sort)
            }
        }

        #[doc = concat!("A page of ", $of, ".")]
        #[async_graphql::Object]
        impl $connection {
            /// The entries with their cursors.
            async fn edges(&self) -> Vec<$edge> {
                let edge = |place| $edge { cursor: self.cursor(place), node: place.0.clone() };
                self.nodes.iter().map(edge).collect()
            }

            /// The entries without cursors.
            async fn nodes(&self) -> Vec<&$node> {
                self.nodes.iter().map(|(node, _)| node).collect()
            }

            /// Where this page lies in the whole list.
            async fn page_info(&self) -> $crate::page::PageInfo {
                $crate::page::PageInfo {
                    has_next_page: self.has_next_page,
                    has_previous_page: self.has_previous_page,
                    start_cursor: self.nodes.first().map(|place| self.cursor(place)),
                    end_cursor: self.nodes.last().map(|place| self.cursor(place)),
                }
            }

            /// Number of entries in the whole list, with the same filter. Counted only when selected.
            async fn total_count(&self) -> async_graphql::Result<i64> {
                Ok((self.total)().await?)
            }
        }
    };
}
pub(crate) use connection;
