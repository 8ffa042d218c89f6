"""The flat file that the program maps, and what both models put into it.

Little endian (reader: src/understand/encoder/file.rs):

    0    8 bytes   magic, one per model
    8    u32       layout version
    12   u32       number of tensors
    64   per tensor 64 bytes: name (32, zero padded), type u32 (1 = u8, 2 = u32,
         3 = f32), rows u32, columns u32, zero u32, offset u64, length u64
    ...  the tensors, each at a multiple of 64 bytes

A vocabulary is a byte trie in breadth-first order: the children of node n are
the nodes trie.children[n] .. trie.children[n + 1], in ascending order of
trie.labels; trie.pieces[n] is the piece that ends at n plus one, or zero.
"""

import array
import struct
import sys

LAYOUT_VERSION = 1
ALIGNMENT = 64
U8, U32, F32 = 1, 2, 3


class SetupError(Exception):
    """A failure that the person at the terminal can act on."""


def lay_out(magic, tensors):
    """The flat file of a list of (name, type, rows, columns, bytes)."""
    header = bytearray(struct.pack("<8sII", magic, LAYOUT_VERSION, len(tensors)))
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


def trie_tensors(pieces):
    """The vocabulary's trie."""
    children, labels, ends = piece_trie(pieces)
    return [
        ("trie.children", U32, 1, len(children), pack_u32(children)),
        ("trie.labels", U8, 1, len(labels), bytes(labels)),
        ("trie.pieces", U32, 1, len(ends), pack_u32(ends)),
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
