//! What an operation could answer, in objects, before anything is read: page sizes multiplied down the tree.

use std::collections::HashMap;

use apollo_compiler::ast::{self, Definition, OperationDefinition, OperationType, Selection, Value};
use apollo_compiler::{Node, Schema};
use async_graphql::{ServerError, Variables};

use crate::document::{fragments, over, place};
use crate::error::edge;
use crate::limits::{GROUP_ITEMS, INTROSPECTION_COST, LIST_ITEMS, MUTATION_COST};

/// Page that a connection has where the client does not say.
const PAGE_DEFAULT: u64 = 20;
/// Largest page; the resolver refuses more.
const PAGE_MAX: u64 = 100;

/// The operation of a document that a request means.
///
/// # Errors
/// `BAD_REQUEST` when the name does not pick one.
pub(crate) fn operation<'a>(
    document: &'a ast::Document,
    name: Option<&str>,
) -> Result<&'a Node<OperationDefinition>, ServerError> {
    let mut operations = document.definitions.iter().filter_map(Definition::as_operation_definition);
    match name {
        Some(name) => operations
            .find(|operation| operation.name.as_ref().is_some_and(|its| its == name))
            .ok_or_else(|| edge("BAD_REQUEST", format!("The document has no operation named {name:?}."))),
        None => match (operations.next(), operations.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(edge("BAD_REQUEST", "The document has no operation.")),
            _ => Err(edge("BAD_REQUEST", "The document has several operations; name one in operationName.")),
        },
    }
}

struct Reckoning<'a> {
    schema: &'a Schema,
    fragments: HashMap<&'a str, &'a ast::FragmentDefinition>,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
}

/// Reckons the cost of `operation`. The document was measured before, so the walk is short.
///
/// # Errors
/// `QUERY_TOO_COMPLEX` when it is over `maximum`, with the first root field that goes over it.
pub(crate) fn of(
    document: &ast::Document,
    operation: &OperationDefinition,
    variables: &Variables,
    schema: &Schema,
    maximum: u64,
) -> Result<u64, ServerError> {
    let reckoning = Reckoning { schema, fragments: fragments(document), operation, variables };
    let (root, each) = match operation.operation_type {
        OperationType::Query => ("Query", 0),
        OperationType::Mutation => ("Mutation", MUTATION_COST),
        OperationType::Subscription => ("Subscription", 0),
    };
    let mut cost = 0_u64;
    for selection in &operation.selection_set {
        let base = reckoning.set(std::slice::from_ref(selection), root, 1);
        cost = cost.saturating_add(base).saturating_add(each);
        if cost > maximum {
            let span = match selection {
                Selection::Field(field) => field.location(),
                Selection::FragmentSpread(spread) => spread.location(),
                Selection::InlineFragment(fragment) => fragment.location(),
            };
            return Err(over("objects to answer", maximum, cost, place(&document.sources, span)));
        }
    }
    Ok(cost.max(1))
}

impl Reckoning<'_> {
    /// The cost of a selection set on `parent`, which is a page of `page` items where it is a connection.
    fn set(&self, set: &[Selection], parent: &str, page: u64) -> u64 {
        let costs = set.iter().map(|selection| match selection {
            Selection::Field(field) => self.field(field, parent, page),
            Selection::InlineFragment(fragment) => {
                let on = fragment.type_condition.as_ref().map_or(parent, |on| on.as_str());
                self.set(&fragment.selection_set, on, page)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = self.fragments.get(spread.fragment_name.as_str());
                fragment.map_or(0, |it| self.set(&it.selection_set, &it.type_condition, page))
            }
        });
        costs.fold(0, u64::saturating_add)
    }

    fn field(&self, field: &ast::Field, parent: &str, page: u64) -> u64 {
        if matches!(field.name.as_str(), "__schema" | "__type") {
            return INTROSPECTION_COST;
        }
        // An unknown field is for the validation to report.
        let Ok(definition) = self.schema.type_field(parent, &field.name) else { return 0 };
        if field.selection_set.is_empty() {
            return 0;
        }
        let inner = definition.ty.inner_named_type().as_str();
        let inside = |page| self.set(&field.selection_set, inner, page);
        if inner.ends_with("Connection") {
            return inside(self.page(field));
        }
        match (parent.ends_with("Connection"), field.name.as_str()) {
            (true, "edges") => inside(1).saturating_mul(page),
            (true, "nodes") => inside(1).saturating_add(1).saturating_mul(page),
            (true, "pageInfo") => 0,
            _ if definition.ty.is_list() => {
                let items = match field.name.as_str() {
                    "complaintStatistics" => GROUP_ITEMS,
                    _ => self.list_argument(field).unwrap_or(LIST_ITEMS),
                };
                inside(1).saturating_add(1).saturating_mul(items)
            }
            _ => inside(1).saturating_add(1),
        }
    }

    /// The page that `first` or `last` ask for.
    fn page(&self, field: &ast::Field) -> u64 {
        let asked = ["first", "last"].iter().find_map(|name| {
            let argument = field.arguments.iter().find(|argument| argument.name == *name)?;
            match &*argument.value {
                Value::Variable(name) => match self.variables.get(&async_graphql::Name::new(name.as_str())) {
                    Some(async_graphql::Value::Number(number)) => number.as_u64(),
                    Some(_) => None,
                    None => {
                        let variable =
                            self.operation.variables.iter().find(|variable| variable.name == *name)?;
                        whole(variable.default_value.as_ref()?)
                    }
                },
                literal => whole(literal),
            }
        });
        asked.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX)
    }

    /// The length of the list of ids that a list of objects answers.
    fn list_argument(&self, field: &ast::Field) -> Option<u64> {
        let argument = field.arguments.iter().find(|argument| argument.name == "ids")?;
        match &*argument.value {
            Value::List(items) => Some(items.len() as u64),
            Value::Variable(name) => match self.variables.get(&async_graphql::Name::new(name.as_str()))? {
                async_graphql::Value::List(items) => Some(items.len() as u64),
                _ => None,
            },
            _ => None,
        }
    }
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(int) => int.as_str().parse().ok(),
        _ => None,
    }
}
