// OpenAI's own client for JavaScript, as it is installed, against a Weir server.
//
// Run as `node sdk.mjs ADDRESS [KEY]`; ends with an error at the first thing that
// is not so. With a key, the server must be one that asks for it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import OpenAI, { APIError, AuthenticationError, BadRequestError, PermissionDeniedError } from "openai";

const [address, key] = process.argv.slice(2);
const client = new OpenAI({ baseURL: address + "/v1", apiKey: key ?? "not needed", maxRetries: 0, timeout: 30_000 });
const { version } = JSON.parse(readFileSync(new URL("node_modules/openai/package.json", import.meta.url)));

const messages = (content) => [{ role: "user", content }];
const ask = (content, more) => client.chat.completions.create({ model: "weir", messages: messages(content), ...more });

const checks = {
  async models() {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    assert.ok(ids.includes("weir") && ids.length === 2, ids.join());
  },

  async embeddings() {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    const model = ids.find((id) => id !== "weir");
    const got = await client.embeddings.create({ model, input: ["a cat", "a dog"] });
    const again = await client.embeddings.create({ model, input: "a cat", encoding_format: "float" });
    assert.equal(got.data.length, 2);
    got.data[0].embedding.forEach((v, i) => assert.ok(Math.abs(v - again.data[0].embedding[i]) < 1e-6));
  },

  async whole() {
    const got = await ask("How many hours must I use my CPAP machine?");
    const text = got.choices[0].message.content;
    assert.equal(got.choices[0].finish_reason, "stop");
    assert.match(text, /^The documents say:.*\[1\]\.\n\nSources:\n\[1\] plan-handbook\.pdf.*page \d+/s);
    assert.equal(got.usage.total_tokens, 120);
    assert.equal(got.weir.citations[0].number, 1);
  },

  async streamed() {
    const question = "slowly: CPAP machine";
    const stream = await ask(question, { stream: true, stream_options: { include_usage: true } });
    let text = "";
    let usage;
    let chunks = 0;
    for await (const c of stream) {
      text += c.choices[0]?.delta.content ?? "";
      usage = c.usage ?? usage;
      chunks++;
    }
    assert.ok(chunks > 4); // pieces that come faster than they are sent are joined
    assert.equal(usage.total_tokens, 120);
    assert.equal(text, (await ask(question)).choices[0].message.content);
    const runner = client.chat.completions.stream({ model: "weir", messages: messages(question) });
    assert.equal(await runner.finalContent(), text);
  },

  async honest() {
    const declined = await ask("unanswerable: CPAP machine");
    assert.equal(declined.weir.answered, false);
    for (const word of ["broken", "stalled"]) {
      let text = "";
      await assert.rejects(
        async () => {
          for await (const c of await ask(word + ": CPAP machine", { stream: true })) text += c.choices[0].delta.content ?? "";
        },
        (e) => e instanceof APIError && e.message.includes("not whole"),
      );
      assert.match(text, /^The documents say:/);
    }
  },

  async refused() {
    await assert.rejects(ask("x", { n: 2 }), (e) => e instanceof BadRequestError && e.param === "n");
  },
};

if (key) {
  checks.strangers = async () => {
    const wrong = client.withOptions({ apiKey: "weir_wrong" });
    await assert.rejects(wrong.models.list(), (e) => e instanceof AuthenticationError && e.code === "unauthorized");
    const other = client.withOptions({ defaultHeaders: { "X-User-ID": "somebody else" } });
    await assert.rejects(
      other.chat.completions.create({ model: "weir", messages: messages("x"), stream: true }),
      (e) => e instanceof PermissionDeniedError && e.code === "forbidden",
    );
  };
}

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`openai ${version} for JavaScript${key ? ", with a key" : ""}: ${name}`);
}
