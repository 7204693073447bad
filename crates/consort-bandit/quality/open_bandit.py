"""Logs, and what the Open Bandit Pipeline 0.5.7 makes of them, for the example `agreement`.

    python3.10 -m venv obp
    obp/bin/pip install --no-deps obp==0.5.7
    obp/bin/pip install numpy==1.26.4 pandas==1.5.3 scikit-learn==1.1.3 scipy==1.10.1 pyyaml==6.0.2 tqdm==4.66.4
    obp/bin/python crates/consort-bandit/quality/open_bandit.py OUT

Six logs of the Open Bandit Dataset's sample as it comes with the pipeline: three campaigns, each logged by the uniform
and by the Thompson policy, each judging the other one. Fifty logs of digits turned into a bandit by the pipeline's own
reduction, whose truth is known. Each log is a file of little-endian doubles, row by row: arm, reward, propensity, then
for every arm its probability under the judged policy, its predicted reward, and its probability when the row was
logged (zeros where that is not on record). `.x.f64` files hold contexts; `expected.json` tells shapes and estimates.

`generated.json` are the estimates of a small log of the shop's kind that the tests generate for themselves, by the
counter-based random numbers of `src/rng.rs`.
"""
import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

# The pipeline imports them for plots and neural policies, none of which are used here.
for name in ["torch", "torch.nn", "torch.nn.functional", "torch.optim", "matplotlib", "matplotlib.pyplot", "seaborn"]:
    sys.modules[name] = MagicMock()
sys.modules["torch"].utils.data.Dataset = object

import numpy as np
from obp.dataset import MultiClassToBanditReduction, OpenBanditDataset
from obp.ope import (
    DirectMethod,
    DoublyRobust,
    DoublyRobustWithShrinkage,
    InverseProbabilityWeighting,
    MarginalizedInverseProbabilityWeighting,
    RegressionModel,
    SelfNormalizedDoublyRobust,
    SelfNormalizedInverseProbabilityWeighting,
    SubGaussianInverseProbabilityWeighting,
    SwitchDoublyRobust,
)
from obp.policy import BernoulliTS, Random
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

SEED = 12345
DIGITS_SEEDS = 50
FOLDS = 3
PARAMETERS = [1.0, 3.0, 10.0, 50.0, 100.0, 1000.0]


def estimates(log, target, predicted, logging, groups):
    """Every estimate that the crate has a counterpart for, beside that counterpart as the crate writes it."""
    base = {
        "reward": log["reward"],
        "action": log["action"],
        "pscore": log["pscore"],
        "action_dist": target,
        "position": log["position"],
    }
    model = {**base, "estimated_rewards_by_reg_model": predicted}
    found = [
        ("dm", DirectMethod().estimate_policy_value(**model)),
        ("ips", InverseProbabilityWeighting().estimate_policy_value(**base)),
        ("snips", SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**base)),
        ("dr", DoublyRobust().estimate_policy_value(**model)),
        ("sn_dr", SelfNormalizedDoublyRobust().estimate_policy_value(**model)),
    ]
    for at in PARAMETERS:
        found += [
            ({"clipped": at}, InverseProbabilityWeighting(lambda_=at).estimate_policy_value(**base)),
            ({"switch_dr": at}, SwitchDoublyRobust(lambda_=at).estimate_policy_value(**model)),
            ({"dr_os": at}, DoublyRobustWithShrinkage(lambda_=at).estimate_policy_value(**model)),
        ]
    for at in [0.01, 0.05, 0.3]:
        tuned = SubGaussianInverseProbabilityWeighting(lambda_=at)
        found.append(({"sub_gaussian": at}, tuned.estimate_policy_value(**base)))
    told = {"estimates": [(estimator, float(value)) for estimator, value in found], "mips": None}
    if logging is not None:
        given = np.eye(max(groups) + 1)[groups][:, :, np.newaxis]
        embedded = np.asarray(groups)[log["action"]][:, np.newaxis]
        marginal = MarginalizedInverseProbabilityWeighting(n_actions=log["n_actions"])
        value = marginal.estimate_policy_value(
            context=log["context"], pi_b=logging, action_embed=embedded, p_e_a=given, **base
        )
        told["mips"] = float(value)
    return told


def write(out, name, log, target, predicted, logging, groups, truth):
    """Writes one log and returns what `expected.json` says of it."""
    rows = np.arange(log["n_rounds"])
    position = log["position"]
    odds = logging[rows, :, position] if logging is not None else np.zeros((len(rows), log["n_actions"]))
    head = np.c_[log["action"], log["reward"], log["pscore"]]
    table = np.c_[head, target[rows, :, position], predicted[rows, :, position], odds]
    table.astype("<f8").tofile(out / f"{name}.f64")
    return {
        "name": name,
        "arms": int(log["n_actions"]),
        "logging": logging is not None,
        "groups": [int(group) for group in groups],
        "truth": truth,
        **estimates(log, target, predicted, logging, groups),
    }


