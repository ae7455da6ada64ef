//! Enums whose names are the same everywhere: in GraphQL, in the event log and in the database.

/// An enum with stable names and a description of each value.
pub trait WireEnum: Copy + Eq + Send + Sync + 'static {
    /// Name of the type, for clients.
    const NAME: &'static str;
    /// What the type means.
    const ABOUT: &'static str;
    /// All values, in their order.
    fn values() -> &'static [Self];
    /// The stable name.
    fn text(self) -> &'static str;
    /// What the value means.
    fn about(self) -> &'static str;
}

macro_rules! wire_name {
    ($type:ident) => {
        stringify!($type)
    };
    ($type:ident $name:literal) => {
        $name
    };
}
pub(crate) use wire_name;

/// Declares a [`WireEnum`]; the doc comments become the descriptions that clients read.
macro_rules! wire_enum {
    ($(#[doc = $about:literal])* $type:ident $(as $wire:literal)? {
        $($(#[doc = $doc:literal])* $name:ident = $text:literal,)*
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[doc = $doc])* $name,)* }

        impl $type {
            /// All values.
            pub const ALL: &'static [$type] = &[$($type::$name,)*];
            /// The name on the wire and in the database.
            pub fn as_str(self) -> &'static str { match self { $($type::$name => $text,)* } }
            /// Reads the name.
            pub fn parse(text: &str) -> Option<Self> { match text { $($text => Some($type::$name),)* _ => None } }
        }

        impl $crate::wire::WireEnum for $type {
            const NAME: &'static str = $crate::wire::wire_name!($type $($wire)?);
            const ABOUT: &'static str = concat!($($about, "\n",)*);
            fn values() -> &'static [Self] { Self::ALL }
            fn text(self) -> &'static str { self.as_str() }
            fn about(self) -> &'static str { match self { $($type::$name => concat!($($doc, "\n",)*),)* } }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("unknown value {text}")))
            }
        }
    };
}
pub(crate) use wire_enum;
