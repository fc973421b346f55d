"""Checking the sizes of images against crops, and the labels of padding."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.data.transform import Augmenter
from pydeeplab.data.twister import Twister
from pydeeplab.errors import PydeeplabError
from pydeeplab.layer import TRAIN
from pydeeplab.preflight.items import ItemCheck
from pydeeplab.preflight.report import ERROR, WARNING
from pydeeplab.preflight.subject import Subject, more

__all__ = ["check_sizes"]

Size = tuple[int, int]


def check_sizes(subject: Subject) -> None:
    """Image sizes against the crop, or against each other where there is none."""
    if subject.options.new_height:
        return
    try:
        augmenter = Augmenter(
            subject.layer.param.transform_param,
            train=subject.view.phase == TRAIN,
            channels=3 if subject.options.is_color else 1,
            random=Twister(0),
        )
    except PydeeplabError as error:
        subject.add(ERROR, "crop", f"{subject.layer.label}: {error}")
        return
    sized = [(check, check.size) for check in subject.checks if check.size is not None]
    if augmenter.crop is None:
        _check_equal(subject, sized)
        return
    least = min([float(factor) for factor in augmenter.scale_factors], default=1.0)
    small = [
        (check, size)
        for check, size in sized
        if any(int(have * least) < need for have, need in zip(size, augmenter.crop, strict=True))
    ]
    if small:
        _check_padding(subject, small, augmenter.crop, least)


def _check_equal(subject: Subject, sized: Sequence[tuple[ItemCheck, Size]]) -> None:
    """Without a crop, a batch of several images holds one size only."""
    if int(subject.options.batch_size) < 2:
        return
    for check, size in sized:
        first = sized[0][1]
        if size != first:
            subject.add(
                ERROR,
                "crop",
                f"{subject.items.where(check.entry)}: the image is {_text(size)} (height x width), the first one "
                f"{_text(first)}; a batch of {subject.options.batch_size} holds images of one size",
                "Give a crop_size, or new_height and new_width, or batch_size: 1.",
            )
            return


def _check_padding(subject: Subject, small: Sequence[tuple[ItemCheck, Size]], crop: Size, least: float) -> None:
    """Images smaller than the crop: padded (then the padding must be ignored), or refused."""
    check, size = small[0]
    scaled = f" at scale {least:g}" if least != 1 else ""
    which = (
        f"{subject.items.where(check.entry)}: the image ({_text(size)}){scaled} is smaller than the crop "
        f"{_text(crop)}{more(len(small) - 1, 'image')}"
    )
    kind = subject.layer.param.type
    if kind != "ImageSegData":
        subject.add(ERROR, "crop", which, f"{kind} does not pad: choose a smaller crop.")
        return
    pad, rule = int(subject.options.ignore_label), subject.layer.rule
    if rule is None or pad in rule.ignored:
        return
    if rule.allows(pad):
        text = f"{which}; its padding gets label {pad}, which is a class that layer '{rule.judge}' does not ignore"
        subject.add(WARNING, "label", text, f"Add ignore_label: {pad} to its loss_param, or pad with another label.")
    else:
        text = f"{which}; its padding gets label {pad}, which layer '{rule.judge}' neither knows nor ignores"
        subject.add(ERROR, "label", text, f"Add ignore_label: {pad} to its loss_param.")


def _text(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
