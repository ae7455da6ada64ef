//! Conventions of the public schema that a reader would otherwise have to check by eye.

use serde_json::{Value, json};

use crate::support::{Backend, TestApp, run};

const INTROSPECTION: &str = "{ __schema { types { kind name description specifiedByURL \
    fields(includeDeprecated: true) { name description isDeprecated deprecationReason \
      args { name description type { ...T } } type { ...T } } \
    inputFields { name description type { ...T } } \
    enumValues(includeDeprecated: true) { name description } interfaces { name } possibleTypes { name } } \
    queryType { name } mutationType { name } subscriptionType { name } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The schema as clients see it.
pub(crate) async fn introspect(t: &TestApp) -> Value {
    let answer = t.admin().gql(INTROSPECTION, json!({})).await;
    answer.ok()["__schema"].clone()
}

/// The list at `key`, empty where there is none.
pub(crate) fn list<'a>(of: &'a Value, key: &str) -> Vec<&'a Value> {
    of[key].as_array().map(|items| items.iter().collect()).unwrap_or_default()
}

/// The type as written in the schema language, e.g. `[User!]!`.
pub(crate) fn written(of: &Value) -> String {
    match of["kind"].as_str() {
        Some("NON_NULL") => format!("{}!", written(&of["ofType"])),
        Some("LIST") => format!("[{}]", written(&of["ofType"])),
        _ => name(of).to_owned(),
    }
}

fn name(of: &Value) -> &str {
    of["name"].as_str().unwrap_or_default()
}

fn described(of: &Value) -> bool {
    of["description"].as_str().is_some_and(|text| text.trim().len() > 3)
}

/// Types of our own: not those of introspection, nor the five scalars of the language.
fn own_types(schema: &Value) -> Vec<&Value> {
    let builtin = ["Int", "Float", "String", "Boolean", "ID"];
    list(schema, "types")
        .into_iter()
        .filter(|of| !name(of).starts_with("__") && !builtin.contains(&name(of)))
        .collect()
}

fn field<'a>(of: &'a Value, wanted: &str) -> Option<&'a Value> {
    list(of, "fields").into_iter().find(|field| name(field) == wanted)
}

