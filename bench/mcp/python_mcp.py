"""A yardstick of `make bench-mcp`: the catalog's two tools with the official Python SDK."""

import catalog
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

PRODUCTS = catalog.read()
server = MCPServer("yardstick", log_level="WARNING")


@server.tool()
def search_catalog(query: str, limit: int = 5) -> dict:
    """Finds products by words."""
    return {"products": catalog.find(PRODUCTS, query, limit)}


@server.tool()
def get_product(id: str) -> dict:
    """Everything about one product."""
    if id not in PRODUCTS:
        raise ToolError("There is no such product.")
    return {"product": PRODUCTS[id]}


app = server.streamable_http_app(stateless_http=True, json_response=True)
