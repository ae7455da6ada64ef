//! The shape of an answer, as the specification has it (September 2025, section 6.4).
//!
//! The executor leaves out the key of a field that failed, does not pass the null of a non-null field on to its
//! parent, and orders keys as they were completed. This pass puts them right: keys in the order of the document,
//! null where a field has no value, and the parent null where that must not be.

use std::collections::HashMap;
use std::rc::Rc;

use apollo_compiler::ast::{DirectiveList, Type, Value as Literal};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{ExecutableDocument, Schema};
use async_graphql::{Name, Value, Variables};

/// Key under which the executor is made to tell the type of an object whose field has an abstract type.
pub(crate) const HIDDEN_TYPENAME: &str = "_evenhandType";

/// A null where the schema promises a value: the parent becomes null in its place.
struct Bubble;

/// The fields of an object, collected once for all objects of its type in a list.
struct Plan<'a>(Vec<Planned<'a>>);

struct Planned<'a> {
    key: &'a str,
    ty: &'a Type,
    // Of all selections with this key; none where the field is a leaf.
    inside: Vec<&'a SelectionSet>,
}

struct Completion<'a> {
    document: &'a ExecutableDocument,
    schema: &'a Schema,
    operation: &'a Operation,
    variables: &'a Variables,
    // By the identity of the selection sets and the type of the object.
    plans: HashMap<(Vec<*const SelectionSet>, String), Rc<Plan<'a>>>,
}

/// Gives the `data` of an answer its legal shape.
pub(crate) fn complete(
    document: &ExecutableDocument,
    schema: &Schema,
    operation_name: Option<&str>,
    variables: &Variables,
    data: Value,
) -> Value {
    let Ok(operation) = document.operations.get(operation_name) else { return Value::Null };
    let mut completion = Completion { document, schema, operation, variables, plans: HashMap::new() };
    let root = operation.object_type().as_str();
    completion.object(&[&operation.selection_set], root, data).unwrap_or(Value::Null)
}

impl<'a> Completion<'a> {
    fn value(
        &mut self,
        ty: &Type,
        inside: &[&'a SelectionSet],
        value: Option<Value>,
    ) -> Result<Value, Bubble> {
        let completed = match value {
            None | Some(Value::Null) => Err(Bubble),
            Some(value) => match ty {
                Type::List(item) | Type::NonNullList(item) => match value {
                    Value::List(items) => {
                        let items = items.into_iter().map(|value| self.value(item, inside, Some(value)));
                        items.collect::<Result<_, _>>().map(Value::List)
                    }
                    _ => Err(Bubble),
                },
                Type::Named(_) | Type::NonNullNamed(_) if inside.is_empty() => Ok(value),
                Type::Named(name) | Type::NonNullNamed(name) => self.object(inside, name, value),
            },
        };
        match completed {
            Err(Bubble) if !ty.is_non_null() => Ok(Value::Null),
            completed => completed,
        }
    }

    fn object(&mut self, sets: &[&'a SelectionSet], ty: &str, value: Value) -> Result<Value, Bubble> {
        let Value::Object(mut fields) = value else { return Err(Bubble) };
        let runtime = match fields.swap_remove(HIDDEN_TYPENAME) {
            Some(Value::String(name)) => name,
            _ => ty.to_owned(),
        };
        let plan = self.plan(sets, runtime);
        let mut completed = async_graphql::indexmap::IndexMap::with_capacity(plan.0.len());
        for planned in &plan.0 {
            let value = fields.swap_remove(planned.key);
            let value = self.value(planned.ty, &planned.inside, value)?;
            completed.insert(Name::new(planned.key), value);
        }
        Ok(Value::Object(completed))
    }

    fn plan(&mut self, sets: &[&'a SelectionSet], ty: String) -> Rc<Plan<'a>> {
        let key = (sets.iter().map(|set| std::ptr::from_ref(*set)).collect::<Vec<_>>(), ty);
        if let Some(plan) = self.plans.get(&key) {
            return Rc::clone(plan);
        }
        let mut plan = Plan(Vec::new());
        for set in sets {
            self.collect(set, &key.1, &mut plan);
        }
        let plan = Rc::new(plan);
        self.plans.insert(key, Rc::clone(&plan));
        plan
    }

    /// `CollectFields` and `CollectSubfields`, for an object of type `ty`.
    fn collect(&self, set: &'a SelectionSet, ty: &str, plan: &mut Plan<'a>) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) if self.is_included(&field.directives) => {
                    let key = field.response_key().as_str();
                    let inside = (!field.selection_set.is_empty()).then_some(&field.selection_set);
                    match plan.0.iter_mut().find(|planned| planned.key == key) {
                        Some(planned) => planned.inside.extend(inside),
                        None => {
                            let (ty, inside) = (field.ty(), inside.into_iter().collect());
                            plan.0.push(Planned { key, ty, inside });
                        }
                    }
                }
                Selection::InlineFragment(fragment)
                    if self.is_included(&fragment.directives)
                        && fragment.type_condition.as_ref().is_none_or(|on| self.is_of(ty, on)) =>
                {
                    self.collect(&fragment.selection_set, ty, plan);
                }
                Selection::FragmentSpread(spread) if self.is_included(&spread.directives) => {
                    let fragment = self.document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) =
                        fragment.filter(|fragment| self.is_of(ty, fragment.type_condition()))
                    {
                        self.collect(&fragment.selection_set, ty, plan);
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether an object of type `ty` is an `on`.
    fn is_of(&self, ty: &str, on: &str) -> bool {
        ty == on
            || match self.schema.types.get(on) {
                Some(ExtendedType::Union(union)) => union.members.iter().any(|member| member == ty),
                Some(ExtendedType::Interface(_)) => match self.schema.types.get(ty) {
                    Some(ExtendedType::Object(object)) => {
                        object.implements_interfaces.iter().any(|interface| interface == on)
                    }
                    _ => false,
                },
                _ => false,
            }
    }

    fn is_included(&self, directives: &DirectiveList) -> bool {
        let holds = |name| {
            let argument = directives.get(name)?.specified_argument_by_name("if")?;
            Some(match &**argument {
                Literal::Boolean(value) => *value,
                Literal::Variable(name) => self.holds(name),
                _ => false,
            })
        };
        holds("skip") != Some(true) && holds("include") != Some(false)
    }

    /// The value of a Boolean variable.
    fn holds(&self, name: &str) -> bool {
        match self.variables.get(&Name::new(name)) {
            Some(value) => *value == Value::Boolean(true),
            None => {
                let variable = self.operation.variables.iter().find(|variable| variable.name == name);
                let default = variable.and_then(|variable| variable.default_value.as_ref());
                default.is_some_and(|value| matches!(**value, Literal::Boolean(true)))
            }
        }
    }
}

#[cfg(test)]
#[path = "completion_tests.rs"]
mod tests;
