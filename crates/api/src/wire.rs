//! Enums of the domain as GraphQL enums: one definition, one set of names, one set of descriptions.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::Field;
use async_graphql::registry::{Deprecation, MetaEnumValue, MetaType, MetaTypeId, Registry};
use async_graphql::{
    ContextSelectionSet, InputType, InputValueError, InputValueResult, Name, OutputType, Positioned,
    ServerResult, Value,
};
use evenhand_domain::wire::WireEnum;

/// A domain enum at the API's edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire<T>(pub(crate) T);

fn describe<T: WireEnum>(registry: &mut Registry) -> String {
    registry.create_input_type::<Wire<T>, _>(MetaTypeId::Enum, |_| MetaType::Enum {
        name: T::NAME.to_owned(),
        description: Some(T::ABOUT.trim().to_owned()),
        enum_values: T::values()
            .iter()
            .map(|value| {
                let name = value.text().to_owned();
                let meta = MetaEnumValue {
                    name: name.clone(),
                    description: Some(value.about().trim().to_owned()),
                    deprecation: Deprecation::NoDeprecated,
                    visible: None,
                    inaccessible: false,
                    tags: Vec::new(),
                    directive_invocations: Vec::new(),
                };
                (name, meta)
            })
            .collect::<IndexMap<_, _>>(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: Some(std::any::type_name::<Wire<T>>()),
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    })
}

impl<T: WireEnum> InputType for Wire<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(T::NAME)
    }

    fn create_type_info(registry: &mut Registry) -> String {
        describe::<T>(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let text = match value.unwrap_or_default() {
            Value::Enum(name) => name.to_string(),
            Value::String(text) => text,
            other => return Err(InputValueError::expected_type(other)),
        };
        let found = T::values().iter().find(|value| value.text() == text).copied();
        found.map(Self).ok_or_else(|| InputValueError::custom(format!("{} has no value {text:?}", T::NAME)))
    }

    fn to_value(&self) -> Value {
        Value::Enum(Name::new(self.0.text()))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

impl<T: WireEnum> OutputType for Wire<T> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(T::NAME)
    }

    fn create_type_info(registry: &mut Registry) -> String {
        describe::<T>(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(self.to_value())
    }
}
