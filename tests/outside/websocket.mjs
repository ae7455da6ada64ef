// Every rule of graphql-transport-ws (PROTOCOL.md of graphql-ws), with unfinished and broken messages.
import WebSocket from "ws";
import { ask, base, check, equal, finish, signIn, socketUrl } from "./common.mjs";

const PROTOCOL = "graphql-transport-ws";
const token = await signIn();

/** A connection that notes what it receives. */
function open(protocol = PROTOCOL, options = {}) {
  const socket = new WebSocket(socketUrl, protocol, options);
  const inbox = [];
  const waiting = [];
  socket.on("message", (data) => {
    const message = JSON.parse(data.toString());
    const next = waiting.shift();
    if (next) next(message);
    else inbox.push(message);
  });
  const closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })));
  const late = (ms, what) => new Promise((_, reject) => setTimeout(() => reject(new Error(`no ${what} in ${ms} ms`)), ms));
  return {
    socket,
    opened: new Promise((resolve, reject) => { socket.on("open", resolve); socket.on("error", reject); }),
    send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    receive: () => (inbox.length ? Promise.resolve(inbox.shift()) : Promise.race([new Promise((resolve) => waiting.push(resolve)), late(5000, "message")])),
    closed: (ms = 5000) => Promise.race([closed, late(ms, "close")]),
    pending: () => inbox.length,
  };
}

async function ready(payload = { authorization: `Bearer ${token}` }) {
  const connection = open();
  await connection.opened;
  connection.send({ type: "connection_init", payload });
  equal((await connection.receive()).type, "connection_ack");
  return connection;
}

const closes = (name, code, prepare) =>
  check(name, async () => {
    const connection = await prepare();
    const { code: found, reason } = await connection.closed(15000);
    equal(found, code, "the close code");
    if (Buffer.byteLength(reason) > 123) throw new Error("the reason is too long");
  });
const bare = async (...messages) => {
  const connection = open();
  await connection.opened;
  for (const message of messages) connection.send(message);
  return connection;
};
const after = async (...messages) => {
  const connection = await ready();
  for (const message of messages) connection.send(message);
  return connection;
};
const watch = (id) => ({ id, type: "subscribe", payload: { query: "subscription { changes { position } }" } });
const read = (id, query = "{ viewer { role } }") => ({ id, type: "subscribe", payload: { query } });

await closes("no initialisation in time: 4408", 4408, () => bare());
await closes("another subprotocol: 4406", 4406, async () => { const it = open([]); await it.opened; return it; });
await closes("two initialisations: 4429", 4429, () => after({ type: "connection_init" }));
await closes("two initialisations at once: 4429", 4429, () => bare({ type: "connection_init" }, { type: "connection_init" }));
await closes("subscribe before the acknowledgement: 4401", 4401, () => bare(read("1")));
await closes("a refused token: 4403", 4403, () => bare({ type: "connection_init", payload: { authorization: "Bearer nonsense" } }));
await closes("not JSON: 4400", 4400, () => after("{"));
await closes("not an object: 4400", 4400, () => after("[]"));
await closes("no type: 4400", 4400, () => after({ id: "1" }));
await closes("an unknown type: 4400", 4400, () => after({ type: "start", id: "1" }));
await closes("a type of the server: 4400", 4400, () => after({ type: "connection_ack" }));
await closes("subscribe without an id: 4400", 4400, () => after({ type: "subscribe", payload: { query: "{ __typename }" } }));
await closes("subscribe with an empty id: 4400", 4400, () => after(read("")));
await closes("subscribe with a number as id: 4400", 4400, () => after(read(1)));
await closes("subscribe without a payload: 4400", 4400, () => after({ type: "subscribe", id: "1" }));
await closes("subscribe with a number as query: 4400", 4400, () => after({ type: "subscribe", id: "1", payload: { query: 1 } }));
await closes("complete without an id: 4400", 4400, () => after({ type: "complete" }));
await closes("a payload that is no object: 4400", 4400, () => after({ type: "ping", payload: "x" }));
await closes("an id in use: 4409", 4409, () => after(watch("1"), watch("1")));
await closes("a binary message: 4400", 4400, async () => { const it = await ready(); it.socket.send(Buffer.from("{}"), { binary: true }); return it; });
await closes("a message that is too long: 1009", 1009, async () => after({ type: "ping", payload: { x: "x".repeat(300_000) } }));
await closes("fragments that are too long together: 1009", 1009, async () => {
  const it = await ready();
  for (let part = 0; part < 8; part += 1) it.socket.send("x".repeat(50_000), { fin: false });
  return it;
});

