#!/usr/bin/env python3
"""Evaluation runs: `sportello eval run` beside promptfoo, interleaved, on the same cases and the same endpoint.

Prints two Markdown tables on standard output and everything else on standard error. Exit code 1 when a floor is
missed. Both sides ask a stand-in for a model, which answers at once but for a fixed latency, and check the same
words in its answers; ours is the whole agent, promptfoo sends the bare question. A few cases are made to fail, and
both sides must find just these. The second table is the committed suites with the offline model.
"""

import argparse
import asyncio
import http.client
import json
import multiprocessing
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench_webhook import ROOT, free_port, output, say

# Promptfoo wants a newer Node 22 than PyPI has, and its database comes as a package for each processor. The packages of
# that day are taken; the optional ones are other vendors' agents (1.5 GB), which are not used here.
PROCESSOR = {"aarch64": "arm64"}.get(platform.machine(), "x64")
PROMPTFOO = "0.123.1"
PINS = (f"promptfoo@{PROMPTFOO}", f"node-linux-{PROCESSOR}@22.23.3", f"@libsql/linux-{PROCESSOR}-gnu@0.5.29")
NPM = ("npm_config_before=2026-10-01", "npm_config_omit=optional")
SIDES = ("sportello", "promptfoo")
TIMES = 10.0
SUITES_SECONDS, SUITES_MEMORY = 20.0, 400.0  # seconds, MiB
LIMIT = 1800  # seconds for one run

CITIES = ("Turin", "Milan", "Genoa", "Bologna", "Naples", "Palermo", "Lyon", "Nantes", "Munich", "Hamburg", "Vienna",
          "Graz", "Lisbon", "Porto", "Seville", "Valencia", "Dublin", "Brussels", "Prague", "Copenhagen")
QUESTIONS = ("Do you ship to {}?", "How long does delivery to {} take?", "What does shipping to {} cost?",
             "How many days does a parcel to {} need?", "Can you deliver to {} next week?",
             "Is delivery to {} possible?", "When would a parcel arrive in {}?", "Do you send parcels to {}?",
             "What are your delivery times for {}?", "How do you ship to {}?")
WRONG = 20  # one case in so many expects what is not said


# --- cases ---------------------------------------------------------------------------------------------


def days(city: str) -> int:
    return 2 + CITIES.index(city) % 5


