// The console's page "Search" in a real browser, without JavaScript.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { apiKey, url } from "./mainstay.mjs";

const corpus = "console";
const hostile = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">";
const rule = "Lanterns hang at the bow from dusk until dawn, and the watch trims their wicks every 4 hours.";

let browser;

// A browser that has seen nothing, and what it must not have done when the test is over.
async function visit(options, steps) {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: url, ...options });
  const elsewhere = [];
  context.on("request", (request) => {
    if (!request.url().startsWith(url)) elsewhere.push(request.url());
  });
  try {
    const page = await context.newPage();
    await steps(page, context);
    assert.deepEqual(elsewhere, [], "a page asked another server");
  } finally {
    await context.close();
  }
}

async function signIn(page) {
  await page.goto("/console/search");
  await page.getByLabel("API key").fill(apiKey);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
}

async function ask(page, question) {
  await page.getByLabel("Question").fill(question);
  await page.getByLabel("Corpus").selectOption(corpus);
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.locator("article").first().waitFor();
}

describe("the console's search", () => {
  // Of this suite and not of the file, so that no browser is started, and left open, where none of its tests is asked for.
  before(async () => {
    const documents = [
      { doc_id: "lanterns.md", title: "Lanterns", media_type: "text/markdown", text: `# Lanterns\n\n## At night\n\n${rule}\n` },
      { doc_id: "copy.md", title: "Lanterns, a copy", text: rule },
      { doc_id: "<i>hostile</i>", title: hostile, text: `Lanterns and wicks. ${hostile} The oil is kept below.` },
      ...[1, 2, 3].map((n) => ({ doc_id: `other-${n}`, text: `The cook of ship ${n} bakes bread on day ${n}.` })),
    ];
    const answer = await fetch(`${url}/v1/documents`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ corpus, documents }),
    });
    assert.equal(answer.status, 200, await answer.clone().text());
    browser = await chromium.launch({ executablePath: process.env.MAINSTAY_CHROMIUM });
  });

  after(() => browser?.close());

  test("asks strangers for a key, refuses a wrong one, and keeps the right one out of addresses and scripts", () =>
    visit({}, async (page, context) => {
      const first = await page.goto("/console/search");
      assert.equal(first.status(), 401);
      await page.getByLabel("API key").fill("msk_0000_wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
      assert.match(await page.getByRole("alert").innerText(), /not valid/);

      await signIn(page);
      assert.ok(!page.url().includes("msk_"));
      const [cookie] = await context.cookies();
      assert.ok(cookie.httpOnly && cookie.sameSite === "Strict" && cookie.path === "/console");
      assert.ok(!apiKey.includes(cookie.value) && !cookie.value.includes(apiKey));

      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("API key").waitFor();
      await context.addCookies([{ ...cookie, expires: -1 }]);
      assert.equal((await page.goto("/console/search")).status(), 401, "the session went on after the end");
    }));

  test("shows ranks, scores, what entered the prompt and why, and the words of the question", () =>
    visit({}, async (page) => {
      await signIn(page);
      await ask(page, "When do the lanterns hang at the bow?");
      const best = page.locator("article").first();
      assert.equal(await best.locator(".rank").innerText(), "1");
      assert.match(await best.locator(".verdict").innerText(), /^In the prompt as \[1\]/);
      const marked = await best.locator("blockquote b").allInnerTexts();
      assert.ok(["Lanterns", "hang", "bow"].every((word) => marked.includes(word)), String(marked));
      const row = best.getByRole("row", { name: /^Words \d/ });
      assert.match(await row.innerText(), /Words\s+[12]\s+\d+\.\d{3}/);
      const verdicts = await page.locator(".verdict").allInnerTexts();
      assert.ok(verdicts.some((verdict) => verdict.includes("says nearly the same as [1]")), String(verdicts));
    }));

  test("marks the passage in its document", () =>
    visit({}, async (page) => {
      await signIn(page);
      await ask(page, "When do the lanterns hang at the bow?");
      await page.getByRole("link", { name: "Lanterns", exact: true }).click();
      assert.match(page.url(), /#passage$/);
      assert.ok((await page.locator("mark#passage").innerText()).includes(rule));
      assert.ok((await page.locator("pre").innerText()).startsWith("# Lanterns"));
      await page.getByRole("link", { name: "Back to the results" }).click();
      assert.equal(await page.getByLabel("Question").inputValue(), "When do the lanterns hang at the bow?");
      assert.equal(await page.getByLabel("Corpus").inputValue(), corpus);
    }));

  test("shows hostile documents and questions as text, even to a browser that runs scripts", () =>
    visit({ javaScriptEnabled: true }, async (page) => {
      await signIn(page);
      await ask(page, `lanterns wicks oil ${hostile}`);
      assert.ok((await page.content()).includes("&lt;script&gt;"));
      const article = page.locator("article").filter({ hasText: "<i>hostile</i>" });
      assert.equal(await article.locator("h3").innerText(), hostile);
      assert.equal(await page.locator("img, script, main i").count(), 0);
      await article.locator("h3 a").click();
      assert.equal(await page.locator("img, script, main i").count(), 0);
      assert.ok((await page.locator("pre").innerText()).includes(hostile));
      assert.notEqual(await page.title(), "owned");
    }));

  test("fits a phone", () =>
    visit({ viewport: { width: 360, height: 740 } }, async (page) => {
      await signIn(page);
      await ask(page, "When do the lanterns hang at the bow?");
      const wide = await page.locator("body, article, .scores, form").evaluateAll(
        (boxes) => boxes.filter((box) => box.scrollWidth > 361).map((box) => box.className || box.tagName),
      );
      assert.deepEqual(wide, []);
      for (const box of await page.locator("article").all()) {
        const { x, width } = await box.boundingBox();
        assert.ok(x >= 0 && x + width <= 360, `${x} ${width}`);
      }
    }));

  test("takes no form from another site", async () => {
    for (const path of ["/console/session", "/console/session/end"]) {
      const headers = { origin: "https://elsewhere.example", "content-type": "application/x-www-form-urlencoded" };
      const answer = await fetch(url + path, { method: "POST", headers, body: `key=${apiKey}`, redirect: "manual" });
      assert.equal(answer.status, 403);
      assert.equal(answer.headers.get("set-cookie"), null);
    }
  });

  test("is kept by nobody and runs nothing", async () => {
    const answer = await fetch(`${url}/console/search?q=lanterns&corpus=${corpus}`, { headers: { "x-api-key": apiKey } });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    const policy = answer.headers.get("content-security-policy");
    assert.ok(policy.startsWith("default-src 'none'") && !policy.includes("unsafe") && !policy.includes("script"));
  });

  test("says what is wrong with an address", async () => {
    for (const [query, status, problem] of [
      ["q=a&limit=0", 400, "limit is 0"],
      ["q=a&limit=many", 400, "the query of the address is wrong"],
      ["q=a&corpus=none-such", 404, "there is no corpus"],
      ["q=a&assistant=nobody", 404, "there is no model"],
    ]) {
      const answer = await fetch(`${url}/console/search?${query}`, { headers: { "x-api-key": apiKey } });
      const text = await answer.text();
      assert.equal(answer.status, status, query);
      assert.ok(text.includes(problem) && text.includes("</form>"), text);
    }
    const gone = await fetch(`${url}/console/search/document?document=gone&start=0&end=1`, {
      headers: { "x-api-key": apiKey },
    });
    assert.equal(gone.status, 404);
  });
});
