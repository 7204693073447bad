"""The labelled documents, and answers of the Rust side, for the scripts beside this file."""

import json
import pathlib
import subprocess

CRATE = pathlib.Path(__file__).resolve().parent.parent


def documents():
    """Name and text of every labelled document."""
    for path in sorted((CRATE / "labelled" / "documents").glob("*.txt")):
        body = path.read_text(encoding="utf-8").split("\n\n", 1)[1]
        paragraphs = [" ".join(line[1:].strip() for line in block.splitlines()) for block in body.split("\n\n")]
        yield path.stem, "\n\n".join(paragraphs)


def is_tuned_on(name):
    """True for the half that may be looked at while tuning: even FNV-1a (64 bit)."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value % 2 == 0


def ours(mode, texts):
    """What the example `quality` answers for each text."""
    command = ["cargo", "run", "--quiet", "--release", "-p", "consort-content", "--example", "quality", "--", mode]
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, cwd=CRATE)
    return [json.loads(line) for line in done.stdout.splitlines()]