def cases(count: int) -> list[dict]:
    made = []
    for number in range(count):
        city = CITIES[number % len(CITIES)]
        question = QUESTIONS[number // len(CITIES) % len(QUESTIONS)].format(city)
        wanted = days(city) + (number % WRONG == WRONG - 1)
        made.append({"id": f"case-{number:04}", "say": question, "contains": [city, f"{wanted} working days"],
                     "not_contains": ["sorry"]})
    return made


def our_line(case: dict) -> str:
    expect = {"outcome": "answered", "contains": case["contains"], "not_contains": case["not_contains"]}
    return json.dumps({"kind": "conversation", "id": case["id"], "language": "en",
                       "turns": [{"say": case["say"], "expect": expect}]})


def their_config(made: list[dict], port: int, latest: int) -> dict:
    provider = {"id": "openai:chat:stand-in", "config": {
        "apiBaseUrl": f"http://127.0.0.1:{port}/v1", "apiKey": "none", "temperature": 0.2, "max_tokens": latest}}
    tests = [{"vars": {"id": case["id"], "say": case["say"]}, "assert": [
        *({"type": "icontains", "value": word} for word in case["contains"]),
        *({"type": "not-icontains", "value": word} for word in case["not_contains"])]} for case in made]
    return {"prompts": ["{{say}}"], "providers": [provider], "tests": tests}


# --- the stand-in for a model --------------------------------------------------------------------------


def stand_in(port: int, latency: float, seen) -> None:
    """Answers chat completions by the city in the last message; counts requests, and the most at once."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
                body = await reader.readexactly(length)
                seen[0] += 1
                seen[1] += 1
                seen[2] = max(seen[2], seen[1])
                answer = completion(body)
                await asyncio.sleep(latency)
                seen[1] -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                             + str(len(answer)).encode() + b"\r\n\r\n" + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 20)
        await server.serve_forever()

    asyncio.run(listen())


def completion(body: bytes) -> bytes:
    messages = json.loads(body)["messages"]
    said = next(message["content"] for message in reversed(messages) if message["role"] == "user")
    said = said if isinstance(said, str) else json.dumps(said)
    city = next((city for city in CITIES if city in said), None)
    text = f"A parcel to {city} arrives within {days(city)} working days." if city else "Sorry, no city is named."
    return json.dumps({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_750_000_000, "model": "stand-in",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 12, "total_tokens": 112}}).encode()


def ask_plainly(port: int, questions: list[str]) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for question in questions:
        client.request("POST", "/v1/chat/completions", json.dumps({
            "model": "stand-in", "messages": [{"role": "user", "content": question}]}))
        client.getresponse().read()


# --- one run -------------------------------------------------------------------------------------------


def resident(process: int) -> int:
    """The resident sets of a process and its children, in KiB."""
    total, waiting = 0, [process]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        try:
            pages = int((folder / "statm").read_text().split()[1])
            for task in (folder / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, IndexError):
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE") // 1024
    return total


def measured(command: list, variables: dict, folder: Path, log: Path) -> dict:
    """A whole process, from its start to its end: seconds, seconds of all cores, MiB at its peak, exit code."""
    kept = ("SPORTELLO_MODELS", "XDG_CACHE_HOME", "HOME", "LANG", "PATH", "TMPDIR")
    environment = {key: os.environ[key] for key in kept if key in os.environ}
    peak, over = [0], threading.Event()

    def watch(process: int) -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], resident(process))

    with open(log, "wb") as said:
        started = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], env=environment | variables, cwd=folder,
                                   stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        watcher = threading.Thread(target=watch, args=(process.pid,), daemon=True)
        late = threading.Timer(LIMIT, process.kill)
        late.daemon = True
        watcher.start()
        late.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    late.cancel()
    over.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    # Between two looks a process alone may have had more.
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime,
            "memory": max(peak[0], usage.ru_maxrss) / 1024, "code": process.returncode}


def failed(what: str, run: dict, log: Path) -> SystemExit:
    end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    return SystemExit(f"{what} ended with {run['code']}, see {log}:\n{end}")


class Bench:
    def __init__(self, arguments: argparse.Namespace):
        self.rounds, self.concurrency, self.latency = arguments.rounds, arguments.concurrency, arguments.latency
        self.binary = Path(arguments.binary).resolve()
        if not self.binary.exists():
            raise SystemExit(f"{self.binary} is not there; build it with `cargo build --release --locked`")
        self.folder = ROOT / "target" / "bench-eval"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        # Kept between runs: embedding takes a minute, and nothing is done when nothing changed.
        self.warm = ROOT / "target" / "bench-warm"
        self.cases = cases(arguments.cases)
        self.right = {case["id"] for number, case in enumerate(self.cases) if number % WRONG != WRONG - 1}

    # --- beside promptfoo ----------------------------------------------------------------------------

    def beside(self) -> tuple[dict, float]:
        """Medians of both sides, and the seconds that the stand-in alone takes."""
        self.packages = Path(output(["env", *NPM, sys.executable, str(ROOT / "scripts" / "setup_node.py"), *PINS]))
        self.port = free_port()
        self.seen = multiprocessing.Array("q", 3, lock=False)
        model = multiprocessing.Process(target=stand_in, args=(self.port, self.latency / 1000, self.seen), daemon=True)
        model.start()
        try:
            (self.folder / "cases.jsonl").write_text("".join(our_line(case) + "\n" for case in self.cases))
            # The same parameters as ours.
            (self.folder / "promptfoo.json").write_text(json.dumps(their_config(self.cases, self.port, 700)))
            alone = self.alone()
            say("one run of each that is not timed")
            for side in SIDES:
                self.run(side)
            runs = {side: [] for side in SIDES}
            for _ in range(self.rounds):
                for side in SIDES:
                    runs[side].append(self.run(side))
        finally:
            model.terminate()
            model.join()
        return {side: medians(of_side) for side, of_side in runs.items()}, alone

    def alone(self) -> float:
        for _ in range(100):
            try:
                ask_plainly(self.port, [self.cases[0]["say"]])
                break
            except OSError:
                time.sleep(0.05)
        shares = [[case["say"] for case in self.cases[place::self.concurrency]] for place in range(self.concurrency)]
        workers = [threading.Thread(target=ask_plainly, args=(self.port, share)) for share in shares]
        started = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - started

    def run(self, side: str) -> dict:
        results, log = self.folder / f"{side}-results.json", self.folder / f"{side}.log"
        results.unlink(missing_ok=True)
        command, variables = self.ours(results) if side == "sportello" else self.theirs(results)
        self.seen[0] = self.seen[2] = 0
        run = measured(command, variables, self.folder, log)
        if run["code"] or not results.exists():
            raise failed(side, run, log)
        passed = (our_passes if side == "sportello" else their_passes)(json.loads(results.read_text()))
        if passed != self.right:
            raise SystemExit(f"{side} passes {len(passed)} cases, {len(self.right)} are right; see {results}: "
                             f"{', '.join(sorted(passed ^ self.right)[:5])}")
        if self.seen[0] != len(self.cases):
            raise SystemExit(f"{side} asked the model {self.seen[0]} times for {len(self.cases)} cases")
        run |= {"passed": len(passed), "at once": self.seen[2]}
        say(f"{side:>9}: {run['seconds']:.2f} s, of the cores {run['cpu']:.2f} s, {run['memory']:.0f} MiB, "
            f"{run['passed']} passed, at most {run['at once']} requests at once")
        return run

    def ours(self, results: Path) -> tuple[list, dict]:
        # The conversations are answered by the workers, so there must be as many.
        variables = {"SPORTELLO_LLM__BASE_URL": f"http://127.0.0.1:{self.port}/v1", "SPORTELLO_LLM__API_KEY": "none",
                     "SPORTELLO_LLM__MODEL": "stand-in", "SPORTELLO_AGENT__WORKERS": str(self.concurrency)}
        return [self.binary, "--data", self.warm, "eval", "run", self.folder / "cases.jsonl", "--jobs",
                self.concurrency, "--json", results], variables

    def theirs(self, results: Path) -> tuple[list, dict]:
        modules = self.packages / "node_modules"
        switched_off = ("TELEMETRY", "UPDATE", "REMOTE_GENERATION", "SHARING")
        variables = {f"PROMPTFOO_DISABLE_{what}": "1" for what in switched_off} | {
            "PROMPTFOO_CONFIG_DIR": str(self.folder / "promptfoo"), "PROMPTFOO_FAILED_TEST_EXIT_CODE": "0",
            "NODE_ENV": "production"}
        # Without its own database and table, which cost it time and have no counterpart here.
        return [modules / f"node-linux-{PROCESSOR}" / "bin" / "node", modules / "promptfoo" / "dist" / "src" /
                "entrypoint.js", "eval", "--config", self.folder / "promptfoo.json", "--max-concurrency",
                self.concurrency, "--no-cache", "--no-write", "--no-table", "--no-progress-bar", "--no-share",
                "--output", results], variables

    # --- the committed suites ------------------------------------------------------------------------

    def committed(self) -> dict:
        suites = sorted((ROOT / "eval").glob("*.yaml"))
        results, log = self.folder / "suites-results.json", self.folder / "suites.log"
        command = [self.binary, "--data", self.warm, "eval", "run", *suites, "--model", "offline", "--json", results]
        say("the committed suites, once not timed")
        runs = []
        for number in range(self.rounds + 1):
            run = measured(command, {}, self.folder, log)
            if run["code"] == 2:
                say(log.read_text(errors="replace")[:600])
                raise SystemExit(f"{self.binary} refuses these suites: either it is older than they are and must be "
                                 "built anew, or they are wrong")
            # 1 is a threshold that was missed; the run is complete all the same.
            if run["code"] not in (0, 1):
                raise failed("the run of the suites", run, log)
            judged = json.loads(results.read_text())["cases"]
            run |= {"cases": len(judged), "passed": sum(case["passed"] for case in judged)}
            say(f"   suites: {run['seconds']:.2f} s, of the cores {run['cpu']:.2f} s, {run['memory']:.0f} MiB, "
                f"{run['passed']} of {run['cases']} passed{', below a threshold' if run['code'] else ''}")
            runs += [run] if number else []
        return medians(runs) | {"suites": len(suites)}


def our_passes(results: dict) -> set:
    return {case["case"] for case in results["cases"] if case["passed"]}


def their_passes(results: dict) -> set:
    results = results["results"]
    if results["stats"]["errors"]:
        raise SystemExit(f"promptfoo: {results['stats']['errors']} errors")
    return {result["vars"]["id"] for result in results["results"] if result["success"]}


def medians(runs: list[dict]) -> dict:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def report_beside(seen: dict, alone: float, bench: Bench) -> bool:
    """Prints the table; whether the floor holds."""
    ours, theirs = seen["sportello"], seen["promptfoo"]
    times = theirs["seconds"] / ours["seconds"]
    holds = times >= TIMES
    print(f"{os.cpu_count()} cores, {len(bench.cases)} cases, {bench.concurrency} at once, the model answers after "
          f"{bench.latency:g} ms (asked by nobody but a bare client: {alone:.2f} s for all), sides interleaved, "
          f"medians of {bench.rounds} whole runs.\n")
    print("| run | wall time | time of the cores | memory at its peak | passed | we are | floor |")
    print("|---|---|---|---|---|---|---|")
    wanted = f"{times:.1f}x | at least {TIMES:.0f}x: {'yes' if holds else 'NO'}"
    for name, side, compared in (("sportello", ours, "- | -"), (f"promptfoo {PROMPTFOO}", theirs, wanted)):
        print(f"| {name} | {side['seconds']:.2f} s | {side['cpu']:.2f} s | {side['memory']:.0f} MiB | "
              f"{side['passed']:.0f} | {compared} |")
    print(flush=True)
    return holds


def report_committed(seen: dict) -> bool:
    """Prints the table; whether both floors hold."""
    fast, small = seen["seconds"] < SUITES_SECONDS, seen["memory"] < SUITES_MEMORY
    print("| the committed suites, offline model | | floor |")
    print("|---|---|---|")
    print(f"| cases passed | {seen['passed']:.0f} of {seen['cases']:.0f} in {seen['suites']} suites | - |")
    print(f"| wall time | {seen['seconds']:.2f} s | under {SUITES_SECONDS:.0f} s: {'yes' if fast else 'NO'} |")
    print(f"| time of the cores | {seen['cpu']:.2f} s | - |")
    print(f"| memory at its peak | {seen['memory']:.0f} MiB | under {SUITES_MEMORY:.0f} MiB: "
          f"{'yes' if small else 'NO'} |", flush=True)
    return fast and small


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "sportello"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--latency", type=float, default=20, help="of the stand-in for a model, in milliseconds")
    parser.add_argument("--only", choices=("promptfoo", "suites"), help="one of the two tables")
    arguments = parser.parse_args()
    bench, good = Bench(arguments), True
    if arguments.only != "suites":
        good &= report_beside(*bench.beside(), bench)
    if arguments.only != "promptfoo":
        good &= report_committed(bench.committed())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
