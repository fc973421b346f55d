"""Checking the list of a data layer and every file that it names."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pydeeplab.data.lists import ImageList
from pydeeplab.errors import DataError, counted
from pydeeplab.preflight.columns import check_columns, check_repeats
from pydeeplab.preflight.items import ItemCheck, Job, check_items
from pydeeplab.preflight.labels import check_values
from pydeeplab.preflight.report import ERROR, WARNING, Report, Watch
from pydeeplab.preflight.sizes import check_sizes
from pydeeplab.preflight.subject import PIXEL, SHOWN, Subject, label_kind, more
from pydeeplab.preflight.views import DataLayer, NetView

__all__ = ["check_list", "check_overlap"]

SAMPLE = 100
"""Items whose files are decoded in a fast check."""
_ADVICE = "Correct source or root_folder, or what --define gives for them (such as --define DATA_ROOT=FOLDER)."


def check_list(
    view: NetView, layer: DataLayer, report: Report, *, fast: bool, workers: int, watch: Watch
) -> Subject | None:
    """Check the list of an ImageSegData, DenseImageData or ImageData layer and its files; None if it is unreadable."""
    options, kind = layer.options, label_kind(layer)
    try:
        items = ImageList(
            options.source,
            options.root_folder,
            label_is_path=kind == PIXEL,
            split_last=layer.param.type == "ImageData",
        )
    except DataError as error:
        report.add(ERROR, "list", f"{layer.label}: {error}", _ADVICE, net=view.role)
        return None
    report.facts[f"{view.role} images"] = len(items)
    subject = Subject(view, layer, items, report, kind)
    check_columns(subject)
    check_repeats(subject)
    _check_existence(subject)
    jobs = _jobs(subject, fast)
    label = f"checking {os.path.basename(items.path)}"
    subject.checks = check_items(jobs, workers, lambda done: watch(label, done, len(jobs)))
    _check_problems(subject)
    check_sizes(subject)
    check_values(subject)
    _check_contents(subject)
    return subject


def _check_existence(subject: Subject) -> None:
    absent = subject.items.missing(labels=subject.kind == PIXEL)
    for entry, path in absent[:SHOWN]:
        subject.add(ERROR, "list", f"{subject.items.where(entry)}: '{path}' does not exist")
    if absent:
        advice = subject.items.slash_advice(absent[0][1]) or _ADVICE
        subject.add(ERROR, "list", f"'{subject.items.path}': {len(absent)} of its files do not exist", advice)


def _jobs(subject: Subject, fast: bool) -> list[Job]:
    """What to check of each line whose files exist; in a fast check only a sample is decoded."""
    gone = {entry for entry, _ in subject.items.missing(labels=subject.kind == PIXEL)}
    entries = [entry for entry in subject.items if entry not in gone]
    deep = set(range(len(entries)))
    if fast and len(entries) > SAMPLE:
        deep = set(np.linspace(0, len(entries) - 1, SAMPLE).astype(int).tolist())
    color = bool(subject.options.is_color)
    return [Job(entry, subject.kind == PIXEL, color, index in deep) for index, entry in enumerate(entries)]


def _check_problems(subject: Subject) -> None:
    """Files that cannot be used."""
    for topic in ("image", "label"):
        wrong = [check for check in subject.checks if check.problem and check.topic == topic]
        for check in wrong[:SHOWN]:
            subject.add(ERROR, topic, f"{subject.items.where(check.entry)}: {check.problem}")
        if len(wrong) > SHOWN:
            rest = len(wrong) - SHOWN
            subject.add(ERROR, topic, f"'{subject.items.path}': {counted(rest, 'more line')} with such problems")


def _check_contents(subject: Subject) -> None:
    """Different files with the same contents."""
    groups: dict[bytes, list[ItemCheck]] = defaultdict(list)
    for check in subject.checks:
        if check.digest and all(check.entry.image != other.entry.image for other in groups[check.digest]):
            groups[check.digest].append(check)
    copies = [group for group in groups.values() if len(group) > 1]
    if copies:
        first, second = (check.entry for check in copies[0][:2])
        text = f"{subject.items.where(second)}: '{second.image}' is a copy of line {first.line}'s image"
        subject.add(WARNING, "image", text + more(len(copies) - 1, "image"))


def check_overlap(subjects: Sequence[Subject]) -> None:
    """Images that are trained on and tested on, by path or contents."""
    for learned in (subject for subject in subjects if subject.view.role == "train"):
        paths = {os.path.realpath(entry.image) for entry in learned.items}
        digests = {check.digest for check in learned.checks if check.digest}
        for tested in (subject for subject in subjects if subject.view.role != "train"):
            shared = {entry for entry in tested.items if os.path.realpath(entry.image) in paths}
            shared |= {check.entry for check in tested.checks if check.digest in digests}
            if not shared:
                continue
            first = min(shared, key=lambda entry: entry.line)
            tested.add(
                WARNING,
                "list",
                f"{len(shared)} of the {len(tested.items)} images of '{tested.items.path}' are in the training list "
                f"'{learned.items.path}' too, such as {tested.items.where(first)}: '{first.image}'",
                "Their score says nothing about new images; test on others.",
            )
