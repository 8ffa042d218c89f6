#!/usr/bin/env python3
"""Makes the Python environment that the tests' independent clients run in.

Prints the path of its interpreter on standard output and everything else on standard error. The
environment lives outside the tree, in a folder named after the pinned versions, and is made once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

PINS = (
    "mcp==2.3.0",
    "fastmcp==4.1.2",
    "playwright==1.65.2",
    "ir-measures==0.4.3",
    "pytrec-eval-terrier==0.5.11",
)


def main() -> int:
    pins = "\n".join((*PINS, f"python{sys.version_info.major}.{sys.version_info.minor}"))
    name = "python-" + hashlib.sha256(pins.encode()).hexdigest()[:12]
    folder = cache_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = folder / "bin" / "python"
    complete = folder / "complete"
    # Several tests may ask at the same time; only one makes it.
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (complete.exists() and python.exists()):
            shutil.rmtree(folder, ignore_errors=True)
            make(folder, python)
            complete.touch()
    print(python)
    return 0


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sportello"


def make(folder: Path, python: Path) -> None:
    print(f"setting up {folder} with {', '.join(PINS)}", file=sys.stderr)
    run([sys.executable, "-m", "venv", str(folder)])
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINS])


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(
            f"failed: {' '.join(error.cmd)}\n"
            "Python 3.10 or newer with its venv module (Debian: python3-venv) and a reachable "
            "package index are needed.",
            file=sys.stderr,
        )
        sys.exit(3)
