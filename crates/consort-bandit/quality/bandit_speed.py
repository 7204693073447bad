"""Decisions and updates of LinUCB and SquareCB with 32 features and 16 arms: ours, Vowpal Wabbit's C++ driver, MABWiser's and
River's, one after the other in one run, one thread each, on the same machine.

`bandit_speed.py [ROWS]` (default 50000, for the driver). Of libraries the best of several short batches is quoted, because a busy machine
disturbs long ones; of the driver its processor time. It is given a cache file, so it parses no text, and its start is taken off.
"""

import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from river import bandit

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
DIM, ARMS = 32, 16
random = np.random.default_rng(1)
contexts = 0.2 * random.standard_normal((1_024, DIM))
chosen = random.integers(0, ARMS, 4_000)
rewards = random.random(4_000)


def best(call, calls=10, batches=30):
    """Microseconds a call, in the best batch."""
    took = []
    for batch in range(batches):
        began = time.perf_counter()
        for n in range(calls):
            call(batch * calls + n)
        took.append((time.perf_counter() - began) / calls)
    return min(took) * 1e6


def mabwiser():
    model = MAB(list(range(ARMS)), LearningPolicy.LinUCB(alpha=0.3))
    model.fit(chosen, rewards, contexts[np.arange(4_000) % 1_024])
    context = [contexts[n : n + 1] for n in range(1_024)]
    decide = best(lambda n: model.predict(context[n % 1_024]))
    update = best(lambda n: model.partial_fit([n % ARMS], [0.5], context[n % 1_024]))
    return decide, update


def river():
    model = bandit.LinUCBDisjoint(alpha=0.3, seed=1)
    context = [{f"f{i}": float(v) for i, v in enumerate(row)} for row in contexts]
    arms = list(range(ARMS))
    for n in range(400):
        model.pull(arms, context=context[n % 1_024])
        model.update(int(chosen[n]), context[n % 1_024], float(rewards[n]))
    decide = best(lambda n: model.pull(arms, context=context[n % 1_024]))
    update = best(lambda n: model.update(n % ARMS, context[n % 1_024], 0.5))
    return decide, update


def log(rows):
    """A log of decisions as the driver reads it: costs are 1 - reward, one line for each arm."""
    lines = []
    for n in range(rows):
        features = " ".join(f"f{i}:{v:.4f}" for i, v in enumerate(contexts[n % 1_024]))
        lines.append(f"shared |s {features}")
        for arm in range(ARMS):
            label = f"0:{1 - rewards[n % 4_000]:.3f}:0.0625 " if arm == chosen[n % 4_000] else ""
            lines.append(f"{label}|a arm{arm}")
        lines.append("")
    return "\n".join(lines) + "\n"


def driver(folder, options):
    """Microseconds of the C++ driver for a decision over 16 arms and the update after it."""

    def took(rows):
        text, cache = folder / f"{rows}.txt", folder / f"{rows}.cache"
        command = [sys.executable, "-m", "vowpalwabbit", "--cb_explore_adf", *options, "-q", "sa", "--quiet", "--cache_file", str(cache), "-d", str(text)]
        if not cache.exists():
            text.write_text(log(rows))
            subprocess.run(command, check=True)
        return min(cpu(command) for _ in range(3))

    return (took(ROWS) - took(1)) / (ROWS - 1) * 1e6


def cpu(command):
    """Seconds of processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours():
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "consort-bandit", "--bench", "decide"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=pathlib.Path(__file__).parent).stdout
    print(shown)
    return {name.strip(): float(ns) / 1e3 for name, ns in re.findall(r"^(.+?) +[\d.]+ ns median +([\d.]+) ns best", shown, re.M)}


mine = ours()
linucb, squarecb = mine["LinUCB, copy in single precision: decision"], mine["SquareCB: decision"]
update, hot_update = mine["double precision: updates, one arm"], mine["with a copy: updates, arms in turn"]
print(f"{DIM} features, {ARMS} arms; microseconds, best batches; times = theirs / ours")
for name, measured in (("MABWiser LinUCB", mabwiser), ("River LinUCBDisjoint", river)):
    decide, learn = measured()
    print(f"{name:<24} decision {decide:8.2f}, {decide / linucb:7.0f} times; update {learn:8.2f}, {learn / update:7.0f} times")
with tempfile.TemporaryDirectory() as folder:
    for name, options, decide in (
        ("VW driver epsilon .05", ["--epsilon", "0.05"], squarecb),
        ("VW driver squarecb", ["--squarecb"], squarecb),
        ("VW driver regcbopt", ["--regcbopt"], linucb),
    ):
        both, own = driver(pathlib.Path(folder), options), decide + hot_update
        print(f"{name:<24} decision and update {both:8.2f}, ours {own:6.3f}, {both / own:7.0f} times")
