"""Documents that would cost far more than they weigh, if they were run."""


def bomb(fan_out, depth, used=True):
    """Fragments that spread the next one several times: small to write, endless to expand."""
    spreads = lambda level: " ".join(f"...F{level}" for _ in range(fan_out))
    fragments = [f"fragment F{level} on Query {{ {spreads(level + 1)} }}" for level in range(depth)]
    fragments.append(f"fragment F{depth} on Query {{ __typename }}")
    operation = "query Q { ...F0 }" if used else "query Q { __typename }"
    return operation + " " + " ".join(fragments)


def nested(levels):
    """Deals of customers of deals, a page of a hundred each time."""
    inner = "id"
    for level in range(levels):
        field = ("customer { %s }", "deals(first: 100) { nodes { %s } }")[level % 2]
        inner = field % inner
    return "{ customers(first: 100) { nodes { %s } } }" % inner


HOSTILE = {
    "fragments, fan-out 2, depth 30": bomb(2, 30),
    "fragments, fan-out 10, depth 9": bomb(10, 9),
    "unused fragments": bomb(2, 30, used=False),
    "fragments of another operation": bomb(2, 30) + " query Other { __typename }",
    "fragments in a ring": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "aliases": "{ " + " ".join(f"a{n}: viewer {{ id }}" for n in range(1_500)) + " }",
    "root fields": "{ " + " ".join(f"n{n}: customers(first: 100) {{ totalCount }}" for n in range(100)) + " }",
    "pages in pages": nested(8),
    "deep": "{ viewer { user " + "{ team { lead " * 40 + "{ id }" + " } }" * 40 + " } }",
    "directives": "{ viewer " + "@skip(if: false) " * 1_000 + "{ id } }",
    "unknown directives": "{ viewer " + "@x " * 9_000 + "{ id } }",
    "unknown fields": "{ " + " ".join(f"f{n}" for n in range(3_500)) + " }",
    "brackets": "{ nodes(ids: " + "[" * 15_000 + "]" * 15_000 + ") { id } }",
    "a long list of ids": "{ nodes(ids: [" + '"x" ' * 8_000 + "]) { id } }",
    "one long name": "{ " + "a" * 32_000 + " }",
    "a megabyte": "{ viewer { id } } #" + "x" * 900_000,
}
