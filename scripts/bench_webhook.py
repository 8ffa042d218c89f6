#!/usr/bin/env python3
"""Signed webhook to durable 200: this program beside FastAPI, interleaved, on one disk.

Prints one Markdown table on standard output and everything else on standard error. Exit code 1 when a
floor is missed. Every request carries a message id of its own and a correct signature.
"""

import argparse
import hashlib
import hmac
import http.client
import json
import multiprocessing
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ("fastapi==0.121.2", "uvicorn[standard]==0.38.0")
SECRET = "bench-app-secret"
NUMBER = "106540352242922"
PHONES = 10_000
CONNECTIONS = (1, 32, 128)
THREADS = 2
MEDIAN, P99 = 25.0, 100.0  # milliseconds
GROWTH = 1.5
MEMORY = 400  # MiB


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- requests ------------------------------------------------------------------------------------------


def body_of(message: str, phone: int) -> bytes:
    digits = f"39333{phone:07}"
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER},
        "contacts": [{"profile": {"name": "Test Customer"}, "wa_id": digits}],
        "messages": [{"from": digits, "id": f"wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQz{message}",
                      "timestamp": str(int(time.time())), "type": "text",
                      "text": {"body": "Buongiorno, avete una macchina per il cappuccino sotto i 200 euro?"}}],
    }
    return json.dumps({"object": "whatsapp_business_account", "entry": [
        {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}]}).encode()


