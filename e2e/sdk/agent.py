"""The official MCP client for Python, as it is installed, against Weir.

Run as `python agent.py ADDRESS KEY PROGRAM FOLDER`; ends with an error at the first thing that is not so.
Over HTTP it calls the server at ADDRESS with KEY, and on standard input and output PROGRAM with the data FOLDER.
The client holds what tools answer against the schemas that it was told.
"""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.metadata import version

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference

address, key, program, folder = sys.argv[1:]


async def tools(agent: ClientSession) -> None:
    """All tools are there, and answer."""
    names = sorted(t.name for t in (await agent.list_tools()).tools)
    assert names == ["add_document", "get_document", "list_documents", "retrieve"], names
    added = await agent.call_tool("add_document", {"filename": "boat.md", "text": "# Boat\n\nThe dinghy is called Petrel."})
    document = added.structured_content["document"]
    assert document["status"] == "ready", added
    found = await agent.call_tool("retrieve", {"query": "What is the dinghy called?", "max_chunks": 1})
    assert "Petrel" in found.structured_content["chunks"][0]["content"] and "boat.md" in found.content[0].text, found
    nothing = await agent.call_tool("retrieve", {"query": "dinghy", "document_ids": ["none"]})
    assert nothing.structured_content["empty_reason"] == "no_documents", nothing
    listed = await agent.call_tool("list_documents", {"filename": "boat"})
    assert listed.structured_content["documents"][0]["id"] == document["id"], listed
    one = await agent.call_tool("get_document", {"id": document["id"]})
    assert one.structured_content["filename"] == "boat.md", one


async def errors(agent: ClientSession) -> None:
    """What goes wrong in a tool is its answer, and what is not there is an error; the session goes on."""
    wrong = await agent.call_tool("retrieve", {"query": "x", "max_chunks": "many"})
    assert wrong.is_error and '"field":"max_chunks"' in wrong.content[0].text, wrong
    try:
        await agent.complete(ref=PromptReference(type="ref/prompt", name="x"), argument={"name": "a", "value": "b"})
    except MCPError as e:
        assert e.error.code == -32601, e
    else:
        raise AssertionError("a method that is not there answers")
    await agent.send_ping()


async def resources(agent: ClientSession) -> None:
    """Documents are resources."""
    first = (await agent.list_resources()).resources[0]
    read = (await agent.read_resource(first.uri)).contents
    assert "The dinghy is called Petrel." in read[1].text, read
    assert len((await agent.list_resource_templates()).resource_templates) == 2


async def drive(way: str, streams: tuple) -> None:
    async with ClientSession(*streams[:2]) as agent:
        assert (await agent.initialize()).server_info.name == "weir"
        for check in (tools, errors, resources):
            await check(agent)
            print(f"mcp {version('mcp')} for Python, {way}: {check.__name__}")


async def main() -> None:
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        streamable_http_client(address + "/mcp", http_client=http) as streams,
    ):
        await drive("over HTTP", streams)
    here = StdioServerParameters(command=program, args=["mcp", "--data", folder], env=dict(os.environ))
    async with stdio_client(here) as streams:
        await drive("on standard input and output", streams)


asyncio.run(main())
