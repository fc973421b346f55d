"""Stages that score label maps, and put ours beside the paper's."""

from __future__ import annotations

from pydeeplab.experiment.report import source_of, write_report
from pydeeplab.experiment.stage import Stage
from pydeeplab.experiment.subject import Subject

__all__ = ["report", "score"]


def score(subject: Subject) -> Stage:
    """Mean IoU and more."""
    folders = subject.label_folders()
    predicted = [word for name, path in folders.items() for word in ("--predicted", f"{name}={path.as_posix()}")]
    targets = {option: subject.result(end) for option, end in
               (("--json", "_scores.json"), ("--html", "_scores.html"), ("--trimap", "_trimap.csv"))}  # fmt: skip
    command = (
        "eval", "--list", subject.test_list.as_posix(), "--root", subject.data_root, "--classes", subject.classes,
        *predicted, *(word for option, path in targets.items() for word in (option, path.as_posix())), "--quiet",
    )  # fmt: skip
    return Stage(
        "score",
        f"score_{subject.experiment.slug}",
        [command],
        [subject.test_list, *folders.values()],
        subject.classes,
        list(targets.values()),
    )


def report(subject: Subject) -> Stage:
    """The page of the experiment."""
    experiment, target = subject.experiment, subject.result("_report.html")
    scored = experiment.data.truth
    inputs = [subject.result("_scores.json")] if scored else list(subject.label_folders().values())

    def write() -> None:
        stages = ("train", "train2") if subject.layout.stage_2 else ("train",)
        logs = {s: subject.layout.log / f"{subject.config_of(s).target('train').stem}.log" for s in stages}
        source = source_of(experiment.expected)
        write_report(
            target,
            f"{experiment.title} ({source})" if source else experiment.title,
            subject.numbers(),
            subject.settings(),
            logs={name: path for name, path in logs.items() if path.is_file()},
            trimap=subject.result("_trimap.csv"),
            pictures=subject.result("_scores.html"),
            files={f"label maps {name}": path for name, path in subject.label_folders().items()},
        )

    does = f"writes {target}: ours beside the paper's, settings, training"
    settings = f"{experiment.expected} {experiment.title} {experiment.note}"
    return Stage("report", f"report_{experiment.slug}", (), inputs, settings, [target], action=write, does=does)
