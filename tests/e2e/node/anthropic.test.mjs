// The official Anthropic SDK for Node.

import Anthropic from "@anthropic-ai/sdk";
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { anthropic, apiKey, say, standIn, url } from "./mainstay.mjs";

const models = ["anthropic/claude-sonnet-4-5", "openai/gpt-4o-mini", "gemini/gemini-2.5-flash"];

const weather = {
  name: "get_weather",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

beforeEach(() => standIn.reset());

for (const model of models) {
  describe(model, () => {
    test("answers", async () => {
      const message = await anthropic.messages.create({ model, max_tokens: 200, messages: say("Hello there") });
      assert.equal(textOf(message), "You said: Hello there");
      assert.equal(message.stop_reason, "end_turn");
      assert.ok(message._request_id);
    });

    test("streams", async () => {
      const stream = anthropic.messages.stream({ model, max_tokens: 200, messages: say("Hello there") });
      let text = "";
      stream.on("text", (piece) => (text += piece));
      const message = await stream.finalMessage();
      assert.equal(text, "You said: Hello there");
      assert.equal(textOf(message), text);
      assert.ok(message.usage.output_tokens > 0);
    });

    test("calls tools in parallel, streamed", async () => {
      const messages = say("What is the weather in both Paris and London?");
      const stream = anthropic.messages.stream({ model, max_tokens: 200, messages, tools: [weather] });
      const message = await stream.finalMessage();
      const calls = message.content.filter((block) => block.type === "tool_use");
      assert.deepEqual(calls.map((call) => call.input.city), ["Paris", "London"]);
      assert.equal(message.stop_reason, "tool_use");
    });

    test("never lets a broken stream look finished", async () => {
      await standIn.failNext("cut");
      const stream = anthropic.messages.stream({ model, max_tokens: 2000, messages: say("count to 200") });
      await assert.rejects(stream.finalMessage(), Anthropic.AnthropicError);
    });
  });
}

test("an assistant cites its documents", async () => {
  const messages = say("How long is lost luggage kept?");
  const message = await anthropic.messages.create({ model: "assistant", max_tokens: 500, messages });
  assert.match(textOf(message), /ninety days/);
  const citations = message.content.flatMap((block) => block.citations ?? []);
  assert.notEqual(citations.length, 0);
  assert.match(citations[0].cited_text, /ninety days/);
});

describe("errors", () => {
  test("a wrong key", async () => {
    const stranger = new Anthropic({ baseURL: url, apiKey: `${apiKey}x`, maxRetries: 0 });
    await assert.rejects(
      stranger.messages.create({ model: "assistant", max_tokens: 10, messages: say("Hello") }),
      Anthropic.AuthenticationError,
    );
  });

  test("an unknown model", async () => {
    await assert.rejects(
      anthropic.messages.create({ model: "nobody", max_tokens: 10, messages: say("Hello") }),
      Anthropic.NotFoundError,
    );
  });

  test("a bad request", async () => {
    await assert.rejects(
      anthropic.messages.create({ model: "assistant", max_tokens: 10, messages: [] }),
      Anthropic.BadRequestError,
    );
  });
});
