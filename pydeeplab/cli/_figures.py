"""What figures are drawn from: scored results, a picture, a net; each read when first needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.cli._device import processes_at_once
from pydeeplab.cli._nets import defines_of
from pydeeplab.cli._options import prints_json
from pydeeplab.cli._progress import Progress
from pydeeplab.cli._results import check_results, files_of, net_of, pictures_of, rules_of
from pydeeplab.crf import CRFParameters
from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.palette import colorize, write_label_png, write_png
from pydeeplab.data.synthetic import scene
from pydeeplab.errors import DataError, UsageError, counted, did_you_mean
from pydeeplab.evaluation.parallel import score_in_processes, score_in_threads
from pydeeplab.evaluation.pictures import Picture
from pydeeplab.evaluation.predictors import NetPredictor
from pydeeplab.evaluation.scoring import Evaluation, PictureScore
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.segmentation import Segmenter
from pydeeplab.segmentation.alignment import alignment_of
from pydeeplab.segmentation.deploy import read_deploy
from pydeeplab.segmentation.ends import find_input

__all__ = ["Material"]

_SCORED = ("trimap", "panels", "failures")
_DEFAULT_NET = "voc12/vgg16_aspp_l"
_SCENE_SIZE, _FIRST_SCENE = (241, 321), 1000


class Material:
    """What the arguments of ``pydeeplab figure`` name.

    Parameters
    ----------
    args : Namespace
    folder : Path
        For files that last as long as this object is used.
    """

    def __init__(self, args: argparse.Namespace, folder: Path):
        self.args, self._folder = args, folder
        if args.scenes and (args.list or args.truth or args.predicted):
            raise UsageError("--scenes are pictures of their own: leave out --list, --truth and --predicted")
        if args.scenes and not (args.net or args.model):
            args.model = "shapes"

    def lacking(self, name: str) -> str | None:
        """What is missing for a figure, or None."""
        args = self.args
        truth, results = args.scenes or args.list or args.truth, args.predicted or self._has_net
        if name in _SCORED:
            if not (truth and results):
                return "there are no results: --truth with --predicted or a net, or --scenes"
            if name == "failures" and len(self.evaluation().variants) < 2:
                return "there is only one result"
        if name == "mean-field" and not (self._has_net and self.net.variants[1:]):
            return "there is no net with a CRF"
        if name in ("mean-field", "aspp", "atrous") and not (args.image or args.scenes or args.list or args.images):
            return "there is no picture: --image"
        return None

    def _need(self, name: str) -> None:
        lacking = self.lacking(name)
        if lacking is not None:
            raise UsageError(f"{name}: {lacking}")

    # Results ---------------------------------------------------------------------------------------------------------

    @property
    def _has_net(self) -> bool:
        """Whether there is a net with weights."""
        return bool(self.args.model or (self.args.net and self.args.weights))

    @cached_property
    def net(self) -> NetPredictor:
        """The net with its weights and CRF."""
        net = net_of(self.args)
        assert net is not None
        return net

    @cached_property
    def pictures(self) -> list[Picture]:
        """The pictures with their truth."""
        if not self.args.scenes:
            return pictures_of(self.args)[: self.args.limit]
        pictures = []
        for number in range(_FIRST_SCENE, _FIRST_SCENE + self.args.scenes):
            image, truth = scene(number, *_SCENE_SIZE)
            paths = [self._folder / f"{kind}{number}.png" for kind in ("image", "truth")]
            write_png(paths[0], image)
            write_label_png(paths[1], truth)
            pictures.append(Picture(f"scene {number}", paths[1], paths[0]))
        return pictures[: self.args.limit]

    def evaluation(self) -> Evaluation:
        """All pictures scored; what could not be is in it, too.

        Raises
        ------
        DataError
            None could be scored.
        """
        evaluation = self._evaluation
        if not evaluation.scores:
            reason = evaluation.failed[0].error if evaluation.failed else "there are none"
            raise DataError(f"no picture could be scored: {reason}")
        return evaluation

    @cached_property
    def _evaluation(self) -> Evaluation:
        if not self.args.scenes:
            check_results(self.args)
        net = self.net if self._has_net else None
        options = {"trimap": self.args.trimap_widths, "around": self.args.trimap_around, "keep": True}
        rules = rules_of(self.args, net, **options)
        pictures = self.pictures
        if net is not None:
            evaluation = Evaluation(rules, net.variants)
            results: Iterable[PictureScore] = score_in_processes(
                net, rules, pictures, processes_at_once(self.args.jobs)
            )
        else:
            files = files_of(self.args, rules.classes)
            evaluation = Evaluation(rules, files.variants)
            results = score_in_threads(files, rules, [files.find(p) for p in pictures], self.args.jobs)
        with Progress(len(pictures), "scoring", quiet=self.args.quiet or prints_json(self.args)) as progress:
            for score in results:
                evaluation.add(score)
                progress.advance(score.picture.name)
        for failed in evaluation.sorted_failures():
            print(f"not scored: {failed.picture.name}: {failed.error}", file=sys.stderr)
        return evaluation

    @property
    def not_scored(self) -> list[PictureScore]:
        """Pictures that could not be scored, if any were needed so far."""
        return self._evaluation.sorted_failures() if "_evaluation" in vars(self) else []

    @property
    def note(self) -> str:
        """For captions: how results were made, and what is not in them."""
        words = []
        if self._has_net:
            words.append(f"Net: {self.net_name}{self._crf_words}.")
        failed = len(self.evaluation().failed)
        if failed:
            words.append(f"{counted(failed, 'picture')} could not be scored.")
        return " ".join(words)

    @property
    def _crf_words(self) -> str:
        return f"; CRF: {self._crf}" if self._has_net and self.net.variants[1:] else ""

    @property
    def _crf(self) -> str:
        given = self.net.options["crf"]
        return str(
            CRFParameters() if given is True else CRFParameters.parse(given) if isinstance(given, str) else given
        )

    @property
    def settings(self) -> dict[str, str]:
        """For the page: where everything came from."""
        args = self.args
        scenes = f"{counted(args.scenes, 'scene')} of pydeeplab's own" if args.scenes else None
        settings = {"pictures": scenes or args.list or args.truth or args.image}
        settings["net"] = self.net_name if args.net or args.model else None
        settings["CRF"] = self._crf if self._crf_words else None
        return {name: str(value) for name, value in settings.items() if value}

    # One picture -----------------------------------------------------------------------------------------------------

    def image(self) -> tuple[NDArray[np.uint8], str]:
        """A picture and its name: the one given, or the first."""
        if self.args.image:
            return _rgb(read_image(self.args.image)), Path(self.args.image).stem
        if not (self.args.scenes or self.args.list or self.args.images):
            raise UsageError("there is no picture: name one with --image")
        picture = self.pictures[0]
        if picture.image is None:
            raise UsageError("there is no picture: name one with --image")
        return _rgb(read_image(picture.image)), picture.name

    def mean_field(self, class_name: str | None) -> dict[str, Any]:
        """Arguments of `mean_field_figure` for a class, by default the most frequent beside the background."""
        self._need("mean-field")
        picture = Picture("", Path(), Path(self.args.image)) if self.args.image else self.pictures[0]
        image, name = self.image()
        segmenter = self.net.segmenter
        index = _class_index(segmenter, image, class_name)
        scores, beliefs = self.net.iterations(picture, index)
        truth = None
        if not self.args.image:
            palette = segmenter.classes.palette
            truth = colorize(read_label(picture.truth, palette), palette)
        described = {"name": name, "class_name": segmenter.classes.label(index), "parameters": self._crf}
        return {"image": image, "scores": scores, "beliefs": beliefs, "truth": truth, **described}

    # The net itself --------------------------------------------------------------------------------------------------

    @property
    def net_name(self) -> str:
        """What to call the net in captions."""
        if self.args.model:
            return Path(self.args.model).stem
        return str(self.args.net or _DEFAULT_NET)

    @property
    def _prototxt(self) -> str:
        if self.args.model:
            return str(self.net.options["net"])
        return str(self.args.net or _DEFAULT_NET)

    def bare_net(self, size: tuple[int, int] | None = None) -> Net:
        """The net, its weights not loaded, at a picture's size."""
        net = Net.from_source(read_deploy(self._prototxt, defines_of(self.args)), TEST)
        if size is not None:
            blob, alignment = net.blobs[find_input(net)], alignment_of(net)
            blob.reshape(1, blob.shape[1], *(alignment.fit(side) for side in size))
            net.reshape()
        return net

    def net_with_gradients(self, image: NDArray[np.uint8]) -> tuple[Net, str, bool]:
        """The net, its input, and whether it has weights; if so it has run on the image and keeps all blobs."""
        if not self._has_net:
            net = self.bare_net((image.shape[0], image.shape[1]))
            return net, find_input(net), False
        options = {k: v for k, v in self.net.options.items() if k not in ("net", "weights", "defines", "engine", "crf")}
        source = read_deploy(self._prototxt, defines_of(self.args))
        source.param.force_backward = True
        net = Net.from_source(source, TEST, weights=self.net.options["weights"])
        for _ in Segmenter(net, **options | {"tile": 2 * max(image.shape) + 64}).strips(image):
            pass
        return net, find_input(net), True


def _rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image


def _class_index(segmenter: Segmenter, image: NDArray[np.uint8], name: str | None) -> int:
    """The number of a class by name or number; by default of the most frequent in the picture beside the background."""
    classes, count = segmenter.classes, segmenter.channels or 0
    labels = [classes.label(i) for i in range(count)]
    if name is not None:
        if name in labels:
            return labels.index(name)
        if name.isdecimal() and int(name) < count:
            return int(name)
        raise UsageError(f"the net has no class '{name}'.{did_you_mean(name, labels)} Its classes: {', '.join(labels)}")
    counts = segmenter(image, probabilities=False).counts()
    foreground = {i: n for i, n in counts.items() if i != classes.background} or counts
    return max(foreground, key=lambda i: foreground[i])
