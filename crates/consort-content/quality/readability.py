"""Our readability scores next to PyPI textstat's on the labelled documents: median absolute difference per formula."""

import statistics

import textstat

from labelled import documents, ours

FORMULAS = {
    "flesch_reading_ease": textstat.flesch_reading_ease,
    "flesch_kincaid_grade": textstat.flesch_kincaid_grade,
    "gunning_fog": textstat.gunning_fog,
    "smog": textstat.smog_index,
    "automated_readability": textstat.automated_readability_index,
    "coleman_liau": textstat.coleman_liau_index,
}
texts = [text for _, text in documents()]
answers = ours("readability", texts)
for name, formula in FORMULAS.items():
    differences = [abs(answer[name] - formula(text)) for text, answer in zip(texts, answers)]
    print(f"{name}: median {statistics.median(differences):.2f}, largest {max(differences):.2f}")
