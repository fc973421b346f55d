"""The prototxts of an experiment: nets and solvers of the paper with its changes, or templates filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydeeplab.errors import UsageError
from pydeeplab.experiment.edits import change_training_data, halve_input, write_scores
from pydeeplab.experiment.layout import Layout
from pydeeplab.experiment.spec import Experiment
from pydeeplab.experiment.variables import expand
from pydeeplab.proto import parse_net, parse_solver
from pydeeplab.proto import write_text as message_text
from pydeeplab.resources import find_net

__all__ = ["Config"]

Shrink = Callable[[Any, str], None]
"""Changes a net or solver in place, given what it is: train, test, deploy, solver."""


@dataclass(frozen=True)
class Config:
    """The prototxts of one experiment in one work folder.

    Attributes
    ----------
    experiment, layout
        Of one stage of training: `stage` gives that of another.
    variables
        Values for ``${NAME}``.
    folder
        The work folder; a net's name may be a folder below it.
    shrink
        For trying things out: changes every net and solver last.
    """

    experiment: Experiment
    layout: Layout
    variables: Mapping[str, str]
    folder: Path
    shrink: Shrink | None = None

    def source(self, kind: str) -> Path:
        """The prototxt that a file is made from.

        Raises
        ------
        UsageError
            There is no such net, or it has no such file.
        """
        name = self.experiment.net.name
        for place in (self.folder / name, self.experiment.path.parent / name):
            if place.is_dir():
                return find_net(place, kind)
        return find_net(name, kind)

    @property
    def own(self) -> bool:
        """Whether the net is one of the user's, not one that comes with pydeeplab."""
        return any((place / self.experiment.net.name).is_dir() for place in (self.folder, self.experiment.path.parent))

    @property
    def test_net(self) -> str:
        """Which prototxt is for images of any size: ``deploy``, or of a net without one that for testing."""
        try:
            self.source("deploy")
        except UsageError:
            return "test"
        return "deploy"

    def target(self, kind: str) -> Path:
        """The file that is written, relative to the work folder."""
        sets = {"train": self.layout.train_set, "solver": self.layout.train_set, "test": self.layout.test_set}
        name = f"{kind}_{sets[kind]}" if kind in sets else kind
        return self.layout.config(name)

    def solver(self) -> Any:
        """The solver's settings, with the experiment's in their place."""
        kind = "solver2" if self.layout.stage_2 and self._has("solver2") else "solver"
        source = self.source(kind)
        param = parse_solver(expand(source, self.variables), filename=str(source)).param
        changes = {**self.experiment.solver, **(self.experiment.solver2 if self.layout.stage_2 else {})}
        for key, value in changes.items():
            if isinstance(value, list):
                getattr(param, key)[:] = value
            else:
                setattr(param, key, value)
        for named in ("net", "net_param", "train_net_param"):
            param.ClearField(named)
        param.train_net, param.snapshot_prefix = self.target("train").as_posix(), self.layout.prefix.as_posix()
        if self.shrink:
            self.shrink(param, "solver")
        return param

    def net(self, kind: str, *, scores: bool = False) -> Any:
        """A net with the experiment's changes; ``scores``: one for testing that writes them to files."""
        source = self.source(kind)
        param = parse_net(expand(source, self.variables), filename=str(source)).param
        chosen = self.experiment.net
        if kind == "train":
            change_training_data(
                param, str(source), batch_size=chosen.batch_size, augment=chosen.augment, scale=chosen.input_scale
            )
        elif chosen.input_scale != 1:
            halve_input(param)
        if scores:
            write_scores(
                param, f"{self.layout.score_files.as_posix()}/", self.layout.ids(self.layout.test_set).as_posix()
            )
        if self.shrink:
            self.shrink(param, kind)
        return param

    def texts(self, *, scores: bool = False) -> dict[Path, str]:
        """The text of every file, by its path below the work folder."""
        files = {self.target("solver"): self._text(self.solver()), self.target("train"): self._net_text("train")}
        if scores or self.test_net == "test":
            files[self.target("test")] = self._net_text("test", scores=scores)
        if self.test_net == "deploy":
            files[self.target("deploy")] = self._net_text("deploy")
        return files

    def first_stage(self) -> Config:
        """The same for the first of two stages of training."""
        layout = replace(self.layout, train_set=self.experiment.data.train, stage_2=False)
        features = layout.feature_dir.as_posix()
        variables = {**self.variables, "TRAIN_SET": layout.train_set, "FEATURE_DIR": features, "TRAIN_STEP": "1"}
        return replace(self, layout=layout, variables=variables)

    def _has(self, kind: str) -> bool:
        try:
            self.source(kind)
        except UsageError:
            return False
        return True

    def _net_text(self, kind: str, *, scores: bool = False) -> str:
        chosen = self.experiment.net
        unchanged = chosen.batch_size is None and chosen.augment is None and chosen.input_scale == 1 and not self.shrink
        if self.own and unchanged and not scores:
            source = self.source(kind)
            return expand(source, self.variables)
        return self._text(self.net(kind, scores=scores))

    def _text(self, message: Any) -> str:
        return f"# Written by `pydeeplab experiment run {self.experiment.name}`.\n\n{message_text(message)}"
