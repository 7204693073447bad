"""Compares our sentence sentiment with PyPI vaderSentiment on the labelled sentences and 6,000 random ones. Goal: all equal."""

import pathlib
import random

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from labelled import CRATE, ours

analyzer = SentimentIntensityAnalyzer()
labelled = []
for path in sorted((CRATE / "labelled").glob("*/*.txt")):
    labelled += [line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line[:1] in "+-"]
chance = random.Random(20261122)
lexicon = sorted(analyzer.lexicon)
plain = "the of a very not never but kind least at sort extremely barely however isn't without doubt is was so this and DEFINITELY NO yeah right".split()
marks = ["", "", "", "!", "!!!", "?", "??", ".", ",", "...", " :)", " 😀", "…", "”"]


def word():
    chosen = chance.choice(lexicon if chance.random() < 0.4 else plain)
    return chance.choice([chosen, chosen, chosen, chosen.upper(), chosen.capitalize()]) + chance.choice(marks)


made = [" ".join(word() for _ in range(chance.randint(1, 25))) for _ in range(6000)]
sentences = [text for text in labelled + made if text.strip()]
different = 0
for text, compound in zip(sentences, ours("vader", sentences)):
    expected = analyzer.polarity_scores(text)["compound"]
    if round(compound, 4) != expected:
        different += 1
        print(f"{compound} for {expected}: {text!r}")
print(f"{len(sentences) - different} of {len(sentences)} equal")
