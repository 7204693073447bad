"""Mean |A and B| / 20 of our key phrases and those of PyPI yake, over the labelled documents. Goal: .9."""

import yake

from labelled import documents, is_tuned_on, ours

names, texts = zip(*documents())
halves = {True: [], False: []}
for name, text, phrases in zip(names, texts, ours("phrases", texts)):
    theirs = {phrase.lower() for phrase, _ in yake.KeywordExtractor(lan="en", n=3, top=20).extract_keywords(text)}
    overlap = len(theirs & set(phrases)) / 20
    halves[is_tuned_on(name)].append(overlap)
    print(f"{name}: {overlap:.2f}", "" if not is_tuned_on(name) else f" only theirs {sorted(theirs - set(phrases))}, only ours {sorted(set(phrases) - theirs)}")
every = halves[True] + halves[False]
print(f"{len(every)} documents: mean {sum(every) / len(every):.3f}")
for tuned, values in halves.items():
    print(f"{'tuned' if tuned else 'held out'}: {sum(values) / len(values):.3f} over {len(values)}")
