//! Keyset pagination: one implementation for every list, and its order is the same on both databases.

use std::collections::HashMap;
use std::hash::Hash;

use evenhand_domain::error::{Code, Problem, Result};
use evenhand_domain::filter::{Direction, Filter, OneOf, Range, Text};
use evenhand_domain::page::{Cursor, Page, PageRequest, SortKey};
use evenhand_domain::text::fold;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr, WindowStatement};
use sea_orm::{
    ColumnTrait, ColumnType, Condition, ConnectionTrait, EntityTrait, Order, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select, Value,
};
use uuid::Uuid;

use crate::error::database_error;

/// How a list is ordered: a column that is never null, then the id.
pub(crate) struct Keyset<C> {
    pub(crate) column: C,
    pub(crate) id: C,
    pub(crate) direction: Direction,
}

/// Fetches one page of `select`; `place` tells the sort value and id of a row.
pub(crate) async fn fetch<E, T>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    keyset: &Keyset<E::Column>,
    page: &PageRequest,
    place: impl Fn(&E::Model) -> (SortKey, Uuid),
    restore: impl Fn(E::Model) -> Result<T>,
) -> Result<Page<T>>
where
    E: EntityTrait,
{
    for (cursor, argument) in [(&page.after, "after"), (&page.before, "before")] {
        if cursor.as_ref().is_some_and(|cursor| !fits(keyset.column, &cursor.key)) {
            let text = "This is no cursor of this list; use one of an earlier page with the same order.";
            return Err(Problem::new(Code::InvalidFormat, text).at(argument).into());
        }
    }
    let limit = u64::from(page.size);
    // One row more than asked for tells whether the list goes on.
    let mut rows = slice(select, keyset, page).limit(limit + 1).all(db).await.map_err(database_error)?;
    let more = rows.len() as u64 > limit;
    rows.truncate(page.size as usize);
    if page.backward {
        rows.reverse();
    }
    let items = rows
        .into_iter()
        .map(|row| {
            let (key, id) = place(&row);
            Ok((restore(row)?, Cursor { key, id }))
        })
        .collect::<Result<_>>()?;
    // The row at a given cursor lies outside the page, so there is something on that side.
    Ok(Page {
        items,
        has_next: if page.backward { page.before.is_some() } else { more },
        has_previous: if page.backward { more } else { page.after.is_some() },
    })
}

/// Of what [`fetch_each`] reads the first page: each object that the `parent` column names.
pub(crate) struct Each<C> {
    pub(crate) parent: C,
    pub(crate) org: (C, Uuid),
    pub(crate) size: u32,
}

/// Fetches the first page of every parent's rows in one statement, a window ranking the rows of each. `select`
/// is limited to some parents; those without rows are left out.
pub(crate) async fn fetch_each<E, P, T>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    each: &Each<E::Column>,
    keyset: &Keyset<E::Column>,
    place: impl Fn(&E::Model) -> (SortKey, Uuid),
    restore: impl Fn(E::Model) -> Result<(Option<P>, T)>,
) -> Result<HashMap<P, Page<T>>>
where
    E: EntityTrait,
    P: Eq + Hash,
{
    let order = if keyset.direction == Direction::Asc { Order::Asc } else { Order::Desc };
    let window = WindowStatement::partition_by((E::default(), each.parent))
        .order_by((E::default(), keyset.column), order.clone())
        .order_by((E::default(), keyset.id), order)
        .to_owned();
    let ranked = select
        .select_only()
        .column(keyset.id)
        .into_query()
        .expr_window_as(Func::cust("row_number"), window, "place")
        .to_owned();
    // One row more than asked for tells whether the list goes on.
    let first = Query::select()
        .column(("ranked", keyset.id))
        .from_subquery(ranked, "ranked")
        .and_where(Expr::col(("ranked", "place")).lte(i64::from(each.size) + 1))
        .to_owned();
    let (org, org_id) = each.org;
    let rows = E::find().filter(org.eq(org_id)).filter(keyset.id.in_subquery(first));
    let mut rows = rows.all(db).await.map_err(database_error)?;
    // Sorted here: asked to sort, SQLite walks the whole table in that order instead of looking up these few.
    rows.sort_by_key(&place);
    if keyset.direction == Direction::Desc {
        rows.reverse();
    }
    let mut pages: HashMap<P, Page<T>> = HashMap::new();
    for row in rows {
        let (key, id) = place(&row);
        let (Some(parent), child) = restore(row)? else { continue };
        let page = pages.entry(parent).or_default();
        if page.items.len() < each.size as usize {
            page.items.push((child, Cursor { key, id }));
        } else {
            page.has_next = true;
        }
    }
    Ok(pages)
}