fn check(rule: fn(&Value, &mut Vec<String>)) {
    run(Backend::Sqlite, async move |t: TestApp| {
        let schema = introspect(&t).await;
        let mut faults = Vec::new();
        rule(&schema, &mut faults);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}

#[test]
fn everything_is_described() {
    check(|schema, faults| {
        for of in own_types(schema) {
            let path = name(of);
            if !described(of) {
                faults.push(format!("{path} has no description"));
            }
            for key in ["fields", "inputFields", "enumValues"] {
                for member in list(of, key) {
                    if !described(member) {
                        faults.push(format!("{path}.{} has no description", name(member)));
                    }
                    for argument in list(member, "args").into_iter().filter(|argument| !described(argument)) {
                        faults.push(format!(
                            "{path}.{}({}) has no description",
                            name(member),
                            name(argument)
                        ));
                    }
                }
            }
            if of["kind"] == "SCALAR"
                && !of["specifiedByURL"].as_str().is_some_and(|url| url.starts_with("https://"))
            {
                faults.push(format!("scalar {path} does not say where it is specified"));
            }
        }
    });
}

#[test]
fn names_follow_the_conventions() {
    check(|schema, faults| {
        let letters = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric());
        let camel = |text: &str| letters(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
        let pascal = |text: &str| letters(text) && text.starts_with(|c: char| c.is_ascii_uppercase());
        for of in own_types(schema) {
            if !pascal(name(of)) {
                faults.push(format!("{} is not PascalCase", name(of)));
            }
            for member in list(of, "fields").into_iter().chain(list(of, "inputFields")) {
                if !camel(name(member)) {
                    faults.push(format!("{}.{} is not camelCase", name(of), name(member)));
                }
            }
            for value in list(of, "enumValues") {
                if !name(value).chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
                    faults.push(format!("{}.{} is not UPPER_CASE", name(of), name(value)));
                }
            }
            for member in list(of, "fields").into_iter().filter(|member| member["isDeprecated"] == true) {
                if member["deprecationReason"].as_str().unwrap_or_default().len() < 10 {
                    faults.push(format!("{}.{} does not say what to use instead", name(of), name(member)));
                }
            }
        }
    });
}

#[test]
fn mutations_take_one_input_and_answer_a_payload() {
    check(|schema, faults| {
        let types = own_types(schema);
        let by_name = |wanted: &str| types.iter().find(|of| name(of) == wanted);
        for mutation in list(by_name("Mutation").expect("mutations"), "fields") {
            let (first, rest) = name(mutation).split_at(1);
            let stem = format!("{}{rest}", first.to_uppercase());
            let arguments: Vec<String> = list(mutation, "args")
                .iter()
                .map(|argument| format!("{}: {}", name(argument), written(&argument["type"])))
                .collect();
            if arguments != [format!("input: {stem}Input!")] {
                faults.push(format!("{}({})", name(mutation), arguments.join(", ")));
            }
            if written(&mutation["type"]) != format!("{stem}Payload!") {
                faults.push(format!("{} answers {}", name(mutation), written(&mutation["type"])));
                continue;
            }
            let payload = by_name(&format!("{stem}Payload")).expect("declared");
            let errors = field(payload, "userErrors").map(|field| written(&field["type"]));
            if errors.as_deref() != Some("[UserError!]!") {
                faults.push(format!("{stem}Payload.userErrors: {errors:?}"));
            }
            for result in list(payload, "fields").into_iter().filter(|result| name(result) != "userErrors") {
                let object = written(&result["type"]);
                if object.ends_with('!') && !object.starts_with("Boolean") && !object.starts_with('[') {
                    faults.push(format!("{stem}Payload.{} must be nullable", name(result)));
                }
            }
            if name(mutation).starts_with("update") {
                let input = by_name(&format!("{stem}Input")).expect("declared");
                let version = list(input, "inputFields").into_iter().find(|field| name(field) == "version");
                if version.map(|field| written(&field["type"])).as_deref() != Some("Int!") {
                    faults.push(format!("{stem}Input has no version: Int!"));
                }
            }
        }
    });
}

#[test]
fn connections_are_those_of_relay() {
    check(|schema, faults| {
        // The feed is endless, so it counts nothing; its cursors work in one direction.
        let uncounted = ["ChangeConnection"];
        let types = own_types(schema);
        for of in types.iter().filter(|of| name(of).ends_with("Connection")) {
            let stem = name(of).trim_end_matches("Connection");
            let mut wanted = vec![
                ("edges", format!("[{stem}Edge!]!")),
                ("nodes", format!("[{stem}!]!")),
                ("pageInfo", "PageInfo!".to_owned()),
            ];
            if !uncounted.contains(&name(of)) {
                wanted.push(("totalCount", "Int!".to_owned()));
            }
            for (key, type_name) in wanted {
                let found = field(of, key).map(|field| written(&field["type"]));
                if found.as_deref() != Some(type_name.as_str()) {
                    faults.push(format!("{}.{key} is {found:?}, not {type_name}", name(of)));
                }
            }
            let edge = types.iter().find(|edge| name(edge) == format!("{stem}Edge"));
            let node = edge.and_then(|edge| field(edge, "node")).map(|node| written(&node["type"]));
            let cursor = edge.and_then(|edge| field(edge, "cursor")).map(|cursor| written(&cursor["type"]));
            if (node.as_deref(), cursor.as_deref()) != (Some(format!("{stem}!").as_str()), Some("String!")) {
                faults.push(format!("{stem}Edge has node {node:?} and cursor {cursor:?}"));
            }
        }
        for of in types.iter().filter(|of| of["kind"] == "OBJECT") {
            for member in list(of, "fields") {
                let connection = written(&member["type"]).trim_end_matches('!').ends_with("Connection");
                let arguments: Vec<&str> = list(member, "args").into_iter().map(name).collect();
                if connection && !(arguments.contains(&"first") && arguments.contains(&"after")) {
                    faults.push(format!("{}.{} takes no first and after", name(of), name(member)));
                }
            }
        }
        let page_info = types.iter().find(|of| name(of) == "PageInfo").expect("PageInfo");
        for (key, type_name) in [
            ("hasNextPage", "Boolean!"),
            ("hasPreviousPage", "Boolean!"),
            ("startCursor", "String"),
            ("endCursor", "String"),
        ] {
            if field(page_info, key).map(|field| written(&field["type"])).as_deref() != Some(type_name) {
                faults.push(format!("PageInfo.{key} is not {type_name}"));
            }
        }
    });
}

#[test]
fn nodes_have_ids_and_every_object_with_one_is_a_node() {
    check(|schema, faults| {
        // A change of the feed is found by its cursor, and parts by the object that they belong to.
        let not_nodes = ["Change", "CreditLine", "Escalation", "Leave", "StageChange", "SupportResource"];
        for of in own_types(schema).into_iter().filter(|of| of["kind"] == "OBJECT") {
            let has_id = field(of, "id").is_some_and(|field| written(&field["type"]) == "ID!");
            let is_node = list(of, "interfaces").iter().any(|interface| name(interface) == "Node");
            if has_id != is_node && !not_nodes.contains(&name(of)) {
                faults.push(format!("{}: id {has_id}, Node {is_node}", name(of)));
            }
        }
    });
}

#[test]
fn money_and_rates_are_never_floats() {
    check(|schema, faults| {
        for of in own_types(schema) {
            for member in list(of, "fields").into_iter().chain(list(of, "inputFields")) {
                if written(&member["type"]).contains("Float") {
                    faults.push(format!("{}.{} is a Float", name(of), name(member)));
                }
            }
        }
    });
}
