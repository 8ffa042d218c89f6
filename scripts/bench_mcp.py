#!/usr/bin/env python3
"""Tool calls over MCP: this program beside the official TypeScript and Python SDKs and fastmcp, interleaved.

Prints one Markdown table on standard output and everything else on standard error. Exit code 1 when a floor
is missed. All serve the demo shop's catalog; the yardsticks look a product up in a dictionary and search for
substrings, this program searches its index. Each yardstick runs one process for each core.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bench_webhook import ROOT, free_port, output, python, say

sys.path.insert(0, str(ROOT / "bench" / "mcp"))

PINS = {"mcp": ("mcp==2.3.0", "uvicorn[standard]==0.38.0"), "fastmcp": ("fastmcp==4.1.2", "uvicorn[standard]==0.38.0")}
SIDES = ("sportello", "typescript", "mcp", "fastmcp")
FLOORS = {"typescript": 6.0, "mcp": 10.0, "fastmcp": 10.0}
TOOLS = {
    "get_product": {"id": "macchina-aria"},
    "search_catalog": {"query": "espresso machine with milk frother", "limit": 5},
}
CATALOG = ROOT / "knowledge" / "catalog.csv"


class Server:
    """One side, on a port of its own."""

    def __init__(self, name: str, command: list, variables: dict, port: int, folder: Path):
        self.name, self.port = name, port
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("SPORTELLO_") or key == "SPORTELLO_MODELS"}
        log = open(folder / f"{name}.log", "wb")
        self.process = subprocess.Popen([str(part) for part in command], env=environment | variables, cwd=folder,
                                        stdout=log, stderr=log, start_new_session=True)
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                for tool in TOOLS:
                    self.call(tool)
                return
            except (OSError, ValueError):
                time.sleep(0.1)
        self.stop()
        raise SystemExit(f"{name} does not start: see {log.name}")

    def call(self, tool: str) -> None:
        """One call whose answer must be right."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/mcp", body(tool).encode(), {
            "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-11-25"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        if answer.headers["Content-Type"].startswith("text/event-stream"):
            text = next(line for line in text.splitlines() if line.startswith("data: {"))[6:]
        result = json.loads(text).get("result", {})
        if result.get("isError") or "macchina-aria" not in json.dumps(result):
            raise ValueError(f"{self.name} answered {text[:300]}")

    def memory(self) -> float:
        """The resident sets of its processes, in MiB."""
        group = os.getpgid(self.process.pid)
        total = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                if os.getpgid(int(status.parent.name)) != group:
                    continue
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            except (OSError, ValueError):
                continue
            total += int(fields.get("VmRSS", "0 kB").split()[0])
        return total / 1024

    def stop(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(15)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def body(tool: str) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": {"name": tool, "arguments": TOOLS[tool]}})


class Bench:
    def __init__(self, arguments: argparse.Namespace):
        self.seconds, self.rounds, self.connections = arguments.seconds, arguments.rounds, arguments.connections
        self.processes = arguments.processes
        self.binary = Path(arguments.binary).resolve()
        if not self.binary.exists():
            raise SystemExit(f"{self.binary} is not there; build it with `cargo build --release --locked`")
        self.folder = ROOT / "target" / "bench-mcp"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.wrk = output(["sh", str(ROOT / "scripts" / "setup_wrk.sh")])
        self.pythons = {side: python(pins) for side, pins in PINS.items()}
        node = Path(output([sys.executable, str(ROOT / "scripts" / "setup_node.py"), "bench"]))
        # Node looks for packages beside the script.
        shutil.copy(ROOT / "bench" / "mcp" / "typescript.mjs", self.folder)
        (self.folder / "node_modules").symlink_to(node / "node_modules")
        self.node = node / "bin" / "node"
        say("making a data folder with an index")
        self.warm = ROOT / "target" / "bench-warm"
        subprocess.run([self.binary, "--data", self.warm, "index"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        products = self.folder / "catalog.json"
        os.environ["BENCH_CATALOG"] = str(CATALOG)
        import catalog  # noqa: PLC0415, the yardsticks' own reader
        products.write_text(json.dumps(list(catalog.read().values())))
        self.products = products

    def start(self, side: str) -> Server:
        port = free_port()
        if side == "sportello":
            data = self.folder / "data"
            if not data.exists():
                shutil.copytree(self.warm, data)
            variables = {"SPORTELLO_LIMITS__TOOLS_PER_MINUTE": "1000000000", "RUST_LOG": "warn"}
            command = [self.binary, "--data", data, "serve", "--listen", f"127.0.0.1:{port}"]
            return Server(side, command, variables, port, self.folder)
        if side == "typescript":
            variables = {"BENCH_CATALOG": str(self.products), "BENCH_PORT": str(port),
                         "BENCH_PROCESSES": str(self.processes), "NODE_ENV": "production"}
            return Server(side, [self.node, self.folder / "typescript.mjs"], variables, port, self.folder)
        command = [self.pythons[side], "-m", "uvicorn", f"python_{side}:app", "--app-dir", ROOT / "bench" / "mcp",
                   "--port", port, "--workers", self.processes, "--no-access-log", "--log-level", "warning"]
        return Server(side, command, {"BENCH_CATALOG": str(CATALOG)}, port, self.folder)

    def load(self, server: Server, tool: str) -> dict:
        said = output([self.wrk, "-t", "1", "-c", str(self.connections), "-d", f"{self.seconds}s", "--timeout", "30s",
                       "-s", str(ROOT / "bench" / "mcp_calls.lua"), f"http://127.0.0.1:{server.port}/mcp", "--",
                       body(tool)])
        result = next((line for line in said.splitlines() if line.startswith("RESULT")), None)
        if result is None:
            raise SystemExit(f"wrk said nothing of use:\n{said}")
        requests, duration, errors, median, p99, _ = map(float, result.split()[1:])
        if errors and server.name == "sportello":
            raise SystemExit(f"sportello: {errors:.0f} errors in {requests:.0f} calls")
        seen = {"rate": (requests - errors) / (duration / 1e6), "median": median, "p99": p99, "errors": errors,
                "memory": server.memory()}
        say(f"{server.name:>10} {tool:>14}: {seen['rate']:8.0f}/s, median {median:.2f} ms, p99 {p99:.2f} ms, "
            f"{errors:.0f} errors, {seen['memory']:.0f} MiB")
        return seen

    def run(self) -> dict:
        seen = {}
        for _ in range(self.rounds):
            for side in SIDES:
                server = self.start(side)
                try:
                    for tool in TOOLS:
                        seen.setdefault((side, tool), []).append(self.load(server, tool))
                finally:
                    server.stop()
        return {key: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
                for key, runs in seen.items()}


def report(seen: dict, connections: int, processes: int) -> bool:
    """Prints the table; whether every floor holds."""
    print(f"{os.cpu_count()} cores, {connections} connections, yardsticks with {processes} processes each, sides "
          "interleaved; latencies in ms, resident memory of all processes of a side.\n")
    print("| tool | server | calls | median / p99 | memory | we are | floor |")
    print("|---|---|---|---|---|---|---|")
    good = True
    for tool in TOOLS:
        ours = seen["sportello", tool]
        for side in SIDES:
            theirs = seen[side, tool]
            times, wanted = ours["rate"] / theirs["rate"], "-"
            if side != "sportello" and tool == "get_product":
                holds = times >= FLOORS[side] and ours["p99"] < theirs["p99"]
                wanted = f"at least {FLOORS[side]:.0f}x, p99 lower: {'yes' if holds else 'NO'}"
                good &= holds
            compared = "-" if side == "sportello" else f"{times:.1f}x"
            print(f"| {tool} | {side} | {theirs['rate']:.0f}/s | {theirs['median']:.2f} / {theirs['p99']:.2f} | "
                  f"{theirs['memory']:.0f} MiB | {compared} | {wanted} |")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "sportello"))
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="of each yardstick")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    return 0 if report(bench.run(), arguments.connections, arguments.processes) else 1


if __name__ == "__main__":
    sys.exit(main())
