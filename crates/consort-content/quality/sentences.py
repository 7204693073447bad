"""F1 of pySBD on the hard English boundaries that our splitter is judged by: what an outside splitter makes of the same labels."""

import pysbd

from labelled import CRATE

MARK = "\u2016"


def held_out(name):
    """As in tests/extraction/corpus.rs: folded FNV-1a of the case's name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return (value ^ (value >> 32)) & 1 == 1


def starts(pieces):
    """Positions, white space not counted, at which a sentence begins."""
    at, found = 0, set()
    for piece in pieces:
        found.add(at)
        at += len("".join(piece.split()))
    return found - {0}


segmenter = pysbd.Segmenter(language="en", clean=False)
counts = {False: [0, 0, 0], True: [0, 0, 0]}
lines = [l for l in (CRATE / "tests/corpus/sentences/english.txt").read_text(encoding="utf-8").splitlines() if l and not l.startswith("#")]
for name, case in zip(lines[::2], lines[1::2]):
    case = case.replace("\\n", "\n")
    wanted = starts(case.split(MARK))
    found = starts(segmenter.segment(case.replace(MARK, "")))
    for at, value in enumerate((len(found), len(wanted), len(found & wanted))):
        counts[held_out(name.removeprefix("== "))][at] += value
for held, (found, wanted, both) in counts.items():
    print(f"{'held out' if held else 'tuned'}: F1 {2 * both / (found + wanted):.4f} ({found} found, {wanted} wanted, {both} both)")
