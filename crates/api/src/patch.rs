//! Optional values in the inputs of updates: left out keeps, null clears, a value sets.

use async_graphql::MaybeUndefined;
use evenhand_domain::patch::Patch;

/// What an update does to an optional value.
pub(crate) fn patch<T>(value: MaybeUndefined<T>) -> Patch<T> {
    match value {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Value(value) => Patch::Set(value),
    }
}