/// Counts the rows of a list.
pub(crate) async fn count<E>(db: &impl ConnectionTrait, select: Select<E>) -> Result<i64>
where
    E: EntityTrait,
    E::Model: Send + Sync,
{
    let rows = select.count(db).await.map_err(database_error)?;
    Ok(i64::try_from(rows).unwrap_or(i64::MAX))
}

fn slice<E: EntityTrait>(select: Select<E>, keyset: &Keyset<E::Column>, page: &PageRequest) -> Select<E> {
    let ascending = (keyset.direction == Direction::Asc) != page.backward;
    let order = if ascending { Order::Asc } else { Order::Desc };
    let forward = keyset.direction == Direction::Asc;
    let mut select = select.order_by(keyset.column, order.clone()).order_by(keyset.id, order);
    if let Some(cursor) = &page.after {
        select = select.filter(beyond(keyset, cursor, forward));
    }
    if let Some(cursor) = &page.before {
        select = select.filter(beyond(keyset, cursor, !forward));
    }
    select
}

/// Whether a sort value, which a client may have forged, has the type of the column.
fn fits(column: impl ColumnTrait, key: &SortKey) -> bool {
    match column.def().get_column_type() {
        ColumnType::TimestampWithTimeZone => matches!(key, SortKey::Time(_)),
        ColumnType::BigInteger | ColumnType::Integer => matches!(key, SortKey::Number(_)),
        _ => matches!(key, SortKey::Text(_)),
    }
}

/// Rows strictly greater (or less) than the cursor, in the order (column, id).
fn beyond<C: ColumnTrait>(keyset: &Keyset<C>, cursor: &Cursor, greater: bool) -> Condition {
    let value: Value = match &cursor.key {
        SortKey::Time(at) => at.utc().into(),
        SortKey::Text(text) => text.clone().into(),
        SortKey::Number(number) => (*number).into(),
    };
    let (past, id_past) = if greater {
        (keyset.column.gt(value.clone()), keyset.id.gt(cursor.id))
    } else {
        (keyset.column.lt(value.clone()), keyset.id.lt(cursor.id))
    };
    Condition::any().add(past).add(keyset.column.eq(value).and(id_past))
}

/// A filter as a condition; `term` turns one comparison.
pub(crate) fn condition<T>(filter: &Filter<T>, term: &impl Fn(&T) -> SimpleExpr) -> Condition {
    match filter {
        Filter::All(parts) => parts.iter().fold(Condition::all(), |all, part| all.add(condition(part, term))),
        Filter::Any(parts) if parts.is_empty() => Condition::all().add(Expr::val(1).eq(0)),
        Filter::Any(parts) => parts.iter().fold(Condition::any(), |any, part| any.add(condition(part, term))),
        Filter::Not(part) => condition(part, term).not(),
        Filter::Term(leaf) => Condition::all().add(term(leaf)),
    }
}

/// `column` is one of the values; an empty list matches nothing.
pub(crate) fn one_of<V: Clone, S: Into<Value>>(
    column: impl ColumnTrait,
    comparison: &OneOf<V>,
    value: impl Fn(V) -> S,
) -> SimpleExpr {
    match comparison {
        OneOf::In(values) => known(column, column.is_in(values.iter().cloned().map(value))),
        OneOf::Missing => column.is_null(),
    }
}

/// Makes a comparison false, not unknown, where `column` is not set: the rest is then what `not` matches.
fn known(column: impl ColumnTrait, comparison: SimpleExpr) -> SimpleExpr {
    if column.def().is_null() { column.is_not_null().and(comparison) } else { comparison }
}

/// The folded `column` equals or contains a text.
pub(crate) fn text(column: impl ColumnTrait, comparison: &Text) -> SimpleExpr {
    let comparison = match comparison {
        Text::In(values) => column.is_in(values.iter().map(|value| fold(value))),
        Text::Contains(part) => {
            // Our own wildcards only: what the client typed is literal.
            let literal = fold(part).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            column.like(sea_orm::sea_query::LikeExpr::new(format!("%{literal}%")).escape('\\'))
        }
    };
    known(column, comparison)
}

/// `column` lies in a range.
pub(crate) fn range<V: Clone, S: Into<Value>>(
    column: impl ColumnTrait,
    comparison: &Range<V>,
    value: impl Fn(V) -> S,
) -> SimpleExpr {
    let comparison = match comparison.clone() {
        Range::Eq(bound) => column.eq(value(bound)),
        Range::Gte(bound) => column.gte(value(bound)),
        Range::Lte(bound) => column.lte(value(bound)),
    };
    known(column, comparison)
}
