// The Mainstay under test. `cargo xtask test` starts it and says by the environment where it is.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

export const url = process.env.MAINSTAY_URL;
export const apiKey = process.env.MAINSTAY_API_KEY;
const standInUrl = process.env.MAINSTAY_STAND_IN_URL;

// Without repetitions: a test sees the first answer.
export const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: 60_000 });
export const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0, timeout: 60_000 });

// The providers behind Mainstay: what they were asked, and how they fail next.
export const standIn = {
  async failNext(...faults) {
    await control("POST", "/control", { faults });
  },
  async waitFor(counts) {
    const answer = await fetch(`${standInUrl}/control/requests?${new URLSearchParams(counts)}`);
    if (!answer.ok) throw new Error(`waited in vain for ${JSON.stringify(counts)}: ${await answer.text()}`);
    return answer.json();
  },
  async reset() {
    await control("DELETE", "/control");
    await control("DELETE", "/control/requests");
  },
};

async function control(method, path, body) {
  const headers = body ? { "content-type": "application/json" } : {};
  const answer = await fetch(standInUrl + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
}

export const say = (text) => [{ role: "user", content: text }];
