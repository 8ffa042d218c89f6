"""Looks at an MCP server with the `mcp` package from PyPI and prints what it saw as one JSON object.

    mcp_list.py [--mode auto|legacy] [--call NAME ARGUMENTS] [--read URI] [--prompt NAME ARGUMENTS] URL
    mcp_list.py [...] -- COMMAND [ARGUMENT ...]
"""

import argparse
import asyncio
import json
import sys

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["auto", "legacy"], default="auto")
    parser.add_argument("--call", nargs=2, metavar=("NAME", "ARGUMENTS"), action="append", default=[])
    parser.add_argument("--read", metavar="URI", action="append", default=[])
    parser.add_argument("--prompt", nargs=2, metavar=("NAME", "ARGUMENTS"), action="append", default=[])
    parser.add_argument("server", nargs="+", help="a URL, or a command that speaks on stdio")
    return parser.parse_args()


async def every(first, items):
    """All pages of a list."""
    found, page = [], await first()
    while True:
        found += getattr(page, items)
        if not page.next_cursor:
            return [plain(item) for item in found]
        page = await first(cursor=page.next_cursor)


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def look(options: argparse.Namespace) -> dict:
    command = options.server
    is_url = len(command) == 1 and command[0].startswith(("http://", "https://"))
    server = command[0] if is_url else StdioServerParameters(command=command[0], args=command[1:])
    async with Client(server, mode=options.mode) as client:
        return {
            "protocolVersion": client.protocol_version,
            "server": plain(client.server_info) if client.server_info else None,
            "instructions": client.instructions,
            "tools": await every(client.list_tools, "tools"),
            "resources": await every(client.list_resources, "resources"),
            "templates": await every(client.list_resource_templates, "resource_templates"),
            "prompts": await every(client.list_prompts, "prompts"),
            "calls": [plain(await client.call_tool(name, json.loads(given))) for name, given in options.call],
            "reads": [plain(await client.read_resource(uri)) for uri in options.read],
            "filled": [plain(await client.get_prompt(name, json.loads(given))) for name, given in options.prompt],
        }


if __name__ == "__main__":
    json.dump(asyncio.run(look(arguments())), sys.stdout)
