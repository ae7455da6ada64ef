//! What clients were promised: a change of the schema that could break one must be announced.

use std::collections::BTreeSet;

use apollo_compiler::Schema;
use apollo_compiler::ast::{InputValueDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;

use crate::support::golden::read;

/// The schema of the last release; replaced when the next one is made.
const RELEASED: &str = "tests/golden/released.graphql";

#[test]
fn breaking_changes_are_announced() {
    let changelog = read("CHANGELOG.md");
    let unreleased = changelog.split("\n## [").nth(1).expect("an unreleased part");
    let silent: Vec<String> = breaking(&parse(&read(RELEASED)), &parse(&evenhand_api::sdl()))
        .into_iter()
        .filter(|change| !unreleased.contains(&format!("`{change}`")))
        .collect();
    assert!(
        silent.is_empty(),
        "these changes can break clients; deprecate first, or announce each as `…` in CHANGELOG.md: {silent:#?}"
    );
}

#[test]
fn breaking_changes_are_found() {
    let old = parse(
        "type Query { a: Int! b(x: Int): String c: T } type T { d: Int } enum E { F G } input I { h: Int j: Int! } \
         interface N { id: ID } union U = T",
    );
    let new = parse(
        "type Query { a: Int b(x: Int!, y: Int!): String! k(e: E, i: I): Int t: T2 } type T2 { d: Int } enum E { F } \
         input I { h: Int! l: Int! } interface N { id: ID } union U = T2",
    );
    let found: Vec<String> = breaking(&old, &new).into_iter().collect();
    let expected = ["E.G", "I.h", "I.j", "I.l", "Query.a", "Query.b(x)", "Query.b(y)", "Query.c", "T", "U.T"];
    assert_eq!(found, expected);
    assert!(breaking(&old, &old).is_empty());
}

fn parse(sdl: &str) -> Valid<Schema> {
    Schema::parse_and_validate(sdl, "schema.graphql").expect("a schema")
}

/// The coordinates of everything that is gone or changed so that a client of `old` may fail.
fn breaking(old: &Schema, new: &Schema) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, before) in old.types.iter().filter(|(_, ty)| !ty.is_built_in()) {
        let Some(after) = new.types.get(name) else {
            found.insert(name.to_string());
            continue;
        };
        match (before, after) {
            (ExtendedType::Scalar(_), ExtendedType::Scalar(_)) => {}
            (
                ExtendedType::Object(_) | ExtendedType::Interface(_),
                ExtendedType::Object(_) | ExtendedType::Interface(_),
            ) => {
                for field in fields(before) {
                    match new.type_field(name, &field.name) {
                        Ok(now) if answers_as(&field.ty, &now.ty) => {
                            let at = |argument: &str| format!("{name}.{}({argument})", field.name);
                            arguments(&field.arguments, &now.arguments, at, &mut found);
                        }
                        _ => drop(found.insert(format!("{name}.{}", field.name))),
                    }
                }
            }
            (ExtendedType::Enum(before), ExtendedType::Enum(after)) => {
                let gone = before.values.keys().filter(|value| !after.values.contains_key(*value));
                found.extend(gone.map(|value| format!("{name}.{value}")));
            }
            (ExtendedType::Union(before), ExtendedType::Union(after)) => {
                let gone = before.members.iter().filter(|member| !after.members.contains(*member));
                found.extend(gone.map(|member| format!("{name}.{}", member.name)));
            }
            (ExtendedType::InputObject(before), ExtendedType::InputObject(after)) => {
                let list = |fields: &apollo_compiler::collections::IndexMap<
                    _,
                    apollo_compiler::schema::Component<InputValueDefinition>,
                >| {
                    fields.values().map(|field| field.node.clone()).collect::<Vec<_>>()
                };
                let at = |field: &str| format!("{name}.{field}");
                arguments(&list(&before.fields), &list(&after.fields), at, &mut found);
            }
            _ => drop(found.insert(name.to_string())),
        }
    }
    found
}

fn fields(ty: &ExtendedType) -> Vec<&apollo_compiler::schema::FieldDefinition> {
    match ty {
        ExtendedType::Object(object) => object.fields.values().map(|field| &***field).collect(),
        ExtendedType::Interface(interface) => interface.fields.values().map(|field| &***field).collect(),
        _ => Vec::new(),
    }
}

fn arguments(
    before: &[apollo_compiler::Node<InputValueDefinition>],
    after: &[apollo_compiler::Node<InputValueDefinition>],
    at: impl Fn(&str) -> String,
    found: &mut BTreeSet<String>,
) {
    for argument in before {
        // What a client could send must still be taken: the roles of the types are turned round.
        match after.iter().find(|now| now.name == argument.name) {
            Some(now) if answers_as(&now.ty, &argument.ty) => {}
            _ => drop(found.insert(at(&argument.name))),
        }
    }
    let new = after.iter().filter(|now| before.iter().all(|argument| argument.name != now.name));
    found.extend(new.filter(|now| now.is_required()).map(|now| at(&now.name)));
}

/// Whether a value of type `now` is one of type `before` as well.
fn answers_as(before: &Type, now: &Type) -> bool {
    now.is_assignable_to(before)
}
