//! Documents against their limits.

use super::*;

fn judge(text: &str) -> Option<String> {
    let error = parse(text, &Limits::default()).err()?;
    let code = error.extensions?.get("code")?.clone().into_json().ok()?;
    code.as_str().map(str::to_owned)
}

#[test]
fn fragments_that_multiply_are_refused_at_once() {
    for (fan_out, depth) in [(2, 30), (10, 9)] {
        let mut bomb = String::from("{viewer{...F0}}");
        for level in 0..depth {
            let spreads = format!("...F{} ", level + 1).repeat(fan_out);
            bomb += &format!(" fragment F{level} on Viewer{{{spreads}}}");
        }
        bomb += &format!(" fragment F{depth} on Viewer{{role}}");
        let unused = bomb.replace("{viewer{...F0}}", "{viewer{role}}");
        let unselected = format!("query Small{{viewer{{role}}}} query Big{bomb}");
        for text in [bomb, unused, unselected] {
            assert_eq!(judge(&text).as_deref(), Some("QUERY_TOO_COMPLEX"), "{fan_out}^{depth}");
        }
    }
    let cycle = "{viewer{...A}} fragment A on Viewer{...B} fragment B on Viewer{...A}";
    assert_eq!(judge(cycle).as_deref(), Some("GRAPHQL_VALIDATION_FAILED"));
}

#[test]
fn brackets_are_counted_where_they_are_brackets() {
    let judge = |text: &str| check_brackets(text).is_err();
    let deep = "[".repeat(BRACKETS_DEEP_MAX + 1);
    assert!(judge(&deep) && judge(&format!("{{a(b:{deep}")));
    assert!(!judge(&deep[1..]) && !judge(&"[]".repeat(10_000)));
    for harmless in [
        format!("# {deep}\n{{a}}"),
        format!("{{a(b:\"{deep}\")}}"),
        format!("{{a(b:\"\\\"{deep}\")}}"),
        format!("{{a(b:\"\"\"\" \\\"\"\" {deep}\n\"\"\")}}"),
    ] {
        assert!(!judge(&harmless), "{harmless}");
    }
    for hidden in [
        format!("\"\n{deep}"),
        format!("#\r{deep}"),
        format!("\"\"\"\"\"\"{deep}"),
        format!("\"\\\"\"{deep}"),
    ] {
        assert!(judge(&hidden), "{hidden}");
    }
}

#[test]
fn a_chain_of_fragments_is_bounded() {
    let chain = |length: u64| {
        let links = (0..length).map(|link| format!("fragment F{link} on Viewer{{...F{}}}", link + 1));
        let last = format!("fragment F{length} on Viewer{{role}}");
        judge(&format!("{{viewer{{...F0}}}} {} {last}", links.collect::<String>()))
    };
    assert_eq!(chain(FRAGMENTS_DEEP_MAX - 1), None);
    assert_eq!(chain(FRAGMENTS_DEEP_MAX).as_deref(), Some("QUERY_TOO_COMPLEX"));
    assert_eq!(chain(500).as_deref(), Some("QUERY_TOO_COMPLEX"));
}

#[test]
fn a_mutation_names_each_key_once() {
    assert_eq!(judge("mutation{a:signOut(input:{}){signedOut} b:signOut(input:{}){signedOut}}"), None);
    let twice = "mutation{signOut(input:{}){signedOut} ...on Mutation{signOut(input:{}){signedOut}}}";
    assert_eq!(judge(twice).as_deref(), Some("GRAPHQL_VALIDATION_FAILED"));
}

#[test]
fn each_limit_says_what_went_over_it() {
    let limits = Limits {
        tokens: 200,
        selections: 20,
        depth: 4,
        aliases: 3,
        directives: 2,
        root_fields: 5,
        ..Limits::default()
    };
    for (what, text) in [
        ("tokens", format!("{{ {} }}", "viewer ".repeat(300))),
        ("selections", format!("{{ viewer {{ {} }} }}", "role ".repeat(25))),
        ("levels", "{ a { b { c { d { e } } } } }".to_owned()),
        ("aliases", "{ viewer { a: role b: role c: role d: role } }".to_owned()),
        ("directives", "{ viewer { role @a @b @c } }".to_owned()),
        ("root fields", "{ a b c d e f }".to_owned()),
    ] {
        let error = parse(&text, &limits).expect_err(what);
        let extensions = error.extensions.expect("extensions");
        assert_eq!(extensions.get("limit"), Some(&async_graphql::Value::from(what)), "{text}");
        assert!(extensions.get("cost").is_some() && extensions.get("maximum").is_some(), "{what}");
    }
}
