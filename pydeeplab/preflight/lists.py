"""Checking the list of a data layer and every file that it names."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pydeeplab.data.lists import ImageList, ListEntry
from pydeeplab.data.transform import Augmenter
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError, PydeeplabError
from pydeeplab.layer import TRAIN
from pydeeplab.preflight.items import ItemCheck, Job, check_items
from pydeeplab.preflight.palettes import explain_values
from pydeeplab.preflight.report import ERROR, NOTE, WARNING, Report, Watch
from pydeeplab.preflight.views import DataLayer, NetView

__all__ = ["ListCheck", "check_list", "check_overlap"]

NONE, IMAGE, PIXEL = 0, 1, 2
SAMPLE = 100
"""Items whose files are decoded in a fast check."""
_SHOWN = 5
_DATASET = "Correct source or root_folder, or what --define gives for them (such as --define DATA_ROOT=FOLDER)."


@dataclass
class ListCheck:
    """A list that was checked, for comparing it with others."""

    net: str
    layer: DataLayer
    items: ImageList
    checks: list[ItemCheck] = field(default_factory=list)


class _Checker:
    """Checks one list layer and writes into a report."""

    def __init__(self, view: NetView, layer: DataLayer, report: Report):
        self.view = view
        self.layer = layer
        self.report = report
        self.options = layer.options
        self.kind = {"ImageSegData": int(getattr(self.options, "label_type", PIXEL)), "ImageData": IMAGE}.get(
            layer.param.type, PIXEL
        )

    def add(self, severity: str, topic: str, message: str, advice: str = "") -> None:
        self.report.add(severity, topic, message, advice, net=self.view.role)

    # The list itself -------------------------------------------------------------------------------------------

    def read(self) -> ImageList | None:
        """The list, or None where it cannot be read."""
        try:
            return ImageList(
                self.options.source,
                self.options.root_folder,
                label_is_path=self.kind == PIXEL,
                split_last=self.layer.param.type == "ImageData",
            )
        except DataError as error:
            self.add(ERROR, "list", f"{self.layer.label}: {error}", _DATASET)
            return None

    def check_columns(self, items: ImageList) -> None:
        """Whether each line has the label that label_type asks for."""
        if self.kind == NONE:
            return
        if not items.labelled:
            learns = self.view.phase == TRAIN
            label_type = "PIXEL" if self.kind == PIXEL else "IMAGE"
            value = "ignored" if self.kind == PIXEL else "class 0"
            self.add(
                ERROR if learns else NOTE,
                "list",
                f"{self.layer.label}: label_type is {label_type}, but '{items.path}' lists no labels: every pixel "
                f"would be {value}",
                "List 'image label' on each line." if learns else "Write label_type: NONE if that is meant.",
            )
            self.kind = NONE
            return
        bare = next((entry for entry in items if entry.label is None), None)
        if bare is not None:
            count = len(items) - items.labelled
            self.add(ERROR, "list", f"{items.where(bare)}: no label, unlike other lines ({count} such lines)")
        if self.kind == IMAGE:
            self._check_numbers(items)

    def _check_numbers(self, items: ImageList) -> None:
        """Labels that are one number for a whole image."""
        for entry in items:
            try:
                value = int(entry.label or "0")
            except ValueError:
                advice = "Write label_type: PIXEL (IMAGE is the default) if labels are label maps."
                text = f"{items.where(entry)}: expected a whole number after the image, got '{entry.label}'"
                self.add(ERROR, "list", text, advice if self.layer.param.type == "ImageSegData" else "")
                return
            rule = self.layer.rule
            if rule is not None and not rule.allows(value):
                self.add(ERROR, "label", f"{items.where(entry)}: label {value}, but layer '{rule.judge}' takes {rule}")
                return

    def check_repeats(self, items: ImageList) -> None:
        """Images that are listed more than once."""
        lines: dict[str, list[ListEntry]] = defaultdict(list)
        for entry in items:
            lines[os.path.normpath(entry.image)].append(entry)
        repeated = [entries for entries in lines.values() if len(entries) > 1]
        if repeated:
            first = repeated[0]
            self.add(
                WARNING,
                "list",
                f"{items.where(first[1])}: '{first[1].image}' is already in line {first[0].line}"
                f"{_more(len(repeated) - 1, 'image')}",
            )

    # The files -------------------------------------------------------------------------------------------------

    def jobs(self, items: ImageList, fast: bool) -> list[Job]:
        """What to check of each line; in a fast check only a sample is decoded."""
        deep = set(range(len(items)))
        if fast and len(items) > SAMPLE:
            deep = set(np.linspace(0, len(items) - 1, SAMPLE).astype(int).tolist())
        color = bool(self.options.is_color)
        return [Job(entry, self.kind == PIXEL, color, index in deep) for index, entry in enumerate(items)]

    def check_problems(self, items: ImageList, checks: Sequence[ItemCheck]) -> None:
        """Files that cannot be used."""
        for topic in ("image", "label"):
            wrong = [check for check in checks if check.problem and check.topic == topic]
            for check in wrong[:_SHOWN]:
                self.add(ERROR, topic, f"{items.where(check.entry)}: {check.problem}")
            if len(wrong) > _SHOWN:
                self.add(ERROR, topic, f"'{items.path}': {len(wrong) - _SHOWN} more lines with such problems")

    def check_values(self, items: ImageList, checks: Sequence[ItemCheck]) -> None:
        """Label values that are no class; classes that never occur; maps that are ignored as a whole."""
        rule = self.layer.rule
        holders: dict[int, list[ItemCheck]] = defaultdict(list)
        for check in checks:
            for value in check.counts:
                holders[value].append(check)
        if not holders:
            return
        indexed = sum(check.indexed for check in checks)
        if indexed:
            self.add(
                NOTE,
                "label",
                f"'{items.path}': {indexed} label map(s) are palette PNGs; their indices are the classes "
                "(Caffe would read the palette's greys: 38 for class 1)",
            )
        self.report.facts[f"{self.view.role} pixels by label"] = {
            str(value): sum(check.counts[value] for check in holders[value]) for value in sorted(holders)
        }
        if rule is None:
            return
        bad = sorted(value for value in holders if not rule.allows(value))
        explanation = explain_values(bad, rule.classes)
        for value in bad[:_SHOWN]:
            self._add_bad(items, value, holders[value])
        if bad:
            more = f" Also unexpected: {', '.join(map(str, bad[_SHOWN:]))}." if len(bad) > _SHOWN else ""
            self.add(
                ERROR,
                "label",
                f"layer '{rule.judge}' takes labels {rule}; '{items.path}' has {len(bad)} other(s).{more}{explanation}",
                "Use the original label files."
                if explanation
                else "Set ignore_label if a value marks void pixels; look at num_output if it is a class.",
            )
        blank = [check for check in checks if check.counts and all(value in rule.ignored for value in check.counts)]
        if blank:
            text = f"{items.where(blank[0].entry)}: every pixel of '{blank[0].entry.label}' is ignored"
            self.add(WARNING, "label", text + _more(len(blank) - 1, "label map"))
        absent = [c for c in range(rule.classes) if c not in holders and c not in rule.ignored]
        if absent and self.view.phase == TRAIN and all(check.counts or check.problem for check in checks):
            names = ", ".join(map(str, absent))
            text = f"class(es) {names} occur in no label map of '{items.path}'"
            self.add(WARNING, "label", text, "The net cannot learn them; look at num_output.")

    def _add_bad(self, items: ImageList, value: int, checks: Sequence[ItemCheck]) -> None:
        row, column = checks[0].first[value]
        pixels = sum(check.counts[value] for check in checks)
        self.add(
            ERROR,
            "label",
            f"{items.where(checks[0].entry)}: unexpected label {value} in '{checks[0].entry.label}' at row {row}, "
            f"column {column} ({pixels} pixels in {len(checks)} file(s))",
        )

    def check_sizes(self, items: ImageList, checks: Sequence[ItemCheck]) -> None:
        """Image sizes against the crop, or against each other where there is none."""
        if self.options.new_height:
            return
        try:
            augmenter = Augmenter(
                self.layer.param.transform_param,
                train=self.view.phase == TRAIN,
                channels=3 if self.options.is_color else 1,
                random=Twister(0),
            )
        except PydeeplabError as error:
            self.add(ERROR, "crop", f"{self.layer.label}: {error}")
            return
        sized = [check for check in checks if check.size]
        crop = augmenter.crop
        if crop is None:
            other = next((check for check in sized if check.size != sized[0].size), None)
            if other is not None and int(self.options.batch_size) > 1 and sized[0].size and other.size:
                sizes = [f"{size[0]} x {size[1]}" for size in (sized[0].size, other.size)]
                self.add(
                    ERROR,
                    "crop",
                    f"{items.where(other.entry)}: the image is {sizes[1]} (height x width), the first one {sizes[0]}; "
                    f"a batch of {self.options.batch_size} holds images of one size",
                    "Give a crop_size, or new_height and new_width, or batch_size: 1.",
                )
            return
        least = min([float(factor) for factor in augmenter.scale_factors], default=1.0)
        small = [
            check
            for check in sized
            if check.size and any(int(have * least) < need for have, need in zip(check.size, crop, strict=True))
        ]
        if small:
            self._check_padding(items, small, crop, least)

    def _check_padding(self, items: ImageList, small: Sequence[ItemCheck], crop: tuple[int, int], least: float) -> None:
        """Images smaller than the crop: padded (then the padding must be ignored), or refused."""
        size = small[0].size
        assert size is not None
        scaled = f" at scale {least:g}" if least != 1 else ""
        which = f"{items.where(small[0].entry)}: the image ({size[0]} x {size[1]}){scaled} is smaller than the crop "
        which += f"{crop[0]} x {crop[1]}{_more(len(small) - 1, 'image')}"
        if self.layer.param.type != "ImageSegData":
            self.add(ERROR, "crop", which, f"{self.layer.param.type} does not pad: choose a smaller crop.")
            return
        pad, rule = int(self.options.ignore_label), self.layer.rule
        if rule is None or pad in rule.ignored:
            return
        if rule.allows(pad):
            text = f"{which}; its padding gets label {pad}, which is a class that layer '{rule.judge}' does not ignore"
            self.add(WARNING, "label", text, f"Add ignore_label: {pad} to its loss_param, or pad with another label.")
        else:
            text = f"{which}; its padding gets label {pad}, which layer '{rule.judge}' neither knows nor ignores"
            self.add(ERROR, "label", text, f"Add ignore_label: {pad} to its loss_param.")

    def check_contents(self, items: ImageList, checks: Sequence[ItemCheck]) -> None:
        """Different files with the same contents."""
        groups: dict[bytes, list[ItemCheck]] = defaultdict(list)
        for check in checks:
            if check.digest and all(check.entry.image != other.entry.image for other in groups[check.digest]):
                groups[check.digest].append(check)
        copies = [group for group in groups.values() if len(group) > 1]
        if copies:
            first, second = copies[0][:2]
            text = f"{items.where(second.entry)}: '{second.entry.image}' is a copy of line {first.entry.line}'s image"
            self.add(WARNING, "image", text + _more(len(copies) - 1, "image"))


def _more(count: int, what: str) -> str:
    return f" (and {count} more {what}{'' if count == 1 else 's'})" if count > 0 else ""


def check_list(
    view: NetView, layer: DataLayer, report: Report, *, fast: bool, workers: int, watch: Watch
) -> ListCheck | None:
    """Check the list of an ImageSegData, DenseImageData or ImageData layer and its files; None if it is unreadable."""
    checker = _Checker(view, layer, report)
    items = checker.read()
    if items is None:
        return None
    checker.check_columns(items)
    checker.check_repeats(items)
    absent = items.missing(labels=checker.kind == PIXEL)
    for entry, path in absent[:_SHOWN]:
        checker.add(ERROR, "list", f"{items.where(entry)}: '{path}' does not exist")
    if absent:
        advice = _DATASET
        checker.add(ERROR, "list", f"'{items.path}': {len(absent)} of its files do not exist", advice)
    gone = {entry for entry, _ in absent}
    jobs = [job for job in checker.jobs(items, fast) if job.entry not in gone]
    label = f"checking {os.path.basename(items.path)}"
    checks = check_items(jobs, workers, lambda done: watch(label, done, len(jobs)))
    checker.check_problems(items, checks)
    checker.check_sizes(items, checks)
    checker.check_values(items, checks)
    checker.check_contents(items, checks)
    report.facts[f"{view.role} images"] = len(items)
    return ListCheck(view.role, layer, items, checks)


def check_overlap(lists: Sequence[ListCheck], report: Report) -> None:
    """Images that are trained on and tested on, by path or contents."""
    for learned in (item for item in lists if item.net == "train"):
        paths = _paths(learned.items)
        digests = {check.digest: check.entry for check in learned.checks if check.digest}
        for tested in (item for item in lists if item.net != "train"):
            shared = {entry for entry in tested.items if os.path.realpath(entry.image) in paths}
            shared |= {check.entry for check in tested.checks if check.digest in digests}
            if not shared:
                continue
            first = min(shared, key=lambda entry: entry.line)
            report.add(
                WARNING,
                "list",
                f"{len(shared)} of the {len(tested.items)} images of '{tested.items.path}' are in the training list "
                f"'{learned.items.path}' too, such as {tested.items.where(first)}: '{first.image}'",
                "Their score says nothing about new images; test on others.",
                net=tested.net,
            )


def _paths(items: Iterable[ListEntry]) -> set[str]:
    return {os.path.realpath(entry.image) for entry in items}
