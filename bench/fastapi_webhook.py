"""The yardstick of `make bench-webhook`: the same work as the webhook's door, with FastAPI and SQLite.

HMAC over the raw bytes, JSON, then one transaction that is on the disk before the answer: the raw body and
one row for each message, unique by number and message id.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import threading
import time

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

SECRET = os.environ["BENCH_SECRET"].encode()
DATABASE = os.environ["BENCH_DATABASE"]
SCHEMA = """
CREATE TABLE IF NOT EXISTS webhooks (id INTEGER PRIMARY KEY, received_at REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS inbox (
    number TEXT NOT NULL, message_id TEXT NOT NULL, sender TEXT, sent_at INTEGER, content TEXT NOT NULL,
    UNIQUE (number, message_id));
"""

app = FastAPI(openapi_url=None)
local = threading.local()


def connection() -> sqlite3.Connection:
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(DATABASE, timeout=30, isolation_level=None)
        local.connection.execute("PRAGMA journal_mode = WAL")
        local.connection.execute("PRAGMA synchronous = FULL")
        local.connection.executescript(SCHEMA)
    return local.connection


def store(body: bytes, rows: list[tuple]) -> None:
    database = connection()
    database.execute("BEGIN IMMEDIATE")
    try:
        database.execute("INSERT INTO webhooks (received_at, body) VALUES (?, ?)", (time.time(), body))
        database.executemany("INSERT OR IGNORE INTO inbox VALUES (?, ?, ?, ?, ?)", rows)
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


@app.post("/webhooks/whatsapp")
async def deliver(request: Request) -> Response:
    body = await request.body()
    expected = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
        return Response(status_code=401)
    rows = []
    for entry in json.loads(body)["entry"]:
        for change in entry["changes"]:
            value = change["value"]
            number = value["metadata"]["phone_number_id"]
            for message in value.get("messages", []):
                rows.append((number, message["id"], message.get("from"), int(message["timestamp"]),
                             json.dumps(message)))
    await run_in_threadpool(store, body, rows)
    return Response(status_code=200)


@app.get("/readyz")
async def ready() -> Response:
    return Response("ready")
