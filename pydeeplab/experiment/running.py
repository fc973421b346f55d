"""Running an experiment: stage after stage, leaving out what is done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydeeplab.errors import PydeeplabError, UsageError, did_you_mean
from pydeeplab.experiment.marks import Marks, fingerprint
from pydeeplab.experiment.plan import stages_of
from pydeeplab.experiment.spec import Experiment
from pydeeplab.experiment.stage import STAGES, Stage, State
from pydeeplab.experiment.subject import Subject
from pydeeplab.files import make_folder, write_if_changed

__all__ = ["in_folder", "missing_of", "needs_text", "run_experiment", "states_of"]

Runner = Callable[[Sequence[str]], int]
Tell = Callable[[Stage, State], None]


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Work in a folder, which is made if need be."""
    with contextlib.chdir(make_folder(folder)):
        yield


def states_of(subject: Subject) -> list[tuple[Stage, State]]:
    """All stages and where they stand now."""
    marks = Marks(subject.layout.marks)
    found: list[tuple[Stage, State]] = []
    settled = True
    for stage in stages_of(subject):
        state = _after_others(stage, stage.state(marks), settled)
        settled &= state.settled
        found.append((stage, state))
    return found


def _after_others(stage: Stage, state: State, settled: bool) -> State:
    """Results made elsewhere count only where nothing that they come from is made anew."""
    if state.word == "found" and stage.commands and not settled and stage.name not in ("train", "train2"):
        return State("changed", ("what comes before it",))
    return state


def missing_of(subject: Subject, until: str = "report", *, start: str = "prepare") -> list[str]:
    """All that is needed before an experiment can be run from one stage until another, and cannot be made by it."""
    needed: list[str] = []
    for stage, state in states_of(subject):
        if STAGES.index(stage.name) < STAGES.index(start):
            continue
        if stage.name in ("prepare", "init", "train") or (stage.name == "crf-search" and not stage.commands):
            needed += state.why if state.word == "missing" else ()
        if stage.name == until:
            break
    return list(dict.fromkeys(needed))


def needs_text(experiment: Experiment, needed: Sequence[str]) -> str:
    """An error's text: all that is needed before an experiment can be run."""
    return f"{experiment.name} cannot be run yet. It needs" + "".join(f"\n  {line}" for line in needed)


def run_experiment(
    subject: Subject,
    runner: Runner,
    *,
    start: str = "prepare",
    until: str = "report",
    again: str = "",
    tell: Tell = lambda *_: None,
) -> None:
    """Run the stages of an experiment that are not done.

    Parameters
    ----------
    subject
        The experiment in its work folder, which is the working folder.
    runner
        Runs a command, given as the arguments of ``pydeeplab``; returns its exit code.
    start, until
        The first and the last stage to run.
    again
        A stage to run even if it is done; later ones run again if what they read changes.
    tell
        Is told each stage and where it stands before it is run or left out.

    Raises
    ------
    UsageError
        An unknown stage, or something that is needed is missing: the message names all of it.
    PydeeplabError
        A command failed.
    """
    for name in filter(None, (start, until, again)):
        if name not in STAGES:
            raise UsageError(f"no stage '{name}'; stages are {', '.join(STAGES)}.{did_you_mean(name, STAGES)}")
    needed = missing_of(subject, until, start=start)
    if needed:
        raise UsageError(needs_text(subject.experiment, needed))
    _write_config(subject)
    marks = Marks(subject.layout.marks)
    settled = True
    for stage in stages_of(subject):
        if STAGES.index(stage.name) < STAGES.index(start):
            continue
        state = _after_others(stage, stage.state(marks), settled)
        settled &= state.settled
        if stage.name == again and state.settled:
            state = State("changed", ("you asked for it",))
        tell(stage, state)
        if not state.settled:
            _run_stage(subject, stage, state, marks, runner)
        if stage.name == until:
            return


def _write_config(subject: Subject) -> None:
    for path, text in subject.texts().items():
        write_if_changed(path, text)


def _run_stage(subject: Subject, stage: Stage, state: State, marks: Marks, runner: Runner) -> None:
    """Run one stage between its two marks."""
    if state.word == "missing":
        raise UsageError(f"{subject.experiment.name}, {stage.name}: it needs {'; '.join(state.why)}")
    if state.word != "begun":
        _set_aside(stage.stale)
    _make_folders(subject, stage)
    inputs = fingerprint(stage.inputs, stage.settings, marks.read(stage.key).get("inputs"))
    commands = [list(command) for command in stage.commands]
    marks.write(stage.key, "begun", inputs, commands=commands)
    start = time.time()
    for command in stage.commands:
        code = runner(command)
        if code:
            raise _failure(subject, stage, command, code)
    if stage.action is not None:
        stage.action()
    absent = [path for path in stage.outputs if not path.exists()]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise PydeeplabError(f"{subject.experiment.name}, {stage.name}: it ended well, but left no {absent[0]}{more}")
    seconds = round(time.time() - start, 1)
    marks.write(stage.key, "done", inputs, commands=commands, seconds=seconds, ended=time.strftime("%F %T"))
    if stage.name == "prepare":
        subject.__dict__.pop("config", None)
        _write_config(subject)


def _failure(subject: Subject, stage: Stage, command: Sequence[str], code: int) -> PydeeplabError:
    if code == 130:
        raise KeyboardInterrupt
    return PydeeplabError(
        f"{subject.experiment.name}, {stage.name}: `pydeeplab {command[0]}` failed with exit code {code}; what it says "
        "is above. Mend that and run the experiment again: it goes on here."
    )


def _make_folders(subject: Subject, stage: Stage) -> None:
    """The folders that outputs and logs go to."""
    for path in (subject.layout.log, subject.layout.model, *{output.parent for output in stage.outputs}):
        make_folder(path)


def _set_aside(paths: Sequence[Path]) -> None:
    """Rename what was made from other inputs: nothing is lost, and nothing of it is taken for new."""
    present = [path for path in paths if path.exists() and ".replaced" not in path.name]
    if not present:
        return
    number = 1
    while any(path.with_name(f"{path.name}.replaced{number}").exists() for path in present):
        number += 1
    for path in present:
        path.rename(path.with_name(f"{path.name}.replaced{number}"))
