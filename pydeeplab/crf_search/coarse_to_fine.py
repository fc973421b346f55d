"""Finding the parameters of the bilateral kernel by cross-validation, from coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydeeplab.crf.parameters import CRFParameters
from pydeeplab.crf_search.engine import RunAll, open_engine
from pydeeplab.crf_search.grid import PAPER_GRID, Grid, Point, beyond, neighbours
from pydeeplab.crf_search.results import Results, describe
from pydeeplab.crf_search.task import Answer, Sample, Setting, Task, tasks_of
from pydeeplab.errors import DataError, PydeeplabError
from pydeeplab.evaluation.confusion import ConfusionMatrix

__all__ = ["Search", "search"]

Watch = Callable[[str, int, int], None]

_MOST_MOVES = 30


@dataclass
class Search:
    """What a search found.

    Attributes
    ----------
    best : tuple of float
        w1, sigma_alpha and sigma_beta of the largest mean IoU; of equal ones the smallest.
    params : CRFParameters
        All parameters.
    points : dict of tuple to ConfusionMatrix
        The counts of all pictures at each point that was tried.
    before : ConfusionMatrix
        The counts without the CRF.
    pictures : tuple of str
        Those that were counted.
    failed : tuple of str
        What is wrong with those that were not.
    rounds : list of tuple
        After each round, its steps and its best point.
    """

    best: Point
    params: CRFParameters
    points: dict[Point, ConfusionMatrix]
    before: ConfusionMatrix
    pictures: tuple[str, ...]
    failed: tuple[str, ...] = ()
    rounds: list[tuple[Point, Point]] = field(default_factory=list)

    @property
    def mean_iou(self) -> float:
        """Mean IoU at the best point, 0..1."""
        return self.points[self.best].mean_iou()

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it; `CRFParameters.parse` reads the best parameters from a file of it."""
        keys = ("w", "xy", "rgb")
        ranked = sorted(self.points, key=lambda p: (-self.points[p].mean_iou(), p))
        best = self.points[self.best]
        return {
            "params": str(self.params),
            "best": {
                "params": str(self.params),
                **dict(zip(keys, self.best, strict=True)),
                "mean_iou": best.mean_iou(),
                "mean_iou_of_true_classes": best.mean_iou("untrue"),
            },
            "before": {
                "mean_iou": self.before.mean_iou(),
                "mean_iou_of_true_classes": self.before.mean_iou("untrue"),
            },
            "rounds": [
                {"steps": dict(zip(keys, steps, strict=True)), "best": dict(zip(keys, point, strict=True))}
                for steps, point in self.rounds
            ],
            "pictures": list(self.pictures),
            "failed": list(self.failed),
            "points": [{**dict(zip(keys, p, strict=True)), "mean_iou": self.points[p].mean_iou()} for p in ranked],
        }


def search(
    samples: Sequence[Sample],
    setting: Setting,
    results: str,
    grid: Grid = PAPER_GRID,
    *,
    rounds: int = 2,
    workers: int = 1,
    engine: str = "futures",
    scheduler: str | None = None,
    watch: Watch | None = None,
) -> Search:
    """Try the bilateral kernels of a grid, then finer steps around the best.

    After the grid, all points one step from the best one are tried, along one axis or several, as long as that finds a
    better one, and further points in the direction of each improvement: so the search leaves the grid where the best
    lies on its border. Then steps are halved, ``rounds`` times.

    Parameters
    ----------
    samples : sequence of Sample
        The pictures.
    setting : Setting
        What does not vary.
    results : path
        File for the counts; a search that was stopped goes on with those that it holds.
    grid : Grid
        The first round; the paper's by default. An axis of one value stays as it is.
    rounds : int
        How often steps are halved.
    workers, engine, scheduler
        See `open_engine`.
    watch : function, optional
        Called with what is being done, how many pictures were refined for it, and how many will be.

    Returns
    -------
    Search

    Raises
    ------
    DataError
        No picture can be used.
    UsageError, DataError, OutputError
        The results file belongs to another search, is damaged, or cannot be written.
    """
    kept = Results(results, describe(samples, setting))
    try:
        with open_engine(setting, workers, engine, scheduler) as answers:
            return _Climb(list(samples), setting, kept, answers, watch or (lambda *_: None)).run(grid, rounds)
    finally:
        kept.close()


@dataclass
class _Climb:
    """A search while it runs."""

    samples: list[Sample]
    setting: Setting
    results: Results
    answers: RunAll
    watch: Watch
    tried: dict[Point, ConfusionMatrix] = field(default_factory=dict)

    def run(self, grid: Grid, rounds: int) -> Search:
        failed = self._read_all()
        if not self.samples:
            raise DataError("no picture can be used: " + "; ".join(failed[:3]))
        names = [sample.name for sample in self.samples]
        best = self._try(grid.points(), "coarse grid")
        steps, history = grid.steps(), []
        for _ in range(rounds + 1):
            best = self._climb(best, steps)
            history.append((steps, best))
            steps = (steps[0] / 2, steps[1] / 2, steps[2] / 2)
        w, xy, rgb = best
        params = replace(self.setting.params, bi_w=(w,), bi_xy_std=(xy,), bi_rgb_std=(rgb,))
        before = self.results.matrix(None, names)
        return Search(best, params, self.tried, before, tuple(names), tuple(failed), history)

    def _read_all(self) -> list[str]:
        """Count all pictures without CRF; those that cannot be read are dropped, and named."""
        missing = [Task(s) for s in self.samples if not self.results.has(s.name, None)]
        failed: list[str] = []
        if missing:
            self.watch("reading", 0, len(missing))
            for done, answer in enumerate(self.answers(missing), 1):
                failed += [answer.error] if answer.error else []
                self.results.add(answer)
                self.watch("reading", done, len(missing))
        self.samples = [s for s in self.samples if self.results.has(s.name, None)]
        return sorted(failed)

    def _climb(self, best: Point, steps: Point) -> Point:
        """Move by steps to better points until there is none: to the best neighbour, then on in that direction."""
        label = "steps " + ", ".join(f"{step:g}" for step in steps)
        for _ in range(_MOST_MOVES):
            found = self._try(neighbours(best, steps), label)
            if found == best:
                break
            ahead = beyond(best, found)
            while ahead is not None and (better := self._try([ahead], label)) != found:
                found, ahead = better, beyond(found, better)
            best = found
        return best

    def _try(self, points: Sequence[Point], label: str) -> Point:
        """Refine all pictures at the points that are new, and return the best of all that were ever tried."""
        new = [p for p in points if p not in self.tried]
        tasks = [
            task
            for sample in self.samples
            for task in tasks_of(sample, (p for p in new if not self.results.has(sample.name, p)))
        ]
        total = sum(len(weights) for task in tasks for _, weights in task.kernels)
        if tasks:
            self.watch(label, 0, total)
            done = 0
            for answer in self.answers(tasks):
                self._keep(answer)
                done += len(answer.cells)
                self.watch(label, done, total)
        names = [sample.name for sample in self.samples]
        self.tried |= {point: self.results.matrix(point, names) for point in new}
        return min(self.tried, key=lambda p: (-self.tried[p].mean_iou(), p))

    def _keep(self, answer: Answer) -> None:
        if answer.error:
            raise PydeeplabError(f"a picture could be read before, and cannot be now: {answer.error}")
        self.results.add(answer)
