//! The completion pass against a small executor that follows the specification step by step.

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use async_graphql::indexmap::IndexMap;
use proptest::prelude::*;
use proptest::test_runner::TestRng;
use serde_json::json;

use super::*;

const SCHEMA: &str = "
    type Query { soft: Int hard: Int! node: Node maybe: Thing thing: Thing! things: [Thing!] list: [Thing]!
                 grid: [[Thing!]!] any: Any json: Json }
    scalar Json
    interface Node { id: Int! soft: Int }
    union Any = Thing | Other
    type Thing implements Node { id: Int! soft: Int hard: Int! maybe: Thing thing: Thing! things: [Thing!]! other: Other }
    type Other implements Node { id: Int! soft: Int name: String! node: Node }
";

fn schema() -> Valid<Schema> {
    Schema::parse_and_validate(SCHEMA, "schema").expect("a schema")
}

/// Executes a document: `reference` is what the specification asks for, `damaged` what the executor hands over.
struct Executor<'a> {
    completion: Completion<'a>,
    rng: TestRng,
    failures: u32,
}

struct Both {
    /// `None` is the null that bubbles.
    reference: Option<Value>,
    /// `None` is the key that is left out.
    damaged: Option<Value>,
}

impl<'a> Executor<'a> {
    fn fails(&mut self) -> bool {
        self.rng.next_u32() % 100 < self.failures
    }

    fn value(&mut self, ty: &Type, inside: &[&'a SelectionSet]) -> Both {
        let nullable = !ty.is_non_null();
        if self.fails() {
            return Both { reference: nullable.then_some(Value::Null), damaged: None };
        }
        if nullable && self.rng.next_u32().is_multiple_of(8) {
            return Both { reference: Some(Value::Null), damaged: Some(Value::Null) };
        }
        let both = match ty {
            Type::List(item) | Type::NonNullList(item) => {
                let items: Vec<Both> =
                    (0..self.rng.next_u32() % 3).map(|_| self.value(item, inside)).collect();
                let damaged = items.iter().map(|item| item.damaged.clone().unwrap_or(Value::Null)).collect();
                let reference = items.into_iter().map(|item| item.reference).collect::<Option<Vec<_>>>();
                Both { reference: reference.map(Value::List), damaged: Some(Value::List(damaged)) }
            }
            Type::Named(_) | Type::NonNullNamed(_) if inside.is_empty() => {
                let leaf = Value::from(self.rng.next_u32() % 100);
                Both { reference: Some(leaf.clone()), damaged: Some(leaf) }
            }
            Type::Named(name) | Type::NonNullNamed(name) => self.object(name, inside),
        };
        Both { reference: both.reference.or(nullable.then_some(Value::Null)), ..both }
    }

    fn object(&mut self, ty: &str, sets: &[&'a SelectionSet]) -> Both {
        let concrete = match ty {
            "Node" | "Any" if self.rng.next_u32().is_multiple_of(2) => "Thing",
            "Node" | "Any" => "Other",
            ty => ty,
        };
        let plan = self.completion.plan(sets, concrete.to_owned());
        let mut reference = Some(IndexMap::new());
        let mut damaged = Vec::new();
        for planned in &plan.0 {
            let name = Name::new(planned.key);
            let both = if planned.key == "__typename" {
                Both { reference: Some(concrete.into()), damaged: Some(concrete.into()) }
            } else {
                self.value(planned.ty, &planned.inside)
            };
            damaged.extend(both.damaged.map(|value| (name.clone(), value)));
            match both.reference {
                Some(value) => drop(reference.as_mut().map(|fields| fields.insert(name, value))),
                None => reference = None,
            }
        }
        if concrete != ty {
            damaged.push((Name::new(HIDDEN_TYPENAME), concrete.into()));
        }
        // Keys come in any order.
        for index in (1..damaged.len()).rev() {
            damaged.swap(index, self.rng.next_u32() as usize % (index + 1));
        }
        let damaged = Some(Value::Object(damaged.into_iter().collect()));
        Both { reference: reference.map(Value::Object), damaged }
    }
}

/// A random selection set on `ty`.
fn selection(rng: &mut TestRng, ty: &str, depth: u32) -> String {
    let fields: &[(&str, &str)] = match ty {
        "Query" => &[
            ("soft", ""),
            ("hard", ""),
            ("json", ""),
            ("node", "Node"),
            ("maybe", "Thing"),
            ("thing", "Thing"),
            ("things", "Thing"),
            ("list", "Thing"),
            ("grid", "Thing"),
            ("any", "Any"),
        ],
        "Thing" => &[
            ("id", ""),
            ("soft", ""),
            ("hard", ""),
            ("maybe", "Thing"),
            ("thing", "Thing"),
            ("things", "Thing"),
            ("other", "Other"),
        ],
        "Other" => &[("id", ""), ("soft", ""), ("name", ""), ("node", "Node")],
        "Node" => &[("id", ""), ("soft", "")],
        _ => &[],
    };
    let mut text = String::from("{ __typename ");
    for _ in 0..1 + rng.next_u32() % 4 {
        let directive = ["", "", "", "@skip(if: $yes)", "@include(if: $no)", "@skip(if: $no)"];
        let directive = directive[rng.next_u32() as usize % directive.len()];
        let abstract_type = matches!(ty, "Node" | "Any");
        if rng.next_u32().is_multiple_of(4) || fields.is_empty() {
            let on = if abstract_type { ["Thing", "Other"][rng.next_u32() as usize % 2] } else { ty };
            text += &format!("... on {on} {directive} {} ", selection(rng, on, depth));
            continue;
        }
        let (name, inner) = fields[rng.next_u32() as usize % fields.len()];
        if inner.is_empty() {
            text += &format!("{name} {directive} ");
        } else if depth > 0 {
            text += &format!("{name} {directive} {} ", selection(rng, inner, depth - 1));
        }
    }
    text + "}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_failures_leave_a_legal_answer(seed in any::<[u8; 32]>(), failures in 0_u32..40) {
        let mut rng = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &seed);
        let text = format!("query($yes: Boolean! = true, $no: Boolean! = false) {}", selection(&mut rng, "Query", 4));
        let text = if text.contains("$yes") && text.contains("if: $yes") { text } else { text.replacen("$yes: Boolean! = true, ", "", 1) };
        let text = if text.contains("if: $no") { text } else { text.replacen("$no: Boolean! = false", "", 1) };
        let text = text.replace("($yes: Boolean! = true, )", "($yes: Boolean! = true)").replace("query()", "query");
        let schema = schema();
        let document = ExecutableDocument::parse_and_validate(&schema, &text, "document");
        // Selections that cannot be merged are not valid, and never get here.
        prop_assume!(document.is_ok());
        let document = document.expect("assumed");
        let operation = document.operations.get(None).expect("one operation");
        let variables = Variables::default();
        let completion =
            Completion { document: &document, schema: &schema, operation, variables: &variables, plans: HashMap::new() };
        let mut executor = Executor { completion, rng, failures };
        let both = executor.object("Query", &[&operation.selection_set]);
        let completed = complete(&document, &schema, None, &variables, both.damaged.unwrap_or_default());
        let text = |value: &Value| serde_json::to_string(value).expect("JSON");
        prop_assert_eq!(text(&completed), text(&both.reference.unwrap_or_default()));
    }
}

