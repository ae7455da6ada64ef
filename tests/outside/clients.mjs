// Clients as third parties use them: sign-in, two pages, a mutation that is refused, and a subscription.
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";
import { ask, base, check, email, equal, finish, password, signIn, socketUrl, url } from "./common.mjs";

const SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { message } } }";
const PAGE = "query($after: String) { customers(first: 2, after: $after) { nodes { id name } pageInfo { endCursor hasNextPage } } }";
const REFUSED = 'mutation { createTeam(input: { name: "" }) { team { id } userErrors { field code message } } }';
const WATCH = "subscription { changes { position type } }";
const token = await signIn();
const headers = { authorization: `Bearer ${token}` };
const ws = () => createWs({ url: socketUrl, webSocketImpl: WebSocket, connectionParams: headers });

/** Causes an event once a subscription stands. */
async function cause() {
  await new Promise((resolve) => setTimeout(resolve, 500));
  const name = `Outside ${Date.now()} ${Math.random()}`;
  const { body } = await ask("mutation($input: CreateTeamInput!) { createTeam(input: $input) { team { id } userErrors { message } } }", { input: { name } }, headers);
  equal(body.data.createTeam.userErrors, []);
}

/** The same story for each client: `run` executes an operation, `watch` answers the first event. */
async function story(name, run, watch) {
  await check(`${name}: sign-in`, async () => {
    const data = await run(SIGN_IN, { input: { email, password } });
    if (!data.signIn.accessToken) throw new Error("no token");
  });
  await check(`${name}: two pages`, async () => {
    const first = await run(PAGE, {});
    const second = await run(PAGE, { after: first.customers.pageInfo.endCursor });
    equal([first.customers.nodes.length, second.customers.nodes.length], [2, 2]);
    if (first.customers.nodes[1].id === second.customers.nodes[0].id) throw new Error("the same customer twice");
  });
  await check(`${name}: a mutation that is refused`, async () => {
    const data = await run(REFUSED, {});
    equal(data.createTeam.userErrors[0].field, ["input", "name"]);
  });
  await check(`${name}: a subscription`, async () => {
    const [event] = await Promise.all([watch(), cause()]);
    if (!event.changes.type) throw new Error(JSON.stringify(event));
  });
}

const apolloClient = new ApolloClient({ link: new HttpLink({ uri: url, headers }), cache: new InMemoryCache() });
const apolloSocket = new ApolloClient({ link: new GraphQLWsLink(ws()), cache: new InMemoryCache() });
await story(
  "Apollo Client",
  async (text, variables) => {
    const document = gql(text);
    const mutation = document.definitions[0].operation === "mutation";
    const result = mutation ? await apolloClient.mutate({ mutation: document, variables }) : await apolloClient.query({ query: document, variables });
    return result.data;
  },
  () => new Promise((resolve, reject) => {
    apolloSocket.subscribe({ query: gql(WATCH) }).subscribe({ next: ({ data, error }) => (error ? reject(error) : resolve(data)), error: reject });
  }),
);

const socket = ws();
const urql = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers },
  exchanges: [cacheExchange, fetchExchange, subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({ subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }) }),
  })],
});
await story(
  "urql",
  async (text, variables) => {
    const result = text.startsWith("mutation") ? await urql.mutation(text, variables).toPromise() : await urql.query(text, variables).toPromise();
    if (result.error) throw result.error;
    return result.data;
  },
  () => new Promise((resolve, reject) => {
    urql.subscription(WATCH, {}).subscribe((result) => (result.error ? reject(result.error) : resolve(result.data)));
  }),
);

const one = async (client, query, variables) => {
  for await (const result of client.iterate({ query, variables })) {
    if (result.errors) throw new Error(JSON.stringify(result.errors));
    return result.data;
  }
};
const plainSocket = ws();
await story("graphql-ws", (query, variables) => one(plainSocket, query, variables), () => one(plainSocket, WATCH));
const sse = createSse({ url: `${base}/graphql/stream`, headers, singleConnection: false });
await story("graphql-sse", (query, variables) => one(sse, query, variables), () => one(sse, WATCH));
finish("clients");
