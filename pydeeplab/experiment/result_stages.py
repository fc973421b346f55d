"""Stages that score label maps, and put ours beside the paper's."""

from __future__ import annotations

from pydeeplab.experiment.report import source_of, write_report
from pydeeplab.experiment.stage import Stage
from pydeeplab.experiment.subject import Subject

__all__ = ["report", "score"]


_WITH_VOID = ("voc12", "cityscapes", "camvid")
"""Data sets whose label maps mark borders as void: the paper's trimaps are around these."""


def _sources(subject: Subject) -> tuple[str, ...]:
    """The truth and all label maps, as `eval` and `figure` take them."""
    folders = subject.label_folders().items()
    return (
        "--list", subject.test_list.as_posix(), "--root", subject.data_root, "--classes", subject.classes,
        *(word for name, path in folders for word in ("--predicted", f"{name}={path.as_posix()}")),
    )  # fmt: skip


def score(subject: Subject) -> Stage:
    """Mean IoU and more."""
    scores, page = subject.result("_scores.json"), subject.result("_scores.html")
    command = ("eval", *_sources(subject), "--json", scores.as_posix(), "--html", page.as_posix(), "--quiet")
    inputs = [subject.test_list, *subject.label_folders().values()]
    key = f"score_{subject.experiment.slug}"
    return Stage("score", key, [command], inputs, subject.classes, [scores, page])


def report(subject: Subject) -> Stage:
    """The page of the experiment."""
    experiment, target, figures = subject.experiment, subject.result("_report.html"), subject.result("_figures")
    commands, inputs = [], list(subject.label_folders().values())
    if experiment.data.truth:
        names = ("trimap", "panels", *(("failures",) if len(inputs) > 1 else ()))
        around = "void" if experiment.data.dataset in _WITH_VOID else "edges"
        options = ("--trimap-around", around, "--small", "--quiet", "--out", figures.as_posix())
        commands = [("figure", *names, *_sources(subject), *options)]
        inputs = [subject.result("_scores.json"), *inputs]

    def write() -> None:
        stages = ("train", "train2") if subject.layout.stage_2 else ("train",)
        logs = {s: subject.layout.log / f"{subject.config_of(s).target('train').stem}.log" for s in stages}
        source = source_of(experiment.expected)
        pictures = [figures / name for name in ("trimap.svg", "panels.png", "failures.png")]
        write_report(
            target,
            f"{experiment.title} ({source})" if source else experiment.title,
            subject.numbers(),
            subject.settings(),
            logs={name: path for name, path in logs.items() if path.is_file()},
            pictures=[*pictures, subject.search_result.with_name("search.png")],
            files={
                "classes, confusion and pictures": subject.result("_scores.html"),
                **{f"label maps {name}": path for name, path in subject.label_folders().items()},
            },
        )

    does = f"writes {target}: ours beside the paper's, settings, training, figures"
    settings = f"{experiment.expected} {experiment.title} {experiment.note}"
    key = f"report_{experiment.slug}"
    return Stage("report", key, commands, inputs, settings, [target], action=write, does=does)
