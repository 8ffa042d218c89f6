"""The catalog as both Python yardsticks of `make bench-mcp` serve it: a dictionary and a search for substrings."""

import csv
import os
from pathlib import Path

LANGUAGES = ("en", "it", "es", "pt", "de")


def read() -> dict[str, dict]:
    with open(Path(os.environ["BENCH_CATALOG"]), encoding="utf-8", newline="") as file:
        return {row["id"]: product(row) for row in csv.DictReader(file)}


def product(row: dict) -> dict:
    return {
        "id": row["id"],
        "title": row["title_en"],
        "description": row["description_en"],
        "category": row["category"],
        "price_minor": int(row["price_minor"]),
        "currency": row["currency"],
        "stock": int(row["stock"]),
        "image": row["image"],
        "attributes": dict(pair.split("=", 1) for pair in row["attributes"].split(";") if "=" in pair),
    }


def find(products: dict[str, dict], query: str, limit: int) -> list[dict]:
    words = query.lower().split()
    fits = (one for one in products.values()
            if any(word in f"{one['title']} {one['description']}".lower() for word in words))
    return [one for one, _ in zip(fits, range(limit))]
