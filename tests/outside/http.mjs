// GraphQL over HTTP: the audits of graphql-http, and what they do not ask.
import { gzipSync } from "node:zlib";
import net from "node:net";
import { serverAudits } from "graphql-http";
import { ask, base, check, equal, finish, signIn, url } from "./common.mjs";

// One audit asks for a type of the schema, which needs a sign-in.
const token = await signIn();
const fetchFn = (address, init = {}) =>
  fetch(address, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
const audits = serverAudits({ url, fetchFn });
for (const audit of audits) {
  await check(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    if (result.status !== "ok") throw new Error(result.reason);
  });
}
console.log(`${audits.length} audits`);

const post = (body, headers = {}, path = "/graphql") =>
  fetch(base + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
const good = JSON.stringify({ query: "{ __typename }" });

await check("no mutation by GET", async () => {
  const response = await fetch(`${url}?query=${encodeURIComponent("mutation { signOut(input: {}) { signedOut } }")}`);
  equal([response.status, response.headers.get("allow")], [405, "POST"]);
});
await check("batches are refused", async () => equal((await post(`[${good}]`)).status, 400));
for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql"]) {
  await check(`${type} is refused`, async () => equal((await post(good, { "content-type": type })).status, 415));
}
await check("other methods", async () => {
  const response = await fetch(url, { method: "PUT", body: good });
  equal([response.status, response.headers.get("allow")], [405, "GET, POST"]);
});
await check("unacceptable media types", async () => equal((await post(good, { accept: "image/png" })).status, 406));
await check("a body that is too long, with its length", async () =>
  equal((await post(JSON.stringify({ query: "x".repeat(2_000_000) }))).status, 413));
await check("a body that is too long, in chunks", async () => {
  const stream = new ReadableStream({
    start(controller) {
      for (let index = 0; index < 64; index += 1) controller.enqueue(new TextEncoder().encode(" ".repeat(32_768)));
      controller.close();
    },
  });
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: stream, duplex: "half" });
  equal(response.status, 413);
});
await check("a compressed body", async () => {
  const response = await post(gzipSync(good), { "content-encoding": "gzip" });
  equal((await response.json()).data, { __typename: "Query" });
});
await check("a compressed body that grows too long", async () => {
  const bomb = gzipSync(JSON.stringify({ query: " ".repeat(50_000_000) }));
  equal((await post(bomb, { "content-encoding": "gzip" })).status, 413);
});
await check("an unknown encoding", async () => equal((await post(good, { "content-encoding": "zstd" })).status, 415));
for (const encoding of ["gzip", "br"]) {
  await check(`answers by ${encoding}`, async () => {
    const query = "{ __schema { types { name description } } }";
    const { port, hostname } = new URL(base);
    const body = JSON.stringify({ query });
    const head = await new Promise((resolve, reject) => {
      const socket = net.connect(port, hostname, () => socket.write(
        `POST /graphql HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}\r\n` +
        `Accept-Encoding: ${encoding}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`));
      socket.once("data", (data) => { resolve(data.toString("latin1").split("\r\n\r\n")[0]); socket.destroy(); });
      socket.on("error", reject);
    });
    if (!head.toLowerCase().includes(`content-encoding: ${encoding}`)) throw new Error(head);
  });
}
await check("a request id comes back", async () =>
  equal((await post(good, { "x-request-id": "outside-0001" })).headers.get("x-request-id"), "outside-0001"));
await check("a trace context is taken", async () =>
  equal((await post(good, { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" })).status, 200));
await check("pages of unlisted origins are not let in", async () => {
  const response = await fetch(url, { method: "OPTIONS", headers: { origin: "https://evil.example", "access-control-request-method": "POST" } });
  equal(response.headers.get("access-control-allow-origin"), null);
});
await check("security headers", async () => {
  const { headers } = await post(good);
  equal([headers.get("x-content-type-options"), headers.get("x-frame-options")], ["nosniff", "DENY"]);
  if (!headers.get("content-security-policy").includes("default-src 'none'")) throw new Error("no policy");
});
await check("introspection needs a sign-in", async () => {
  const { body } = await ask("{ __schema { queryType { name } } }");
  equal(body.errors[0].extensions.code, "FORBIDDEN");
});
await check("the schema is served", async () => {
  const text = await (await fetch(`${base}/schema.graphql`)).text();
  if (!text.includes("type Query")) throw new Error(text.slice(0, 80));
});
await check("persisted queries", async () => {
  const { createHash } = await import("node:crypto");
  const query = `{ __typename }  # kept ${Date.now()}`;
  const sha256Hash = createHash("sha256").update(query).digest("hex");
  const extensions = { persistedQuery: { version: 1, sha256Hash } };
  const send = async (body) => (await post(JSON.stringify(body))).json();
  equal((await send({ extensions })).errors[0].extensions.code, "PERSISTED_QUERY_NOT_FOUND");
  equal((await send({ query, extensions })).data, { __typename: "Query" });
  equal((await send({ extensions })).data, { __typename: "Query" });
  equal((await send({ query: "{ viewer { role } }", extensions })).errors[0].extensions.code, "BAD_REQUEST");
});
await check("a browser gets the explorer", async () => {
  for (const path of ["/", "/graphql"]) {
    const response = await fetch(base + path, { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } });
    equal([response.status, response.headers.get("content-type")], [200, "text/html; charset=utf-8"], path);
  }
});
finish("http");
