//! Ids at the edge: opaque text that carries its type, so that a deal's id is refused where a customer's is meant.

use async_graphql::ID;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evenhand_domain::error::{Code, Problem};
use evenhand_domain::id::EntityId;
use uuid::Uuid;

/// Longest id that is looked at, in bytes.
const ID_BYTES_MAX: usize = 128;

/// The opaque id of an object.
pub(crate) fn encode<I: EntityId>(id: I) -> ID {
    encode_raw(I::TYPE, id.uuid())
}

/// The opaque id of an object whose type is known by name.
pub(crate) fn encode_raw(type_name: &str, uuid: Uuid) -> ID {
    ID(URL_SAFE_NO_PAD.encode(format!("v1:{type_name}:{uuid}")))
}

/// The type's name and the raw id inside an opaque id.
pub(crate) fn decode_any(id: &ID) -> Option<(String, Uuid)> {
    if id.len() > ID_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id.as_bytes()).ok()?).ok()?;
    let (type_name, uuid) = text.strip_prefix("v1:")?.split_once(':')?;
    Some((type_name.to_owned(), Uuid::try_parse(uuid).ok()?))
}

/// The typed id inside an opaque id.
///
/// # Errors
/// `INVALID_ID` for anything else, ids of other types included.
pub(crate) fn decode<I: EntityId>(id: &ID) -> Result<I, Problem> {
    match decode_any(id) {
        Some((type_name, uuid)) if type_name == I::TYPE => Ok(I::from_uuid(uuid)),
        Some((type_name, _)) => Err(Problem::new(
            Code::InvalidId,
            format!("This is the id of a {type_name}; expected a {}.", I::TYPE),
        )),
        None => Err(Problem::new(
            Code::InvalidId,
            format!("This is not an id; expected the id of a {}.", I::TYPE),
        )),
    }
}

/// The typed id of an optional argument.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_opt<I: EntityId>(id: Option<&ID>) -> Result<Option<I>, Problem> {
    id.map(decode).transpose()
}
