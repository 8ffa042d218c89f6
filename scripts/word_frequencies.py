#!/usr/bin/env python3
"""Write how often words are used in six languages, for `sportello fit language`.

    python3 scripts/word_frequencies.py [--wheel FILE] INTO.jsonl

The numbers are those of wordfreq 3.1.1 by Robyn Speer (data under CC BY-SA 4.0,
from Wikipedia, subtitles, news, books, web text and more). pip downloads the
PyPI wheel (57 MB) and its SHA-256 is checked; nothing of it is executed. The
100,000 most frequent words of each language are written, one a line:
`{"word", "language", "frequency"}`.

Needs Python 3.8 or later with pip; no other package.
"""

import argparse
import gzip
import hashlib
import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "wordfreq==3.1.1"
WHEEL_SHA256 = "4b1c6ecffc6198be3396d5cf871c4423ca71c907c231348d352dd54d62b97473"
LANGUAGES = ("en", "it", "es", "pt", "de", "fr")
MOST_WORDS = 100_000


def main():
    parser = argparse.ArgumentParser(description="Write word frequencies.")
    parser.add_argument("--wheel", type=pathlib.Path, help="use this wheel, do not download")
    parser.add_argument("into", type=pathlib.Path)
    arguments = parser.parse_args()
    wheel = arguments.wheel.read_bytes() if arguments.wheel else download()
    if hashlib.sha256(wheel).hexdigest() != WHEEL_SHA256:
        print("word frequencies: the wheel is another one than the pinned one", file=sys.stderr)
        return 1
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive, arguments.into.open("w", encoding="utf-8") as out:
        for language in LANGUAGES:
            packed = gzip.decompress(archive.read(f"wordfreq/data/large_{language}.msgpack.gz"))
            for word, frequency in words(packed):
                line = {"word": word, "language": language, "frequency": frequency}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return 0


def download():
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(command, check=True)
        return next(pathlib.Path(folder).glob("*.whl")).read_bytes()


def words(packed):
    """The most frequent words with their frequencies. List n holds the words of -n/100 bels."""
    head, *levels = MessagePack(packed).value()
    if head != {"format": "cB", "version": 1}:
        raise ValueError("the word lists are of another format")
    found = ((word, round(10 ** (-level / 100), 12)) for level, words in enumerate(levels) for word in words)
    return [pair for pair, _ in zip(found, range(MOST_WORDS))]


class MessagePack:
    """Reads what wordfreq's lists are made of: maps, lists, strings and small numbers."""

    def __init__(self, data):
        self.data = data
        self.place = 0

    def value(self):
        kind = self.number("B")
        if kind < 0x80:
            return kind
        if kind < 0x90:
            return {self.value(): self.value() for _ in range(kind & 0x0F)}
        if kind < 0xA0:
            return [self.value() for _ in range(kind & 0x0F)]
        if kind < 0xC0:
            return self.text(kind & 0x1F)
        sizes = {0xD9: "B", 0xDA: ">H", 0xDB: ">I", 0xDC: ">H", 0xDD: ">I"}
        if kind not in sizes:
            raise ValueError(f"unexpected byte {kind:#x} in a word list")
        count = self.number(sizes[kind])
        return self.text(count) if kind < 0xDC else [self.value() for _ in range(count)]

    def number(self, layout):
        (number,) = struct.unpack_from(layout, self.data, self.place)
        self.place += struct.calcsize(layout)
        return number

    def text(self, length):
        self.place += length
        return self.data[self.place - length : self.place].decode("utf-8")


if __name__ == "__main__":
    sys.exit(main())
