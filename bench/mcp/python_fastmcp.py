"""A yardstick of `make bench-mcp`: the catalog's two tools with fastmcp."""

import catalog
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError

PRODUCTS = catalog.read()
server = FastMCP("yardstick")


@server.tool
def search_catalog(query: str, limit: int = 5) -> dict:
    """Finds products by words."""
    return {"products": catalog.find(PRODUCTS, query, limit)}


@server.tool
def get_product(id: str) -> dict:
    """Everything about one product."""
    if id not in PRODUCTS:
        raise ToolError("There is no such product.")
    return {"product": PRODUCTS[id]}


app = server.http_app(stateless_http=True, json_response=True)
