"""The field `gate` of an execution input: a list of rules, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambdas.fields import (
    InvalidInput,
    as_flag,
    as_object,
    as_share,
    as_text,
    check_keys,
    check_known,
    shown,
)
from lambdas.gate_rules import (
    BASELINE,
    DECISIONS,
    DEFAULT_TOLERANCE,
    RECALL,
    ROW_SHARES,
    UNSCORED_RATE,
    UNSCORED_TOLERANCE,
    Rule,
    are_paired,
    candidates_of,
)

_TARGET_KEYS = ("target", "over")
_GUARD_KEYS = ("guard", "tolerance", "strict", "beyond_noise", "over")


def parse_rules(given: object, suites: Sequence[str], variants: Sequence[str]) -> list[Rule]:
    """Return the rules of an execution input; none for an empty list, which switches the gate off.

    `suites`, `variants`: what the run evaluates. Raises InvalidInput, naming field and remedy.
    """
    if not isinstance(given, list):
        raise InvalidInput(
            f"gate: a list of rules is needed, not {shown(given)}; [] promotes nothing, and without "
            "the field the default rules hold"
        )
    rules = [_rule(f"gate[{i}]", one, suites, variants) for i, one in enumerate(given)]
    _check_together(rules, candidates_of(variants))
    return rules


def _check_together(rules: Sequence[Rule], candidates: Sequence[str]) -> None:
    keys = [(rule.kind, rule.name, rule.over) for rule in rules]
    for i, key in enumerate(keys):
        if key in keys[:i]:
            raise InvalidInput(f"gate[{i}]: the {key[0]} {key[1]} over {key[2]} stands there twice")
    if rules and not any(rule.kind == "target" for rule in rules):
        raise InvalidInput(
            'gate: guards alone promote nothing; add what has to rise, for example {"target": "own/accuracy"}'
        )
    bases = {rule.over for rule in rules if rule.kind == "target"}
    if candidates and bases >= set(candidates):
        raise InvalidInput(
            f"gate: the targets hold the others against {' and '.join(sorted(bases))}, and no other trained "
            "variant is left that could be promoted; leave one of these targets out, or add a variant"
        )


def _rule(where: str, given: object, suites: Sequence[str], variants: Sequence[str]) -> Rule:
    fields = as_object(where, given)
    kinds = [kind for kind in ("target", "guard") if kind in fields]
    if len(kinds) != 1:
        check_keys(where, fields, tuple(dict.fromkeys((*_TARGET_KEYS, *_GUARD_KEYS))))
        raise InvalidInput(
            f'{where}: either a target or a guard is needed, for example {{"target": "own/accuracy"}} or '
            f'{{"guard": "own/over_call_rate", "tolerance": 0.03}}, not {shown(given)}'
        )
    kind = kinds[0]
    check_keys(f"{where} (a {kind})", fields, _TARGET_KEYS if kind == "target" else _GUARD_KEYS)
    suite, metric = _figure(f"{where}.{kind}", kind, fields[kind], suites)
    over = _over(where, fields, variants)
    if kind == "target":
        return Rule(kind, suite, metric, over)
    strict, beyond_noise = (as_flag(f"{where}.{key}", fields.get(key, False)) for key in _GUARD_KEYS[2:4])
    _check_mode(where, metric, strict, beyond_noise)
    default = UNSCORED_TOLERANCE if metric == UNSCORED_RATE else DEFAULT_TOLERANCE
    tolerance = as_share(f"{where}.tolerance", fields.get("tolerance", default))
    return Rule(kind, suite, metric, over, tolerance, strict, beyond_noise)


def _figure(where: str, kind: str, given: object, suites: Sequence[str]) -> tuple[str, str]:
    suite, slash, metric = as_text(where, given).partition("/")
    if not slash:
        raise InvalidInput(
            f"{where}: {shown(given)} is not of the form suite/figure, for example own/accuracy"
        )
    check_known(where, suite, tuple(ROW_SHARES))
    if suite not in suites:
        raise InvalidInput(
            f"{where}: the run does not evaluate {suite}; add it to `suites`, or name one of "
            f"{', '.join(suites)}"
        )
    recalls = tuple(f"{RECALL}_{decision}" for decision in DECISIONS)
    if kind == "target" and metric in (RECALL, UNSCORED_RATE):
        raise InvalidInput(
            f"{where}: {metric} cannot be a target; name a figure of {suite}: "
            f"{', '.join((*ROW_SHARES[suite], *recalls))}"
        )
    extra = recalls if kind == "target" else (RECALL, *recalls, UNSCORED_RATE)
    mend = (
        ". Rules read shares of rows; ratios and means like macro_f1 or argument_f1 have no paired difference"
    )
    check_known(f"{where} ({suite})", metric, (*ROW_SHARES[suite], *extra), mend)
    return suite, metric


def _over(where: str, fields: Mapping[str, object], variants: Sequence[str]) -> str:
    over = as_text(f"{where}.over", fields.get("over", BASELINE))
    possible = [one for one in variants if _refusal_of(one, variants) is None]
    way_out = f"in `over` the run may name {' or '.join(possible) or 'none of its variants'}"
    if over not in variants:
        said = shown(over) if "over" in fields else f"a rule without `over` is held over {BASELINE}, which"
        raise InvalidInput(
            f"{where}: {said} is not among the run's variants ({', '.join(variants)}); add it to `variants`; "
            f"as it is, {way_out}"
        )
    refusal = _refusal_of(over, variants)
    if refusal is not None:
        raise InvalidInput(f"{where}: {refusal}, so that the rule could not be applied; {way_out}")
    return over


def _refusal_of(over: str, variants: Sequence[str]) -> str | None:
    """Return why the run's trained variants cannot be held against `over`, None where they can."""
    candidates = candidates_of(variants)
    alone = [variant for variant in candidates if not _is_held(variant, over)]
    if alone:
        return f"no run compares {' or '.join(alone)} with {over}"
    return f"the run trains nothing but {over}" if candidates == [over] else None


def _is_held(variant: str, over: str) -> bool:
    return variant == over or are_paired(variant, over)


def _check_mode(where: str, metric: str, strict: bool, beyond_noise: bool) -> None:
    if strict and beyond_noise:
        raise InvalidInput(
            f"{where}: strict and beyond_noise contradict each other: strict stops what noise could explain, "
            "beyond_noise lets it pass; leave one out"
        )
    if metric == UNSCORED_RATE and (strict or beyond_noise):
        raise InvalidInput(
            f"{where}: {UNSCORED_RATE} is counted, not estimated; leave strict and beyond_noise out"
        )
