"""A folder of scenes as data sets come: pictures, label maps, and lists of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pydeeplab.data.synthetic import CLASSES, scene
from pydeeplab.errors import UsageError
from pydeeplab.files import make_folder, write_text
from pydeeplab.threads import get_num_threads

__all__ = ["HELD_OUT", "TRAINING", "SceneFolder", "write_scenes"]

TRAINING, HELD_OUT = (201, 241), (241, 321)
"""Height and width of the scenes, in pixels."""

_MOST = 1_000_000
"""Scenes of a seed: the held-out ones are the first half's, the others for training."""


@dataclass(frozen=True)
class SceneFolder:
    """Where the scenes of a demo lie: ``images``, ``masks``, ``train.txt``, ``val.txt``, ``classes.txt``."""

    path: Path

    @property
    def training_list(self) -> Path:
        """The list of the scenes to train on."""
        return self.path / "train.txt"

    @property
    def held_out_list(self) -> Path:
        """The list of the scenes to score."""
        return self.path / "val.txt"


@dataclass(frozen=True)
class _Job:
    folder: Path
    name: str
    seed: int
    size: tuple[int, int]

    @property
    def line(self) -> str:
        return f"images/{self.name}.png masks/{self.name}.png\n"

    def draw(self) -> None:
        image, labels = scene(self.seed, *self.size)
        Image.fromarray(image).save(self.folder / "images" / f"{self.name}.png", compress_level=1)
        Image.fromarray(labels).save(self.folder / "masks" / f"{self.name}.png")


def _jobs(folder: Path, kind: str, first: int, count: int, size: tuple[int, int]) -> list[_Job]:
    return [_Job(folder, f"{kind}_{index:04}", first + index, size) for index in range(count)]


def write_scenes(
    folder: Path, *, seed: int, training: int, held_out: int, watch: Callable[[], object] = lambda: None
) -> SceneFolder:
    """Draw scenes and write them as a data set.

    Parameters
    ----------
    folder
        Made where it is missing.
    seed
        Determines all scenes; other seeds give other ones.
    training, held_out
        How many scenes to train on, and to score; no scene is both.
    watch
        Called after each scene.

    Notes
    -----
    The lists are written last: a folder that was left half done has none.

    Raises
    ------
    UsageError
        The counts or the seed are out of range.
    OutputError
        The folder cannot be written.
    """
    if not (0 <= training <= _MOST // 2 and 1 <= held_out <= _MOST // 2 and 0 <= seed < _MOST):
        raise UsageError(f"cannot draw {training} and {held_out} scenes of seed {seed}: at most {_MOST // 2} of each")
    for name in ("images", "masks"):
        make_folder(folder / name)
    drawn = {
        "train": _jobs(folder, "train", seed * _MOST + _MOST // 2, training, TRAINING),
        "val": _jobs(folder, "val", seed * _MOST, held_out, HELD_OUT),
    }
    for _ in _draw([job for jobs in drawn.values() for job in jobs]):
        watch()
    for kind, jobs in drawn.items():
        write_text(folder / f"{kind}.txt", "".join(job.line for job in jobs))
    write_text(folder / "classes.txt", "\n".join(CLASSES) + "\n")
    return SceneFolder(folder)


def _draw(jobs: list[_Job]) -> Iterator[None]:
    with ThreadPoolExecutor(get_num_threads()) as pool:
        yield from pool.map(_Job.draw, jobs)