def signature(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def prepare(pool: Path, count: int) -> None:
    """One file for each thread of wrk, with whole requests; no id stands twice."""
    say(f"preparing {count} signed requests")
    for thread in range(THREADS):
        with open(f"{pool}.{thread}", "wb") as file:
            for number in range(thread, count, THREADS):
                body = body_of(f"{number:08}", number * 7919 % PHONES)
                request = (f"POST /webhooks/whatsapp HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                           f"Content-Type: application/json\r\nX-Hub-Signature-256: {signature(body)}\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n").encode() + body
                file.write(f"{len(request)}\n".encode() + request)


# --- servers -------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A server on a fresh copy of its data; `rows` counts what it has stored."""

    def __init__(self, name: str, command: list[str], variables: dict, port: int, database: Path, table: str):
        self.name, self.port, self.database, self.table = name, port, database, table
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("SPORTELLO_") or key == "SPORTELLO_MODELS"}
        log = open(database.parent / "log", "wb")
        self.process = subprocess.Popen(command, env=environment | variables, stdout=log, stderr=log,
                                        start_new_session=True)
        self.wait()

    def wait(self) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1) as answer:
                    if answer.read().strip() == b"ready":
                        return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not start: see {self.database.parent / 'log'}")

    def rows(self) -> int:
        with sqlite3.connect(self.database, timeout=30) as database:
            return database.execute(f"SELECT COUNT(*) FROM {self.table}").fetchone()[0]

    def memory(self) -> float:
        """The resident set in MiB, without pages of files that the system may drop."""
        fields = dict(line.split(":", 1) for line in
                      Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if ":" in line)
        return int(fields["VmRSS"].split()[0]) / 1024

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Bench:
    def __init__(self, arguments: argparse.Namespace):
        self.binary = Path(arguments.binary).resolve()
        if not self.binary.exists():
            raise SystemExit(f"{self.binary} is not there; build it with `cargo build --release --locked`")
        self.folder = ROOT / "target" / "bench"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.seconds, self.rounds = arguments.seconds, arguments.rounds
        self.wrk = output(["sh", str(ROOT / "scripts" / "setup_wrk.sh")])
        self.python = python(PINS)
        self.pool = self.folder / "requests"
        prepare(self.pool, arguments.requests)
        say("making a data folder with an index")
        # Kept between runs: embedding takes a minute, and nothing is done when nothing changed.
        self.warm = ROOT / "target" / "bench-warm"
        subprocess.run([self.binary, "--data", self.warm, "index"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        self.made = 0

    def fresh(self) -> Path:
        self.made += 1
        return self.folder / f"run{self.made}"

    def sportello(self, debounce: str) -> Server:
        data, port = self.fresh(), free_port()
        shutil.copytree(self.warm, data)
        variables = {
            "SPORTELLO_WHATSAPP__APP_SECRET": SECRET,
            "SPORTELLO_WHATSAPP__PHONE_NUMBER_ID": NUMBER,
            "SPORTELLO_AGENT__DEBOUNCE_SECONDS": debounce,
            "RUST_LOG": "warn",
        }
        command = [str(self.binary), "--data", str(data), "serve", "--listen", f"127.0.0.1:{port}"]
        return Server("sportello", command, variables, port, data / "sportello.db", "webhooks")

    def fastapi(self) -> Server:
        data, port = self.fresh(), free_port()
        data.mkdir()
        variables = {"BENCH_SECRET": SECRET, "BENCH_DATABASE": str(data / "bench.db")}
        command = [self.python, "-m", "uvicorn", "fastapi_webhook:app", "--app-dir", str(ROOT / "bench"),
                   "--port", str(port), "--workers", str(os.cpu_count()), "--no-access-log",
                   "--log-level", "warning"]
        return Server("fastapi", command, variables, port, data / "bench.db", "inbox")

    def load(self, server: Server, connections: int) -> dict:
        """One run of wrk; what it saw, and that what was acknowledged is stored."""
        threads = min(THREADS, connections)
        said = output([self.wrk, "-t", str(threads), "-c", str(connections), "-d", f"{self.seconds}s", "--timeout", "30s",
                       "-s", str(ROOT / "bench" / "webhooks.lua"), f"http://127.0.0.1:{server.port}",
                       "--", str(self.pool)])
        result = next((line for line in said.splitlines() if line.startswith("RESULT")), None)
        if result is None:
            raise SystemExit(f"wrk said nothing of use:\n{said}")
        requests, duration, errors, median, p99, longest = map(float, result.split()[1:])
        stored = server.rows()
        # The yardstick may fail now and then under many connections; we may not.
        if stored < requests - errors or (errors and server.name == "sportello"):
            raise SystemExit(f"{server.name}: {errors:.0f} errors, {stored} stored of {requests:.0f}")
        seen = {"rate": requests / (duration / 1e6), "median": median, "p99": p99, "max": longest, "errors": errors}
        say(f"{server.name:>9} {connections:4} connections: {seen['rate']:8.0f}/s, median {median:.2f} ms, "
            f"p99 {p99:.2f} ms, {errors:.0f} errors")
        return seen

    def throughput(self) -> dict:
        seen = {}
        for connections in CONNECTIONS:
            for _ in range(self.rounds):
                for side in ("sportello", "fastapi"):
                    # The door alone: the yardstick answers nobody either.
                    server = self.sportello("60") if side == "sportello" else self.fastapi()
                    try:
                        seen.setdefault((side, connections), []).append(self.load(server, connections))
                    finally:
                        server.stop()
                        shutil.rmtree(server.database.parent, ignore_errors=True)
        return {key: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
                for key, runs in seen.items()}

    # --- one hot conversation among many -------------------------------------------------------------

    def hot(self) -> dict:
        server = self.sportello("60")
        try:
            empty = server.memory()
            say(f"opening {PHONES} conversations")
            started = time.perf_counter()
            self.fill(server)
            self.worked_in(server)
            say(f"stored and worked in within {time.perf_counter() - started:.1f} s")
            alone, beside, again = [], [], []
            # The same three times, so that a disturbance of the machine falls on both.
            for turn in range(3):
                alone += self.probe(server, f"a{turn}", hot=False)
                beside += self.probe(server, f"b{turn}", hot=True)
            result = {"alone": percentile(alone, 99), "beside": percentile(beside, 99), "empty": empty,
                      "full": server.memory()}
            say(f"p99 of the others {result['alone']:.2f} ms, beside a hot one {result['beside']:.2f} ms; "
                f"resident {result['full']:.0f} MiB")
            return result
        finally:
            server.stop()

    def fill(self, server: Server) -> None:
        each = PHONES // 16
        workers = [threading.Thread(target=lambda place=place: [
            post(client, body_of(f"fill{phone:06}", phone)) for client in [connect(server.port)]
            for phone in range(place * each, (place + 1) * each)]) for place in range(16)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def worked_in(self, server: Server) -> None:
        """Waits until every delivery has become a message of its conversation."""
        with sqlite3.connect(server.database, timeout=30) as database:
            while database.execute("SELECT COUNT(*) FROM arrivals").fetchone()[0]:
                time.sleep(0.05)

    def probe(self, server: Server, name: str, hot: bool) -> list[float]:
        """Latencies of one message every 10 ms, each in another conversation, in milliseconds."""
        # A process of its own: two threads of this one would wait for each other.
        heat = multiprocessing.Process(target=keep_hot, args=(server.port, name), daemon=True)
        if hot:
            heat.start()
        client, latencies = connect(server.port), []
        start = time.perf_counter()
        for number in range(500):
            time.sleep(max(0.0, start + number * 0.01 - time.perf_counter()))
            body = body_of(f"{name}{number:06}", number * 19 % PHONES)
            before = time.perf_counter()
            post(client, body)
            latencies.append((time.perf_counter() - before) * 1000)
        if hot:
            heat.terminate()
            heat.join()
        return latencies


def keep_hot(port: int, name: str) -> None:
    """One conversation that never stops writing."""
    client, number = connect(port), 0
    while True:
        post(client, body_of(f"{name}hot{number:06}", PHONES + 1))
        number += 1
        time.sleep(0.01)


def connect(port: int) -> http.client.HTTPConnection:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.connect()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def post(client: http.client.HTTPConnection, body: bytes) -> None:
    client.request("POST", "/webhooks/whatsapp", body, {"X-Hub-Signature-256": signature(body)})
    answer = client.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"a webhook was answered {answer.status}")


def percentile(values: list[float], part: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * part // 100)]


def fdatasync(folder: Path) -> float:
    """The median time of an fdatasync after 4 KiB on the disk of a folder, in milliseconds."""
    path, times = folder / "sync", []
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    for _ in range(300):
        os.write(file, os.urandom(4096))
        before = time.perf_counter()
        os.fdatasync(file)
        times.append((time.perf_counter() - before) * 1000)
    os.close(file)
    path.unlink()
    return statistics.median(times)


def output(command: list) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}")
    return done.stdout.strip()


def python(pins: tuple[str, ...]) -> str:
    """An environment with a yardstick, made once."""
    name = "bench-" + hashlib.sha256("\n".join(pins).encode()).hexdigest()[:12]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sportello" / name
    if not (base / "complete").exists():
        say(f"setting up {base} with {', '.join(pins)}")
        shutil.rmtree(base, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", base], check=True)
        subprocess.run([base / "bin" / "python", "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", *pins], check=True, stdout=sys.stderr)
        (base / "complete").touch()
    return str(base / "bin" / "python")


def report(sync: float, seen: dict, hot: dict) -> bool:
    """Prints the table; whether every floor holds."""
    floor = 4 if sync < 1 else 40
    rows, good = [], True
    for connections in CONNECTIONS:
        ours, theirs = seen["sportello", connections], seen["fastapi", connections]
        times = ours["rate"] / theirs["rate"]
        wanted = "-"
        if connections == 32:
            holds = times >= floor and ours["median"] < MEDIAN and ours["p99"] < P99
            wanted = f"at least {floor}x, median < {MEDIAN:.0f}, p99 < {P99:.0f}: {'yes' if holds else 'NO'}"
            good &= holds
        rows.append(f"| {connections} | {ours['rate']:.0f}/s | {ours['median']:.2f} / {ours['p99']:.2f} | "
                    f"{theirs['rate']:.0f}/s | {theirs['median']:.2f} / {theirs['p99']:.2f} | {times:.1f}x | "
                    f"{wanted} |")
    growth = hot["beside"] / hot["alone"]
    good &= growth <= GROWTH and hot["full"] < MEMORY
    rows.append(f"| 10,000 conversations, one hot | p99 of the others | {hot['beside']:.2f} | without it | "
                f"{hot['alone']:.2f} | {growth:.2f}x | at most {GROWTH}x: {'yes' if growth <= GROWTH else 'NO'} |")
    rows.append(f"| resident memory | after start | {hot['empty']:.0f} MiB | with 10,000 conversations | "
                f"{hot['full']:.0f} MiB | - | under {MEMORY}: {'yes' if hot['full'] < MEMORY else 'NO'} |")
    print(f"Median fdatasync of this disk: {sync:.2f} ms; {os.cpu_count()} cores, {len(CONNECTIONS)} loads, "
          f"sides interleaved; latencies in ms.\n")
    print("| connections | sportello | median / p99 | FastAPI | median / p99 | times | floor |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(rows))
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "sportello"))
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--requests", type=int, default=300_000)
    bench = Bench(parser.parse_args())
    before = fdatasync(bench.folder)
    seen, hot = bench.throughput(), bench.hot()
    sync = statistics.median([before, fdatasync(bench.folder)])
    return 0 if report(sync, seen, hot) else 1


if __name__ == "__main__":
    sys.exit(main())
