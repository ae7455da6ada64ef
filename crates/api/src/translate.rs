//! From the document that was validated to the one that the executor runs.
//!
//! One parser for both closes the gaps between two readings of the same text (escapes in strings, numbers).

use apollo_compiler::ast::{self, Directive, Type, Value};
use apollo_compiler::executable::{self, Selection, SelectionSet};
use apollo_compiler::parser::{SourceMap, SourceSpan};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema};
use async_graphql::parser::types as executor;
use async_graphql::{Pos, Positioned, Value as ConstValue};
use async_graphql_value::Value as ExecutorValue;

use crate::completion::HIDDEN_TYPENAME;
use crate::document::place;

struct Translator<'a> {
    schema: &'a Schema,
    sources: &'a SourceMap,
}

/// Translates a whole document.
pub(crate) fn document(
    document: &ExecutableDocument,
    schema: &Valid<Schema>,
) -> executor::ExecutableDocument {
    let translator = Translator { schema, sources: &document.sources };
    let operations = document.operations.iter().map(|operation| {
        let name = operation.name.as_ref().map(name_of);
        (name, translator.at(operation.location(), translator.operation(operation)))
    });
    let mut named = std::collections::HashMap::new();
    let mut single = None;
    for (name, operation) in operations {
        match name {
            Some(name) => drop(named.insert(name, operation)),
            None => single = Some(operation),
        }
    }
    let operations = match single {
        Some(operation) => executor::DocumentOperations::Single(operation),
        None => executor::DocumentOperations::Multiple(named),
    };
    let fragments = document.fragments.iter().map(|(name, fragment)| {
        let definition = executor::FragmentDefinition {
            type_condition: translator.condition(fragment.type_condition()),
            directives: translator.directives(&fragment.directives),
            selection_set: translator.set(&fragment.selection_set),
        };
        (name_of(name), translator.at(fragment.location(), definition))
    });
    executor::ExecutableDocument { operations, fragments: fragments.collect() }
}

impl Translator<'_> {
    fn at<T>(&self, span: Option<SourceSpan>, node: T) -> Positioned<T> {
        Positioned::new(node, place(self.sources, span).unwrap_or_default())
    }

    fn operation(&self, operation: &executable::Operation) -> executor::OperationDefinition {
        let variables = operation.variables.iter().map(|variable| {
            let definition = executor::VariableDefinition {
                name: unplaced(name_of(&variable.name)),
                var_type: unplaced(type_of(&variable.ty)),
                directives: self.directives(&variable.directives),
                default_value: variable
                    .default_value
                    .as_ref()
                    .and_then(|value| constant(value))
                    .map(unplaced),
            };
            self.at(variable.location(), definition)
        });
        executor::OperationDefinition {
            ty: match operation.operation_type {
                ast::OperationType::Query => executor::OperationType::Query,
                ast::OperationType::Mutation => executor::OperationType::Mutation,
                ast::OperationType::Subscription => executor::OperationType::Subscription,
            },
            variable_definitions: variables.collect(),
            directives: self.directives(&operation.directives),
            selection_set: self.set(&operation.selection_set),
        }
    }

    fn set(&self, set: &SelectionSet) -> Positioned<executor::SelectionSet> {
        let mut items: Vec<_> = set.selections.iter().map(|selection| self.selection(selection)).collect();
        // The completion pass must know which of its types an abstract object has.
        let abstract_type = matches!(
            self.schema.types.get(&set.ty),
            Some(ExtendedType::Interface(_) | ExtendedType::Union(_))
        );
        if abstract_type && !items.is_empty() {
            let field = executor::Field {
                alias: Some(unplaced(async_graphql::Name::new(HIDDEN_TYPENAME))),
                name: unplaced(async_graphql::Name::new("__typename")),
                arguments: Vec::new(),
                directives: Vec::new(),
                selection_set: Positioned::default(),
            };
            items.push(unplaced(executor::Selection::Field(unplaced(field))));
        }
        unplaced(executor::SelectionSet { items })
    }

    fn selection(&self, selection: &Selection) -> Positioned<executor::Selection> {
        match selection {
            Selection::Field(field) => {
                let definition = executor::Field {
                    alias: field.alias.as_ref().map(|alias| unplaced(name_of(alias))),
                    name: unplaced(name_of(&field.name)),
                    arguments: arguments(&field.arguments),
                    directives: self.directives(&field.directives),
                    selection_set: self.set(&field.selection_set),
                };
                let field = self.at(field.location(), definition);
                Positioned { pos: field.pos, node: executor::Selection::Field(field) }
            }
            Selection::FragmentSpread(spread) => {
                let definition = executor::FragmentSpread {
                    fragment_name: unplaced(name_of(&spread.fragment_name)),
                    directives: self.directives(&spread.directives),
                };
                unplaced(executor::Selection::FragmentSpread(self.at(spread.location(), definition)))
            }
            Selection::InlineFragment(fragment) => {
                let definition = executor::InlineFragment {
                    type_condition: fragment.type_condition.as_ref().map(|on| self.condition(on)),
                    directives: self.directives(&fragment.directives),
                    selection_set: self.set(&fragment.selection_set),
                };
                unplaced(executor::Selection::InlineFragment(self.at(fragment.location(), definition)))
            }
        }
    }

    fn condition(&self, on: &Name) -> Positioned<executor::TypeCondition> {
        unplaced(executor::TypeCondition { on: unplaced(name_of(on)) })
    }

    fn directives(&self, directives: &ast::DirectiveList) -> Vec<Positioned<executor::Directive>> {
        let translate = |directive: &Node<Directive>| {
            let name = unplaced(name_of(&directive.name));
            let definition = executor::Directive { name, arguments: arguments(&directive.arguments) };
            self.at(directive.location(), definition)
        };
        directives.iter().map(translate).collect()
    }
}

