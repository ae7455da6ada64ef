// What all steps share: the server under test, a person who is signed in, and a tally.
export const base = process.env.OUTSIDE_URL;
export const url = `${base}/graphql`;
export const socketUrl = `${base.replace(/^http/, "ws")}/graphql/ws`;
export const email = process.env.OUTSIDE_EMAIL;
export const password = process.env.OUTSIDE_PASSWORD;

export async function ask(query, variables, headers = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json", ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return { response, body: await response.json() };
}

export async function signIn() {
  const { body } = await ask(
    "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { message } } }",
    { input: { email, password } },
  );
  return body.data.signIn.accessToken;
}

const failures = [];
let passed = 0;

/** Runs one check; a check fails by throwing. */
export async function check(name, run) {
  try {
    await run();
    passed += 1;
  } catch (error) {
    failures.push(name);
    console.log(`FAILED  ${name}: ${error.message}`);
  }
}

export function equal(found, wanted, what = "") {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what} is ${left}, wanted ${right}`);
}

export function finish(step) {
  console.log(`${step}: ${passed} passed, ${failures.length} failed`);
  process.exit(failures.length ? 1 : 0);
}
