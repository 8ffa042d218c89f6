"""Opens a ticket for a verified customer with the `mcp` package from PyPI and a bearer token; prints one JSON object.

    mcp_customer.py [--mode auto|legacy] URL TOKEN CUSTOMER

A client of the newer era is asked to ask its user, who says yes; an older one calls again with the confirmation.
"""

import argparse
import asyncio
import json
import sys

import httpx2
from mcp import types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main(options: argparse.Namespace) -> dict:
    asked = []

    async def says_yes(context, params):
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"confirm": True})

    headers = {"Authorization": f"Bearer {options.token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(options.url, http_client=http)
        async with Client(transport, mode=options.mode, elicitation_callback=says_yes) as client:
            listed = await client.list_tools()
            orders = await client.call_tool("get_order_status", {"customer": options.customer})
            ticket = {
                "customer": options.customer,
                "subject": f"Asked by {options.mode}",
                "summary": "A colleague should call back.",
            }
            results = [await client.call_tool("open_ticket", ticket)]
            token = (results[0].structured_content or {}).get("confirmation")
            if token:
                results.append(await client.call_tool("open_ticket", ticket | {"confirmation": token}))
            return {
                "protocolVersion": client.protocol_version,
                "tools": [tool.name for tool in listed.tools],
                "orders": plain(orders),
                "asked": asked,
                "results": [plain(result) for result in results],
            }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["auto", "legacy"], default="auto")
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("customer")
    json.dump(asyncio.run(main(parser.parse_args())), sys.stdout)
