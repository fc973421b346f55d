"""A stage of an experiment: what it reads, what it leaves, the commands in between, and whether it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydeeplab.experiment.marks import Marks, changed_inputs, fingerprint

__all__ = ["STAGES", "Stage", "State"]

STAGES = ("prepare", "init", "train", "train2", "test", "crf-search", "crf", "score", "report")
"""All stages in their order; an experiment has those that it needs."""

Command = tuple[str, ...]


@dataclass(frozen=True)
class State:
    """Where a stage stands.

    Attributes
    ----------
    word
        ``done``; ``found``: its outputs are there, but were made elsewhere; ``begun``: it was interrupted, and goes on;
        ``changed``: it was done, with other inputs; ``open``; ``missing``: something is needed first.
    why
        The inputs that changed, or what is needed.
    """

    word: str
    why: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether there is nothing to do."""
        return self.word in ("done", "found")


@dataclass(frozen=True)
class Stage:
    """One stage. Paths are relative to the work folder, in which its commands are run.

    Attributes
    ----------
    name, key
        One of `STAGES`; the name of its mark.
    commands
        Arguments of ``pydeeplab``.
    inputs, settings
        Files and folders, and all else that the outputs depend on.
    outputs
        Files, all of which are there when it is done.
    missing
        What is needed and cannot be made by an earlier stage.
    needs_all
        Whether that is needed even if the outputs are there.
    action
        What is done after the commands, and ``does``, what that is in words.
    stale
        Files and folders to put aside when the inputs are no longer those that they were begun with.
    """

    name: str
    key: str
    commands: Sequence[Command] = ()
    inputs: Sequence[Path] = ()
    settings: str = ""
    outputs: Sequence[Path] = ()
    missing: Sequence[str] = ()
    action: Callable[[], Any] | None = None
    does: str = ""
    stale: Sequence[Path] = ()
    needs_all: bool = False

    def state(self, marks: Marks) -> State:
        """Where it stands; to be asked with the work folder as working folder."""
        if self.needs_all and self.missing:
            return self._open()
        mark = marks.read(self.key)
        there = all(path.exists() for path in self.outputs)
        if not mark:
            if self.outputs and there and self.name not in ("score", "report"):
                return State("found")
            return self._open()
        changed = changed_inputs(mark["inputs"], fingerprint(self.inputs, self.settings, mark["inputs"]))
        if changed:
            return self._open("changed", changed)
        if mark["state"] == "done" and there:
            return State("done")
        return self._open("begun" if mark["state"] == "begun" else "open")

    def _open(self, word: str = "open", why: Sequence[str] = ()) -> State:
        return State("missing", tuple(self.missing)) if self.missing else State(word, tuple(why))
