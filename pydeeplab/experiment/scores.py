"""Results of an experiment: what its stages have found, beside what the paper reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydeeplab.crf import CRFParameters
from pydeeplab.errors import DataError, PydeeplabError
from pydeeplab.experiment.spec import Expected
from pydeeplab.json_values import read_object

__all__ = ["AFTER", "BEFORE", "Comparison", "comparisons", "read_scores", "read_search"]

BEFORE, AFTER = "before CRF", "after CRF"


def read_search(path: Path) -> CRFParameters | None:
    """The best parameters that a search found; None where it has not been done.

    Raises
    ------
    DataError
        The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return CRFParameters.parse(str(path))
    except PydeeplabError as error:
        raise DataError(f"{error}. Remove {path}, and search again.") from None


def read_scores(path: Path) -> dict[str, float]:
    """The mean IoU in per cent of each variant that was scored; empty where nothing was.

    Raises
    ------
    DataError
        The file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        variants = read_object(path).get("variants")
    except DataError as error:
        raise DataError(f"{error}; remove it, and score again") from None
    try:
        return {name: 100 * float(scores["mean_iou"]) for name, scores in dict(variants or {}).items()}
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path}: holds no scores of `pydeeplab eval`; remove it, and score again") from None


@dataclass(frozen=True)
class Comparison:
    """One number: mean IoU in per cent before or after the CRF, ours and the paper's; None where there is none."""

    variant: str
    ours: float | None
    paper: float | None

    @property
    def difference(self) -> float | None:
        """Ours less the paper's."""
        return None if self.ours is None or self.paper is None else self.ours - self.paper


def comparisons(expected: Expected, ours: dict[str, float]) -> list[Comparison]:
    """Ours beside the paper's, before and after the CRF, where either is known.

    Examples
    --------
    >>> comparisons(Expected(before_crf=62.25), {"before CRF": 61.0})
    [Comparison(variant='before CRF', ours=61.0, paper=62.25)]
    """
    pairs = [Comparison(v, ours.get(v), p) for v, p in ((BEFORE, expected.before_crf), (AFTER, expected.after_crf))]
    return [pair for pair in pairs if pair.ours is not None or pair.paper is not None]
