"""Checking the text of a list: labels where they are expected, and no line twice."""

from __future__ import annotations

import os
from collections import defaultdict

from pydeeplab.data.lists import ListEntry
from pydeeplab.errors import counted
from pydeeplab.layer import TRAIN
from pydeeplab.preflight.report import ERROR, NOTE, WARNING
from pydeeplab.preflight.subject import IMAGE, NONE, PIXEL, Subject, more

__all__ = ["check_columns", "check_repeats"]


def check_columns(subject: Subject) -> None:
    """Whether each line has the label that label_type asks for; a list without any is NONE from here on."""
    items = subject.items
    if subject.kind == NONE:
        return
    if not items.labelled:
        learns = subject.view.phase == TRAIN
        label_type, value = ("PIXEL", "ignored") if subject.kind == PIXEL else ("IMAGE", "class 0")
        subject.add(
            ERROR if learns else NOTE,
            "list",
            f"{subject.layer.label}: label_type is {label_type}, but '{items.path}' lists no labels: every pixel "
            f"would be {value}",
            "List 'image label' on each line." if learns else "Write label_type: NONE if that is meant.",
        )
        subject.kind = NONE
        return
    bare = next((entry for entry in items if entry.label is None), None)
    if bare is not None:
        count = len(items) - items.labelled
        subject.add(ERROR, "list", f"{items.where(bare)}: no label, unlike other lines ({counted(count, 'such line')})")
    if subject.kind == IMAGE:
        _check_numbers(subject)


def _check_numbers(subject: Subject) -> None:
    """Labels that are one number for a whole image."""
    rule = subject.layer.rule
    for entry in subject.items:
        where = subject.items.where(entry)
        try:
            value = int(entry.label or "0")
        except ValueError:
            advice = "Write label_type: PIXEL (IMAGE is the default) if labels are label maps."
            text = f"{where}: expected a whole number after the image, got '{entry.label}'"
            subject.add(ERROR, "list", text, advice if subject.layer.param.type == "ImageSegData" else "")
            return
        if rule is not None and not rule.allows(value):
            subject.add(ERROR, "label", f"{where}: label {value}, but layer '{rule.judge}' takes {rule}")
            return


def check_repeats(subject: Subject) -> None:
    """Images that are listed more than once."""
    lines: dict[str, list[ListEntry]] = defaultdict(list)
    for entry in subject.items:
        lines[os.path.normpath(entry.image)].append(entry)
    repeated = [entries for entries in lines.values() if len(entries) > 1]
    if repeated:
        first, second = repeated[0][:2]
        text = f"{subject.items.where(second)}: '{second.image}' is already in line {first.line}"
        subject.add(WARNING, "list", text + more(len(repeated) - 1, "image"))
