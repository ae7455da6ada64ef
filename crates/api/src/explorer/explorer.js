// The query page. Plain modules and text nodes only: the page runs under a strict content security policy,
// and nothing that comes from a server is ever read as markup.
const $ = (id) => document.getElementById(id);
const HISTORY = "evenhand.document";
// An access token lives ten minutes; it is renewed a minute before.
const RENEW_MS = 9 * 60 * 1000;

const EXAMPLES = {
  "Who am I?": "{\n  viewer { user { name email } role }\n}",
  "Customers with owner and deals": "query Customers($first: Int = 20, $after: String) {\n  customers(first: $first, after: $after) {\n    totalCount\n    nodes { number name stage owner { name } deals(first: 5) { nodes { number stage value { amount currency } } } }\n    pageInfo { hasNextPage endCursor }\n  }\n}",
  "Won revenue of a quarter": "{\n  organization {\n    name\n    wonRevenue(period: { kind: QUARTER, start: \"2026-07-01\" }) { amount currency }\n  }\n}",
  "Does it add up?": "{\n  reconciliation(period: { kind: QUARTER, start: \"2026-07-01\" }) {\n    balanced\n    currencies { companyTotal { amount currency } credited { amount } unassigned { amount } }\n  }\n}",
  "What changed last?": "{\n  changes(first: 20) {\n    nodes { position type recordedAt }\n    pageInfo { endCursor hasNextPage }\n  }\n}",
  "A mutation that is refused": "mutation {\n  createTeam(input: { name: \"\" }) {\n    team { id }\n    userErrors { field code message }\n  }\n}",
  "Watch changes live": "subscription {\n  changes { position type recordedAt }\n}",
};

let session = JSON.parse(sessionStorage.getItem("evenhand.session") || "null");
let socket = null;
let types = null;
let trail = ["Query"];

async function ask(query, variables = {}, headers = {}) {
  const begun = performance.now();
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json",
      ...(session ? { Authorization: `Bearer ${session.accessToken}` } : {}),
      ...headers,
    },
    body: JSON.stringify({ query, variables, extensions: { cost: true } }),
  });
  const body = await response.json();
  return { response, body, ms: Math.round(performance.now() - begun) };
}

function keep(payload) {
  session = payload && { accessToken: payload.accessToken, refreshToken: payload.refreshToken, at: Date.now() };
  if (session) sessionStorage.setItem("evenhand.session", JSON.stringify(session));
  else sessionStorage.removeItem("evenhand.session");
}

async function renew() {
  if (!session || Date.now() - session.at < RENEW_MS) return;
  const mutation = "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) { accessToken refreshToken userErrors { message } } }";
  const token = session.refreshToken;
  const { body } = await ask(mutation, { input: { refreshToken: token } });
  const payload = body.data?.refreshSession;
  keep(payload?.accessToken ? payload : null);
  await welcome();
}

async function welcome() {
  let viewer = null;
  if (session) viewer = (await ask("{ viewer { user { name } role } }")).body.data?.viewer ?? null;
  if (session && !viewer) keep(null);
  $("sign-in").hidden = Boolean(viewer);
  $("who").hidden = !viewer;
  $("name").textContent = viewer ? `${viewer.user?.name ?? ""} (${viewer.role})` : "";
  if (viewer) await learn();
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = { email: $("email").value, password: $("password").value };
  const mutation = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken refreshToken userErrors { message } } }";
  const { body } = await ask(mutation, { input });
  const payload = body.data?.signIn;
  const problem = body.errors?.[0]?.message ?? payload?.userErrors?.[0]?.message ?? "";
  $("sign-in-error").textContent = problem;
  if (payload?.accessToken) {
    $("password").value = "";
    keep(payload);
    await welcome();
  }
});

$("sign-out").addEventListener("click", async () => {
  await ask("mutation { signOut(input: {}) { signedOut } }");
  keep(null);
  await welcome();
});

function variables() {
  const text = $("variables").value.trim();
  return text ? JSON.parse(text) : {};
}

