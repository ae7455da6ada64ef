// The explorer in a real browser: sign-in, a query, the schema, a subscription, and no complaint of the browser.
import { chromium } from "playwright-core";
import { base, check, email, equal, finish, password } from "./common.mjs";

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
const complaints = [];
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(error.message));
const answer = () => page.textContent("#answer");

await page.goto(`${base}/graphql`);
await check("sign-in", async () => {
  await page.fill("#email", email);
  await page.fill("#password", password);
  await page.click("#sign-in button");
  await page.waitForSelector("#who:not([hidden])");
});
await check("an example", async () => {
  await page.selectOption("#examples", "Customers with owner and deals");
  await page.fill("#variables", '{ "first": 2 }');
  await page.click("#run");
  await page.waitForFunction(() => document.querySelector("#answer").textContent.includes("totalCount"));
  if (!(await page.textContent("#status")).includes("cost")) throw new Error("no cost is shown");
});
await check("the schema", async () => {
  await page.waitForSelector("#docs dl");
  await page.fill("#search", "wonRevenue");
  await page.click("#docs .link");
  if (!(await page.textContent("#docs")).includes("wonRevenue")) throw new Error("not found");
});
await check("a subscription", async () => {
  await page.selectOption("#examples", "Watch changes live");
  await page.fill("#variables", "");
  await page.click("#run");
  await page.waitForFunction(() => document.querySelector("#status").textContent.startsWith("Watching"));
  await page.waitForTimeout(300);
  await page.evaluate(async () => {
    const { accessToken } = JSON.parse(sessionStorage.getItem("evenhand.session"));
    await fetch("/graphql", {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${accessToken}` },
      body: JSON.stringify({ query: `mutation { createTeam(input: { name: "Explorer ${Date.now()}" }) { team { id } } }` }),
    });
  });
  await page.waitForFunction(() => document.querySelector("#answer").textContent.includes("recordedAt"));
});
if (process.env.SCREENSHOT) {
  await page.selectOption("#examples", "Customers with owner and deals");
  await page.fill("#variables", '{ "first": 2 }');
  await page.click("#run");
  await page.waitForFunction(() => document.querySelector("#answer").textContent.includes("totalCount"));
  await page.screenshot({ path: process.env.SCREENSHOT });
}
await check("no complaints of the browser", async () => equal(complaints, []));
await browser.close();
finish("explorer");
