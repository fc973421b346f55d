"""Checking the values of label maps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydeeplab.errors import counted
from pydeeplab.layer import TRAIN
from pydeeplab.preflight.items import ItemCheck
from pydeeplab.preflight.palettes import explain_values
from pydeeplab.preflight.report import ERROR, NOTE, WARNING
from pydeeplab.preflight.subject import SHOWN, Subject, more
from pydeeplab.preflight.views import LabelRule

__all__ = ["check_values"]

Holders = Mapping[int, Sequence[ItemCheck]]
"""The label maps that hold each value."""


def check_values(subject: Subject) -> None:
    """Label values that are no class; classes that never occur; maps that are ignored as a whole."""
    holders: dict[int, list[ItemCheck]] = defaultdict(list)
    for check in subject.checks:
        for value in check.counts:
            holders[value].append(check)
    if not holders:
        return
    subject.report.facts[f"{subject.view.role} pixels by label"] = {
        str(value): sum(check.counts[value] for check in holders[value]) for value in sorted(holders)
    }
    indexed = sum(check.indexed for check in subject.checks)
    if indexed:
        subject.add(
            NOTE,
            "label",
            f"'{subject.items.path}': {counted(indexed, 'palette PNG')} among the label maps; indices are the classes "
            "(Caffe would read the palette's greys: 38 for class 1)",
        )
    rule = subject.layer.rule
    if rule is not None:
        _add_unexpected(subject, rule, holders)
        _add_blank(subject, rule)
        _add_absent(subject, rule, holders)


def _add_unexpected(subject: Subject, rule: LabelRule, holders: Holders) -> None:
    bad = sorted(value for value in holders if not rule.allows(value))
    for value in bad[:SHOWN]:
        first = holders[value][0]
        row, column = first.first[value]
        pixels = sum(check.counts[value] for check in holders[value])
        subject.add(
            ERROR,
            "label",
            f"{subject.items.where(first.entry)}: unexpected label {value} in '{first.entry.label}' at row {row}, "
            f"column {column} ({counted(pixels, 'pixel')} in {counted(len(holders[value]), 'file')})",
        )
    if not bad:
        return
    text = f"layer '{rule.judge}' takes labels {rule}; '{subject.items.path}' has {counted(len(bad), 'other value')}."
    if len(bad) > SHOWN:
        text += f" Also unexpected: {', '.join(map(str, bad[SHOWN:]))}."
    explanation = explain_values(bad, rule.classes)
    advice = "Set ignore_label if a value marks void pixels; look at num_output if it is a class."
    subject.add(ERROR, "label", text + explanation, "Use the original label files." if explanation else advice)


def _add_blank(subject: Subject, rule: LabelRule) -> None:
    blank = [c for c in subject.checks if c.counts and all(value in rule.ignored for value in c.counts)]
    if blank:
        first = blank[0].entry
        text = f"{subject.items.where(first)}: every pixel of '{first.label}' is ignored"
        subject.add(WARNING, "label", text + more(len(blank) - 1, "label map"))


def _add_absent(subject: Subject, rule: LabelRule, holders: Holders) -> None:
    """Classes that do not occur, if all label maps were decoded."""
    whole = all(check.counts or check.problem for check in subject.checks)
    absent = [c for c in range(rule.classes) if c not in holders and c not in rule.ignored]
    if absent and whole and subject.view.phase == TRAIN:
        text = f"class(es) {', '.join(map(str, absent))} occur in no label map of '{subject.items.path}'"
        subject.add(WARNING, "label", text, "The net cannot learn them; look at num_output.")
