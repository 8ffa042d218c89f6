"""Lists an MCP server's tools with `fastmcp` from PyPI, calls some, and prints what it saw as one JSON object.

    fastmcp_calls.py [--call NAME ARGUMENTS]... URL
    fastmcp_calls.py [--call NAME ARGUMENTS]... -- COMMAND [ARGUMENT ...]
"""

import argparse
import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--call", nargs=2, metavar=("NAME", "ARGUMENTS"), action="append", default=[])
    parser.add_argument("server", nargs="+", help="a URL, or a command that speaks on stdio")
    return parser.parse_args()


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def look(options: argparse.Namespace) -> dict:
    command = options.server
    is_url = len(command) == 1 and command[0].startswith(("http://", "https://"))
    server = command[0] if is_url else StdioTransport(command=command[0], args=command[1:])
    async with Client(server) as client:
        calls = [await client.call_tool(name, json.loads(given), raise_on_error=False) for name, given in options.call]
        return {
            "tools": [plain(tool) for tool in await client.list_tools()],
            "resources": [plain(resource) for resource in await client.list_resources()],
            "prompts": [plain(prompt) for prompt in await client.list_prompts()],
            "calls": [
                {
                    "isError": call.is_error,
                    "structuredContent": call.structured_content,
                    "text": "".join(getattr(block, "text", "") for block in call.content),
                }
                for call in calls
            ],
        }


if __name__ == "__main__":
    json.dump(asyncio.run(look(arguments())), sys.stdout)
