// The official MCP client for JavaScript, as it is installed, against Weir.
//
// Run as `node agent.mjs ADDRESS PROGRAM FOLDER`; ends with an error at the first
// thing that is not so. Over HTTP it calls the server at ADDRESS, and on standard
// input and output PROGRAM with the data FOLDER. The client holds what tools
// answer against the schemas that it was told.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [address, program, folder] = process.argv.slice(2);
const { version } = JSON.parse(readFileSync(new URL("node_modules/@modelcontextprotocol/sdk/package.json", import.meta.url)));

const checks = {
  async tools(agent) {
    const names = (await agent.listTools()).tools.map((t) => t.name).sort();
    assert.deepEqual(names, ["add_document", "get_document", "list_documents", "retrieve"]);
    const call = async (name, args) => (await agent.callTool({ name, arguments: args })).structuredContent;
    const { document } = await call("add_document", { filename: "boat.md", text: "# Boat\n\nThe dinghy is called Petrel." });
    assert.equal(document.status, "ready");
    const found = await call("retrieve", { query: "What is the dinghy called?", max_chunks: 1 });
    assert.match(found.chunks[0].content, /Petrel/);
    assert.equal((await call("retrieve", { query: "dinghy", document_ids: ["none"] })).empty_reason, "no_documents");
    assert.equal((await call("list_documents", { filename: "boat" })).documents[0].id, document.id);
    assert.equal((await call("get_document", { id: document.id })).filename, "boat.md");
  },

  async errors(agent) {
    const wrong = await agent.callTool({ name: "retrieve", arguments: { query: "x", max_chunks: "many" } });
    assert.ok(wrong.isError && wrong.content[0].text.includes('"field":"max_chunks"'));
    await assert.rejects(agent.request({ method: "tasks/list", params: {} }, { parse: (x) => x }), (e) => e.code === -32601);
    await agent.notification({ method: "notifications/unheard", params: {} });
    await agent.ping();
  },

  async resources(agent) {
    const { resources } = await agent.listResources();
    const { contents } = await agent.readResource({ uri: resources[0].uri });
    assert.match(contents[1].text, /The dinghy is called Petrel\./);
    assert.equal((await agent.listResourceTemplates()).resourceTemplates.length, 2);
  },
};

const ways = {
  "over HTTP": new StreamableHTTPClientTransport(new URL(address + "/mcp")),
  "on standard input and output": new StdioClientTransport({ command: program, args: ["mcp", "--data", folder], env: process.env }),
};
for (const [way, transport] of Object.entries(ways)) {
  const agent = new Client({ name: "test", version: "1" });
  await agent.connect(transport);
  for (const [name, check] of Object.entries(checks)) {
    await check(agent);
    console.log(`mcp ${version} for JavaScript, ${way}: ${name}`);
  }
  await agent.close();
}