function show(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

async function run() {
  const query = $("query").value;
  localStorage.setItem(HISTORY, query);
  let given;
  try {
    given = variables();
  } catch (error) {
    return show(`The variables are not JSON: ${error.message}`, true);
  }
  stop();
  try {
    await renew();
    if (/^\s*(#[^\n]*\n\s*)*subscription\b/.test(query)) return watch(query, given);
    show("Running …");
    const key = $("key").value.trim();
    const { response, body, ms } = await ask(query, given, key ? { "Idempotency-Key": key } : {});
    const cost = body.extensions?.cost?.requested;
    const parts = [`HTTP ${response.status}`, `${ms} ms`];
    if (cost !== undefined) parts.push(`cost ${cost}`);
    parts.push(`request ${response.headers.get("x-request-id")}`);
    show(parts.join(" · "), Boolean(body.errors));
    $("answer").textContent = JSON.stringify(body, null, 2);
  } catch (error) {
    show(`The server cannot be reached: ${error.message}`, true);
  }
}

function watch(query, given) {
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql/ws`;
  socket = new WebSocket(address, "graphql-transport-ws");
  const payload = session ? { authorization: `Bearer ${session.accessToken}` } : {};
  $("answer").textContent = "";
  $("stop").hidden = false;
  socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init", payload }));
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "connection_ack") {
      socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query, variables: given } }));
      show("Watching; each event is shown as it happens.");
    } else if (message.type === "ping") {
      socket.send(JSON.stringify({ type: "pong" }));
    } else if (message.type === "next" || message.type === "error") {
      const text = JSON.stringify(message.payload, null, 2);
      $("answer").textContent = `${text}\n\n${$("answer").textContent}`.slice(0, 200000);
    } else if (message.type === "complete") {
      stop();
    }
  };
  socket.onclose = ({ code, reason }) => {
    show(`The connection was closed: ${code} ${reason}`, code !== 1000);
    $("stop").hidden = true;
  };
}

function stop() {
  if (socket) socket.close(1000);
  socket = null;
  $("stop").hidden = true;
}

// The schema.

const TYPE = "name kind ofType { name kind ofType { name kind ofType { name kind ofType { name kind } } } }";
const INPUT = `name description defaultValue type { ${TYPE} }`;
const LEARN = `{ __schema { types { name kind description
  fields(includeDeprecated: true) { name description isDeprecated deprecationReason type { ${TYPE} } args { ${INPUT} } }
  inputFields { ${INPUT} } enumValues(includeDeprecated: true) { name description isDeprecated } possibleTypes { name } } } }`;

async function learn() {
  const { body } = await ask(LEARN);
  if (!body.data) return;
  types = new Map(body.data.__schema.types.filter((it) => !it.name.startsWith("__")).map((it) => [it.name, it]));
  browse();
}

const written = (type) =>
  type.kind === "NON_NULL" ? `${written(type.ofType)}!` : type.kind === "LIST" ? `[${written(type.ofType)}]` : type.name;
const named = (type) => (type.ofType ? named(type.ofType) : type.name);

function element(name, text, children = []) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function link(text, action) {
  const made = element("button", text);
  made.type = "button";
  made.className = "link";
  made.addEventListener("click", action);
  return made;
}

function go(name) {
  if (!types.has(name)) return;
  trail = [...trail.filter((it) => it !== name), name].slice(-4);
  $("search").value = "";
  browse();
}

/** A selection of the field with its leaves, to begin from. */
function skeleton(field, operation) {
  const inner = types.get(named(field.type));
  const leaf = (it) => ["SCALAR", "ENUM"].includes(types.get(named(it.type))?.kind) && !it.args.some((arg) => arg.type.kind === "NON_NULL");
  const required = field.args.filter((arg) => arg.type.kind === "NON_NULL");
  const wanted = required.length ? required : field.args.filter((arg) => arg.name === "first");
  const declared = wanted.map((arg) => `$${arg.name}: ${written(arg.type)}`).join(", ");
  const given = wanted.map((arg) => `${arg.name}: $${arg.name}`).join(", ");
  const fields = (type) => {
    const nodes = type?.fields?.find((it) => it.name === "nodes");
    if (nodes) return `nodes { ${fields(types.get(named(nodes.type)))} }`;
    const leaves = (type?.fields ?? []).filter(leaf).map((it) => it.name);
    return leaves.length ? leaves.join(" ") : "__typename";
  };
  const selection = ["SCALAR", "ENUM"].includes(inner?.kind) ? "" : ` { ${fields(inner)} }`;
  return `${operation}${declared ? `(${declared})` : ""} {\n  ${field.name}${given ? `(${given})` : ""}${selection}\n}`;
}

function entry(field, parent) {
  const args = (field.args ?? []).map((arg) => `${arg.name}: ${written(arg.type)}`).join(", ");
  const term = element("dt", "", [element("span", field.name), args ? `(${args})` : ""]);
  if (field.isDeprecated) term.firstChild.className = "deprecated";
  if (field.type) term.append(": ", link(written(field.type), () => go(named(field.type))));
  if (["Query", "Mutation", "Subscription"].includes(parent)) {
    term.append(" ", link("use", () => { $("query").value = skeleton(field, parent.toLowerCase()); $("query").focus(); }));
  }
  const text = [field.description, field.isDeprecated && `Deprecated: ${field.deprecationReason ?? ""}`].filter(Boolean).join(" ");
  const details = (field.args ?? []).filter((arg) => arg.description).map((arg) => element("div", `${arg.name}: ${arg.description}`));
  return [term, element("dd", text, details)];
}

function browse() {
  if (!types) return;
  const wanted = $("search").value.trim().toLowerCase();
  const roots = ["Query", "Mutation", "Subscription"].filter((name) => types.has(name));
  $("trail").replaceChildren(...[...new Set([...roots, ...trail])].flatMap((name) => [link(name, () => go(name)), " "]));
  if (wanted) {
    const found = [...types.values()].flatMap((type) => {
      const fields = (type.fields ?? type.inputFields ?? []).filter((it) => it.name.toLowerCase().includes(wanted));
      const own = type.name.toLowerCase().includes(wanted) ? [[type.name, type.name]] : [];
      return [...own, ...fields.map((it) => [`${type.name}.${it.name}`, type.name])];
    });
    $("docs").replaceChildren(...found.slice(0, 100).map(([text, name]) => element("div", "", [link(text, () => go(name))])));
    return;
  }
  const type = types.get(trail.at(-1));
  const members = type.fields ?? type.inputFields ?? type.enumValues ?? [];
  const list = element("dl", "", members.flatMap((field) => entry(field, type.name)));
  $("docs").replaceChildren(element("h2", `${type.name}`), element("p", type.description ?? ""), list);
}

$("search").addEventListener("input", browse);
$("run").addEventListener("click", run);
$("stop").addEventListener("click", stop);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
for (const name of Object.keys(EXAMPLES)) $("examples").append(new Option(name, name));
$("examples").addEventListener("change", () => {
  const example = EXAMPLES[$("examples").value];
  if (example) $("query").value = example;
});
$("query").value = localStorage.getItem(HISTORY) || EXAMPLES["Who am I?"];
welcome().catch((error) => show(`The server cannot be reached: ${error.message}`, true));
