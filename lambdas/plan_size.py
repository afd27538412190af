"""How large a run's plan becomes with the gate's verdict and the costs, before the run has either."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambdas.fields import InvalidInput
from lambdas.gate_rules import DECISIONS, RECALL, Rule, candidates_of, with_unscored

# Step Functions passes 262,144 bytes from state to state, and tells more of a call than what it returned.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_PLAN_BYTES = 200_000
# What is added at most: a finding for each rule and candidate, each rule once more in the verdict's
# statement, a line of cost for each job, and the rest of both.
FINDING_BYTES = 660
RULE_BYTES = 320
JOB_BYTES = 400
OTHER_BYTES = 8_000


def check_size(plan: Mapping[str, Any], rules: Sequence[Rule], variants: Sequence[str]) -> None:
    """Raise InvalidInput where the rules find more of the run's `variants` than its `plan` can carry."""
    single = count_rules(rules)
    candidates = len(candidates_of(variants))
    room = MAX_PLAN_BYTES - OTHER_BYTES - len(json.dumps(plan)) - JOB_BYTES * len(plan["jobs"])
    most = max(0, room) // (FINDING_BYTES * candidates + RULE_BYTES)
    if single > most:
        raise InvalidInput(
            f"gate: the rules read {single} figures (`recall` is one of each decision, and each suite's "
            f"unscored_rate counts) of each of {candidates} trained variants, and the plan that passes from "
            f"state to state has room for {most}; name fewer rules, or fewer variants"
        )


def count_rules(rules: Sequence[Rule]) -> int:
    """Return over how many figures the rules are at most, those on rows without a score included."""
    return sum(len(DECISIONS) if rule.metric == RECALL else 1 for rule in with_unscored(rules))