def shop(out, campaign):
    """The two logs of a campaign, each judging the policy of the other."""
    logs = {
        policy: OpenBanditDataset(behavior_policy=policy, campaign=campaign).obtain_batch_bandit_feedback()
        for policy in ("random", "bts")
    }
    shape = {"n_actions": logs["random"]["n_actions"], "len_list": 3, "random_state": SEED}
    policies = {
        "random": Random(**shape),
        "bts": BernoulliTS(is_zozotown_prior=True, campaign=campaign, **shape),
    }
    for logged, judged in (("random", "bts"), ("bts", "random")):
        log = logs[logged]
        n = log["n_rounds"]
        target = policies[judged].compute_batch_action_dist(n_rounds=n)
        model = RegressionModel(
            n_actions=log["n_actions"],
            len_list=3,
            action_context=log["action_context"],
            base_model=LogisticRegression(random_state=SEED, max_iter=1000),
        )
        asked = {name: log[name] for name in ("context", "action", "reward", "pscore", "position")}
        predicted = model.fit_predict(n_folds=FOLDS, random_state=SEED, **asked)
        logging = policies[logged].compute_batch_action_dist(n_rounds=n) if logged == "random" else None
        groups = log["action_context"][:, 1].astype(int)
        truth = float(logs[judged]["reward"].mean())
        name = f"obd_{campaign}_{logged}_judges_{judged}"
        yield write(out, name, log, target, predicted, logging, groups, truth)


def digits(out, seed):
    """A log of digits: half of the choices are a classifier's, the judged classifier makes nine in ten."""
    x, y = load_digits(return_X_y=True)
    logger = LogisticRegression(random_state=SEED, max_iter=1000)
    judged = LogisticRegression(C=100, random_state=SEED, max_iter=1000)
    data = MultiClassToBanditReduction(X=x / 16, y=y, base_classifier_b=logger, alpha_b=0.5)
    data.split_train_eval(eval_size=0.7, random_state=seed)
    log = data.obtain_batch_bandit_feedback(random_state=seed)
    target = data.obtain_action_dist_by_eval_policy(base_classifier_e=judged, alpha_e=0.9)
    asked = {name: log[name] for name in ("context", "action", "reward")}
    model = RegressionModel(n_actions=10, base_model=logger)
    predicted = model.fit_predict(n_folds=FOLDS, random_state=seed, **asked)
    log["position"] = np.zeros(log["n_rounds"], dtype=int)
    truth = float(data.calc_ground_truth_policy_value(target))
    log["context"].astype("<f8").tofile(out / f"digits_{seed}.x.f64")
    return write(out, f"digits_{seed}", log, target, predicted, log["pi_b"], [arm % 3 for arm in range(10)], truth)


def uniform(seed, stream, index):
    """The random number of that name in `src/rng.rs`."""
    wrap, step = (1 << 64) - 1, 0x9E3779B97F4A7C15

    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & wrap
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & wrap
        return z ^ (z >> 31)

    base = mix((seed + step * (stream + 1)) & wrap)
    return (mix((base + step * (index + 1)) & wrap) >> 11) * 2.0**-53


def generated(seed=77, rows=2000, items=80, positions=3):
    """The log of `tests/it/golden.rs`, and its estimates."""

    def odds(stream):
        weights = [uniform(seed, stream, item) ** 2 + 0.01 for item in range(items)]
        total = sum(weights)
        return [weight / total for weight in weights]

    def drawn(odds, left):
        for item, share in enumerate(odds):
            left -= share
            if left < 0:
                return item
        return items - 1

    logging = [odds(position) for position in range(positions)]
    target = [odds(positions + position) for position in range(positions)]
    predicted = [
        [0.01 * uniform(seed, 2 * positions + position, item) for item in range(items)] for position in range(positions)
    ]
    place = [int(uniform(seed, 9, row) * positions) for row in range(rows)]
    action = [drawn(logging[at], uniform(seed, 10, row)) for row, at in enumerate(place)]
    log = {
        "n_actions": items,
        "context": np.zeros((rows, 1)),
        "action": np.array(action),
        "reward": np.array([float(uniform(seed, 11, row) < 0.02) for row in range(rows)]),
        "pscore": np.array([logging[at][item] for at, item in zip(place, action)]),
        "position": np.zeros(rows, dtype=int),
    }
    by_row = [np.array([table[at] for at in place])[:, :, np.newaxis] for table in (target, predicted, logging)]
    return estimates(log, *by_row, np.arange(items) % 7)


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    found = [told for campaign in ("all", "men", "women") for told in shop(out, campaign)]
    found += [digits(out, seed) for seed in range(DIGITS_SEEDS)]
    (out / "expected.json").write_text(json.dumps(found))
    (out / "generated.json").write_text(json.dumps(generated()) + "\n")
    print(f"{len(found)} logs in {out}")


main()
