"""The same work by the usual Python packages and by this crate, on the same text, in one run, each on one core. Times are processor time of one thread,
so that other work on the machine counts little.

`speed.py [MB]` (default .2; pySBD is quadratic in places, so that more takes minutes). Prints megabytes per second and the ratio.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

import pysbd
import textstat
import trafilatura
import yake
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from labelled import CRATE, documents

size = int(float(sys.argv[1] if len(sys.argv) > 1 else 0.2) * 1e6)
texts = [text for _, text in documents()]
text, number = "", 0
while len(text) < size:
    # Vocabulary and numbers keep growing, as they do in real text.
    text += texts[number % len(texts)].replace("Marlow", f"Marl{number}ow").replace("4", str(number % 10)) + "\n\n"
    number += 1
text = text[:size]
paragraphs = [paragraph for paragraph in text.split("\n\n") if paragraph.strip()]
page = "<html><head><title>Sample</title></head><body><article>" + "".join(f"<p>{p}</p>\n" for p in paragraphs) + "</article></body></html>"


def timed(work):
    start = time.thread_time()
    result = work()
    return time.thread_time() - start, result


def formulas():
    return [
        formula(text)
        for formula in (
            textstat.flesch_reading_ease,
            textstat.flesch_kincaid_grade,
            textstat.gunning_fog,
            textstat.smog_index,
            textstat.automated_readability_index,
            textstat.coleman_liau_index,
        )
    ]


segmenter = pysbd.Segmenter(language="en", clean=False)
theirs = {}
theirs["sentences"], cut = timed(lambda: [s for p in paragraphs for s in segmenter.segment(p)])
analyzer = SentimentIntensityAnalyzer()
theirs["Sentiment"], _ = timed(lambda: [analyzer.polarity_scores(s) for s in cut])
theirs["KeyPhrases"], _ = timed(lambda: yake.KeywordExtractor(lan="en", n=3, top=20).extract_keywords(text))
theirs["Readability"], _ = timed(formulas)
theirs["extract from HTML"], _ = timed(lambda: trafilatura.extract(page))

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "sample.txt"
    path.write_text(text, encoding="utf-8")
    command = ["cargo", "run", "--quiet", "--release", "-p", "consort-content", "--example", "analysis_speed", "--", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CRATE).stdout
print(shown)
ours = {name.strip(): float(ns) * len(text.encode()) / 1e9 for name, ns in re.findall(r"^(.+?) +([\d.]+) ns/B", shown, re.M)}
packages = {"sentences": "pysbd", "Sentiment": "vaderSentiment", "KeyPhrases": "yake", "Readability": "textstat", "extract from HTML": "trafilatura"}
print(f"{len(text)} characters, {len(cut)} sentences by pysbd")
for name, took in theirs.items():
    # The index is what key phrases and readability are computed from: it counts for each of them here.
    mine = ours[name] + (ours["token index"] if name in ("KeyPhrases", "Readability") else 0)
    print(f"{name:<18} {packages[name]:<15} {size / took / 1e6:8.3f} MB/s, ours {size / mine / 1e6:8.1f} MB/s, {took / mine:7.0f} times")
# Ours: bytes to the report, every part of it; theirs: only these five.
total = sum(took for name, took in theirs.items() if name != "extract from HTML")
print(f"these four         together        {size / total / 1e6:8.3f} MB/s, our whole report {size / ours['bytes to Markdown'] / 1e6:5.1f} MB/s, {total / ours['bytes to Markdown']:.0f} times")