await check("a sign-out closes the connection within 5 s: 4403", async () => {
  const own = await signIn();
  const connection = await ready({ authorization: `Bearer ${own}` });
  await ask("mutation { signOut(input: {}) { signedOut } }", {}, { authorization: `Bearer ${own}` });
  const begun = Date.now();
  equal((await connection.closed(5000)).code, 4403, "the close code");
  console.log(`closed after ${Date.now() - begun} ms`);
});
await check("pings are answered, with their payload", async () => {
  const connection = await ready();
  connection.send({ type: "ping" });
  equal(await connection.receive(), { type: "pong" });
  connection.send({ type: "ping", payload: { a: 1 } });
  equal(await connection.receive(), { payload: { a: 1 }, type: "pong" });
  connection.send({ type: "pong", payload: { a: 1 } });
  connection.send(read("1"));
  equal((await connection.receive()).type, "next");
});
await check("pings are answered before the initialisation", async () => {
  const connection = await bare({ type: "ping" });
  equal(await connection.receive(), { type: "pong" });
});
await check("a query answers next and complete", async () => {
  const connection = await after(read("a"));
  equal(await connection.receive(), { id: "a", payload: { data: { viewer: { role: "ADMIN" } } }, type: "next" });
  equal(await connection.receive(), { id: "a", type: "complete" });
});
await check("an id is free again afterwards", async () => {
  const connection = await after(read("a"));
  await connection.receive();
  await connection.receive();
  connection.send(read("a"));
  equal((await connection.receive()).type, "next");
});
await check("request errors are an error message and nothing more", async () => {
  for (const query of ["{", "{ nothing }", "{ viewer }"]) {
    const connection = await after(read("a", query));
    const message = await connection.receive();
    equal([message.type, message.id, Array.isArray(message.payload)], ["error", "a", true]);
    connection.send({ type: "ping" });
    equal((await connection.receive()).type, "pong", "what follows");
  }
});
await check("completing ends a subscription and frees its id", async () => {
  const connection = await after(watch("a"), { id: "a", type: "complete" }, watch("a"), { type: "ping" });
  equal((await connection.receive()).type, "pong");
  connection.send({ id: "unknown", type: "complete" });
  connection.send(read("b"));
  equal((await connection.receive()).id, "b");
});
await check("messages in fragments", async () => {
  const connection = await ready();
  const text = JSON.stringify(read("a"));
  connection.socket.send(text.slice(0, 10), { fin: false });
  connection.socket.send(text.slice(10, 20), { fin: false });
  connection.socket.send(text.slice(20), { fin: true });
  equal((await connection.receive()).type, "next");
});
await check("an unfinished message harms nobody", async () => {
  const connection = await ready();
  connection.socket.send('{"type":', { fin: false });
  connection.socket.terminate();
  (await ready()).socket.close();
});
await check("more subscriptions than allowed", async () => {
  const connection = await ready();
  for (let id = 0; id < 51; id += 1) connection.send(watch(String(id)));
  const message = await connection.receive();
  equal([message.id, message.type, message.payload[0].extensions.code], ["50", "error", "RATE_LIMITED"]);
});
await check("limits hold", async () => {
  const deep = "{ teams { nodes " + "{ parent ".repeat(20) + "{ id }" + " }".repeat(20) + " } }";
  const connection = await after(read("a", deep));
  equal((await connection.receive()).payload[0].extensions.code, "QUERY_TOO_COMPLEX");
});
await check("pages of other origins are refused", async () => {
  const connection = open(PROTOCOL, { origin: "https://evil.example" });
  const error = await connection.opened.then(() => null, (failure) => failure);
  if (!error?.message.includes("403")) throw new Error(`${error}`);
});
await check("pages of the same origin are let in", async () => {
  const connection = open(PROTOCOL, { origin: base });
  await connection.opened;
});
await check("anonymous clients may connect, and see nothing", async () => {
  const connection = await ready({});
  connection.send(read("a"));
  equal((await connection.receive()).payload.errors[0].extensions.code, "UNAUTHENTICATED");
});
finish("websocket");