fn unplaced<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Pos::default())
}

fn name_of(name: &Name) -> async_graphql::Name {
    async_graphql::Name::new(name.as_str())
}

fn type_of(ty: &Type) -> executor::Type {
    let named = |name: &Name| executor::BaseType::Named(name_of(name));
    let (base, nullable) = match ty {
        Type::Named(name) => (named(name), true),
        Type::NonNullNamed(name) => (named(name), false),
        Type::List(inner) => (executor::BaseType::List(Box::new(type_of(inner))), true),
        Type::NonNullList(inner) => (executor::BaseType::List(Box::new(type_of(inner))), false),
    };
    executor::Type { base, nullable }
}

fn arguments(
    arguments: &[Node<ast::Argument>],
) -> Vec<(Positioned<async_graphql::Name>, Positioned<ExecutorValue>)> {
    let translate = |argument: &Node<ast::Argument>| {
        (unplaced(name_of(&argument.name)), unplaced(value(&argument.value)))
    };
    arguments.iter().map(translate).collect()
}

fn value(from: &Value) -> ExecutorValue {
    match from {
        Value::Null => ExecutorValue::Null,
        Value::Enum(name) => ExecutorValue::Enum(name_of(name)),
        Value::Variable(name) => ExecutorValue::Variable(name_of(name)),
        Value::String(text) => ExecutorValue::String(text.clone()),
        Value::Boolean(value) => ExecutorValue::Boolean(*value),
        // A number that no integer or float can hold stays a text, which no numeric type accepts.
        Value::Int(int) => number(int.as_str())
            .map_or_else(|| ExecutorValue::String(int.as_str().into()), ExecutorValue::Number),
        Value::Float(float) => number(float.as_str())
            .map_or_else(|| ExecutorValue::String(float.as_str().into()), ExecutorValue::Number),
        Value::List(items) => ExecutorValue::List(items.iter().map(|item| value(item)).collect()),
        Value::Object(fields) => {
            ExecutorValue::Object(fields.iter().map(|(name, field)| (name_of(name), value(field))).collect())
        }
    }
}

fn number(text: &str) -> Option<async_graphql::Number> {
    serde_json::from_str(text).ok()
}

fn constant(from: &Value) -> Option<ConstValue> {
    value(from).into_const()
}
