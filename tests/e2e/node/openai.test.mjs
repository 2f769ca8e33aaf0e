// The official OpenAI SDK for Node.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { beforeEach, describe, test } from "node:test";
import OpenAI from "openai";
import { apiKey, openai, say, standIn, url } from "./mainstay.mjs";

const models = ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "local/llama"];

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

beforeEach(() => standIn.reset());

for (const model of models) {
  describe(model, () => {
    test("answers", async () => {
      const answer = await openai.chat.completions.create({ model, messages: say("Hello there") });
      assert.equal(answer.choices[0].message.content, "You said: Hello there");
      assert.equal(answer.choices[0].finish_reason, "stop");
      assert.ok(answer._request_id);
    });

    test("streams", async () => {
      const stream = await openai.chat.completions.create({ model, messages: say("Hello there"), stream: true });
      let text = "";
      let finish = null;
      for await (const chunk of stream) {
        assert.equal(finish, null, "nothing comes after the end");
        text += chunk.choices[0].delta.content ?? "";
        finish = chunk.choices[0].finish_reason;
      }
      assert.equal(text, "You said: Hello there");
      assert.equal(finish, "stop");
    });

    test("calls tools in parallel, streamed, and uses a result", async () => {
      const question = say("What is the weather in both Paris and London?");
      const stream = openai.chat.completions.stream({ model, messages: question, tools: [weather] });
      const { choices } = await stream.finalChatCompletion();
      const calls = choices[0].message.tool_calls;
      assert.deepEqual(calls.map((call) => JSON.parse(call.function.arguments).city), ["Paris", "London"]);
      assert.notEqual(calls[0].id, calls[1].id);
      assert.equal(choices[0].finish_reason, "tool_calls");

      const results = calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "21 degrees" }));
      const calling = { role: "assistant", content: choices[0].message.content, tool_calls: calls };
      const messages = [...question, calling, ...results];
      const answer = await openai.chat.completions.create({ model, messages, tools: [weather] });
      assert.match(answer.choices[0].message.content, /^The tool said: 21 degrees/);
    });

    test("is cancelled when the client aborts", async () => {
      await standIn.failNext("slow:50");
      const stream = await openai.chat.completions.create({ model, messages: say("count to 2000"), stream: true });
      for await (const _ of stream) break;
      await standIn.waitFor({ cancelled: 1 });
    });

    test("reports a limited rate", async () => {
      await standIn.failNext("429:7");
      await assert.rejects(openai.chat.completions.create({ model, messages: say("Hello") }), (error) => {
        assert.ok(error instanceof OpenAI.RateLimitError);
        assert.equal(error.headers.get("retry-after"), "7");
        return true;
      });
    });

    test("never lets a broken stream look finished", async () => {
      await standIn.failNext("cut");
      const read = async () => {
        const stream = await openai.chat.completions.create({ model, messages: say("count to 200"), stream: true });
        for await (const chunk of stream) assert.equal(chunk.choices[0]?.finish_reason ?? null, null);
      };
      await assert.rejects(read, OpenAI.APIError);
    });
  });
}

describe("assistant", () => {
  for (const stream of [false, true]) {
    test(`cites the bytes of its documents${stream ? ", streamed" : ""}`, async () => {
      const ask = { model: "assistant", messages: say("How long is lost luggage kept?") };
      let text = "";
      let annotations = [];
      if (stream) {
        for await (const chunk of await openai.chat.completions.create({ ...ask, stream })) {
          text += chunk.choices[0].delta.content ?? "";
          annotations.push(...(chunk.choices[0].delta.annotations ?? []));
        }
      } else {
        const { message } = (await openai.chat.completions.create(ask)).choices[0];
        text = message.content;
        annotations = message.annotations;
      }
      assert.match(text, /ninety days/);
      assert.notEqual(annotations.length, 0);
      for (const annotation of annotations) {
        const document = await readFile(`${process.env.MAINSTAY_DOCUMENTS}/${annotation.doc_id}`);
        const quoted = document.subarray(annotation.start_byte, annotation.end_byte).toString("utf8");
        assert.equal(quoted, annotation.quote);
        const { start_index, end_index } = annotation.url_citation;
        assert.equal([...text].slice(start_index, end_index).join(""), `[${annotation.index}]`);
      }
    });
  }
});

test("embeddings", async () => {
  const answer = await openai.embeddings.create({ model: "builtin/static", input: ["ferry", "harbour"] });
  assert.deepEqual(answer.data.map((item) => item.index), [0, 1]);
  assert.ok(answer.data[0].embedding.length > 0);
});

test("models", async () => {
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  assert.ok(ids.includes("assistant"));
  assert.ok(ids.includes("openai/gpt-4o-mini"));
});

describe("errors", () => {
  test("a wrong key", async () => {
    const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: `${apiKey}x`, maxRetries: 0 });
    await assert.rejects(
      stranger.chat.completions.create({ model: "assistant", messages: say("Hello") }),
      OpenAI.AuthenticationError,
    );
  });

  test("an unknown model", async () => {
    await assert.rejects(openai.chat.completions.create({ model: "nobody", messages: say("Hello") }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.param, "model");
      assert.ok(error.requestID);
      return true;
    });
  });

  test("a bad request", async () => {
    await assert.rejects(
      openai.chat.completions.create({ model: "assistant", messages: [] }),
      OpenAI.BadRequestError,
    );
  });
});