#[test]
fn errors_have_the_shape_of_the_specification() {
    let schema = schema();
    for (document, damaged, legal) in [
        ("{ soft ok: hard }", json!({ "ok": 1 }), json!({ "soft": null, "ok": 1 })),
        ("{ hard ok: soft }", json!({ "ok": 1 }), json!(null)),
        (
            "{ maybe { id hard } ok: soft }",
            json!({ "maybe": { "id": 1 }, "ok": 1 }),
            json!({ "maybe": null, "ok": 1 }),
        ),
        ("{ thing { id hard } ok: soft }", json!({ "thing": { "id": 1 }, "ok": 1 }), json!(null)),
        ("{ things { hard } }", json!({ "things": [{ "hard": 1 }, {}] }), json!({ "things": null })),
        (
            "{ list { hard } }",
            json!({ "list": [{ "hard": 1 }, {}] }),
            json!({ "list": [{ "hard": 1 }, null] }),
        ),
        (
            "{ node { id } }",
            json!({ "node": { "_evenhandType": "Thing", "id": 1 } }),
            json!({ "node": { "id": 1 } }),
        ),
        (
            "{ node { ... on Other { name } soft } }",
            json!({ "node": { "soft": 1, "_evenhandType": "Thing" } }),
            json!({ "node": { "soft": 1 } }),
        ),
        ("{ json }", json!({ "json": { "b": [1], "a": null } }), json!({ "json": { "b": [1], "a": null } })),
    ] {
        let parsed = ExecutableDocument::parse_and_validate(&schema, document, "document").expect(document);
        let damaged = Value::from_json(damaged).expect("a value");
        let completed = complete(&parsed, &schema, None, &Variables::default(), damaged);
        assert_eq!(completed.into_json().expect("JSON"), legal, "{document}");
    }
}
