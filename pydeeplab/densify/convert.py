"""From a classification net and its weights to a dense net with all that training it takes."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

from pydeeplab.densify.assemble import RESERVED
from pydeeplab.densify.grid import find_grid
from pydeeplab.densify.head import Head, LargeFOV, Plain
from pydeeplab.densify.pace import LARGEST, Pace, Step, follow, possible_strides
from pydeeplab.densify.plan import Plan
from pydeeplab.densify.result import Densified, result_of
from pydeeplab.densify.subject import Subject, read_subject
from pydeeplab.densify.thinning import convert
from pydeeplab.densify.windows import WINDOWS, Windows, dense_layer
from pydeeplab.errors import UsageError, did_you_mean
from pydeeplab.networks.datasets import DATASETS, MEAN_BGR, Dataset
from pydeeplab.networks.heads import Images

__all__ = ["densify"]

USUAL_STRIDE = 8
"""The paper's: pixels from one score to the next."""

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def densify(
    net: str | os.PathLike[str],
    weights: Paths | None = None,
    *,
    classes: int,
    output_stride: int | None = None,
    head: Head | None = None,
    windows: Windows = "exact",
    multi_scale: bool = False,
    experiment: str = "voc12",
    seed: int = 0,
    mean: Sequence[float] | None = None,
    scale: float | None = None,
    image_size: tuple[int, int] | None = None,
    defines: Mapping[str, str] | None = None,
) -> Densified:
    """Make a classification net dense.

    Parameters
    ----------
    net
        Its prototxt: for deployment, or for training and testing.
    weights
        Its weights, of any format that pydeeplab reads; without them only texts come out.
    classes
        Channels of the scores, background included.
    output_stride
        Pixels from one score to the next, from 1 (full resolution) to the net's own. Unless given, 8 as in the paper,
        or the net's own where that is smaller.
    head
        `Plain()` unless given, `LargeFOV(...)` or `ASPP(...)`.
    windows : {"exact", "deeplab"}
        "exact": what the trunk computes at every rate-th place is what the classification net computes, borders
        included; poolings get a dilation and an overhang, which no other Caffe reads. "deeplab": as the
        authors did it, with odd, centred poolings without rates; only convolutions keep their meaning.
    multi_scale
        Three copies of the net, which share their parameters, for images at scales 1, 0.75 and 0.5.
    experiment
        Name of the data set: the classifier and the folder of lists carry it.
    seed
        Of the choice of filters when layers are thinned.
    mean
        Mean of each channel (BGR, of 0..255) that the net's images were less; taken from ``net`` where it says so,
        else that of ImageNet.
    scale
        Factor that its images were multiplied by; taken from ``net``, else 1.
    image_size
        Height and width that the net was trained for, where it does not say.
    defines
        Values for ``${NAME}`` in the prototxt.

    Raises
    ------
    UsageError
        The net cannot be made dense like that; the message names layer and blobs, and the way out.
    PrototxtError, WeightsError
        The files cannot be read, or do not belong together.

    Notes
    -----
    Source: Chen et al. 2018 (DeepLab v2), section 3.1; LargeFOV: section 4.1.1; ASPP: section 3.2.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> text = '''input: "data" input_shape { dim: [1, 3, 32, 32] }
    ... layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
    ...         convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 } }
    ... layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }
    ... layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
    ...         convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
    ... layer { name: "fc" type: "InnerProduct" bottom: "conv2" top: "fc" inner_product_param { num_output: 10 } }'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "net.prototxt")
    ...     _ = path.write_text(text)
    ...     dense = densify(path, classes=2, output_stride=2)
    >>> dense.rate, dense.scores
    ((2, 2), 'fc_interp')
    """
    _check(classes, output_stride, windows, experiment)
    head = head or Plain()
    subject = read_subject(net, weights, defines=defines, image_size=image_size)
    _check_names(subject)
    stride = output_stride or _usual_stride(subject)
    steps, pace = _paces(subject, stride)
    layers = [dense_layer(step, windows) for step in steps]
    grid = find_grid(layers, subject.image, subject.image_shape[1], subject.last, stride)
    plan = Plan(
        subject=subject,
        dataset=_dataset(experiment, classes),
        head=head,
        steps=steps,
        layers=layers,
        converted=convert(subject, head, seed),
        grid=grid,
        stride=stride,
        rate=pace.rate,
        images=_images(subject, mean, scale),
        multi_scale=multi_scale,
        average=windows == "deeplab" and isinstance(head, LargeFOV) and head.kernel_size == 3,
    )
    return result_of(plan, windows, weights is not None)


def _check(classes: int, output_stride: int | None, windows: str, experiment: str) -> None:
    if classes < 2:
        raise UsageError(f"classes must be at least 2 (an object and the background), got {classes}")
    if output_stride is not None and not 1 <= output_stride <= LARGEST:
        raise UsageError(f"output_stride must be from 1 (full resolution) to {LARGEST}, got {output_stride}")
    if windows not in WINDOWS:
        raise UsageError(
            f"windows must be one of {', '.join(WINDOWS)}; got '{windows}'.{did_you_mean(windows, WINDOWS)}"
        )
    if not experiment or any(c in experiment for c in '"\\/ \n$'):
        raise UsageError(f"the experiment's name becomes part of layers' names and paths; '{experiment}' cannot")


def _check_names(subject: Subject) -> None:
    """Names that are needed for what surrounds the trunk must not be taken within it."""
    reserved = RESERVED | ({"data"} if subject.image != "data" else set())
    for site in subject.trunk + subject.hidden:
        taken = reserved.intersection({site.name, *site.param.top} - {subject.image})
        if taken:
            raise site.error(f"the name '{min(taken)}' is needed for a layer around the net; choose another")


def _usual_stride(subject: Subject) -> int:
    """The paper's output stride; the net's own where that is smaller, which is noted."""
    own = follow(subject.trunk, subject.image, None)[1][subject.last]
    smallest = USUAL_STRIDE if own is None else max(1, math.floor(min(own.old)))
    if smallest < USUAL_STRIDE:
        subject.notes.append(f"the output stride is {smallest}, the net's own, as {USUAL_STRIDE} would be coarser")
    return min(smallest, USUAL_STRIDE)


def _paces(subject: Subject, stride: int) -> tuple[list[Step], Pace]:
    """The steps of the trunk at an output stride, and the pace of its last blob."""
    own = follow(subject.trunk, subject.image, None)[1][subject.last]
    if own is None:
        raise UsageError(f"the map before the classifier, '{subject.last}', does not lie on the image")
    try:
        steps, paces = follow(subject.trunk, subject.image, stride)
    except UsageError as error:
        raise UsageError(f"{error} {_strides(subject, own)}") from None
    pace = paces[subject.last]
    assert pace is not None
    if set(pace.new) != {stride}:
        raise UsageError(f"the output stride cannot be {stride}. {_strides(subject, own)}")
    return steps, pace


def _strides(subject: Subject, own: Pace) -> str:
    """Which output strides a net can have, in words."""
    strides = possible_strides(subject.trunk, subject.image, subject.last)
    known = "x".join(map(str, dict.fromkeys(own.old)))
    if not strides:
        return f"This net's is {known}, and none that is the same in height and width can be reached."
    return f"This net's is {known}; --output-stride can be {', '.join(map(str, strides))}."


def _dataset(experiment: str, classes: int) -> Dataset:
    """One of the paper's datasets if it has that name and number of classes, else one that is described nowhere."""
    for known in DATASETS:
        if experiment in (known.exp, known.folder) and known.classes == classes:
            return known
    return Dataset(experiment, experiment, classes, experiment, f"{classes} classes", "train", None, (513, 513))


def _images(subject: Subject, mean: Sequence[float] | None, scale: float | None) -> Images:
    """What the net's images hold: as the caller, the net's data layer or ImageNet says."""
    channels = subject.image_shape[1]
    if channels not in (1, 3):
        raise UsageError(f"images have 3 channels or 1; the net's input '{subject.image}' has {channels}")
    stated = subject.transform
    if mean is None and stated is not None and len(stated.mean_value) in (1, channels):
        mean = list(stated.mean_value)
    elif mean is None:
        mean = MEAN_BGR if channels == 3 else [sum(MEAN_BGR) / 3]
        if stated is not None and stated.mean_file:
            subject.notes.append(
                f"the net's mean is an image ({stated.mean_file}), which fits its own size only; ImageNet's mean pixel "
                "stands for it; --mean states another"
            )
    if len(mean) not in (1, channels):
        raise UsageError(f"mean wants one value, or one for each of {channels} channels; got {len(mean)}")
    factor = (stated.scale if stated is not None else 1.0) if scale is None else scale
    values = tuple(float(f"{m:.6g}") for m in mean)
    return Images(channels, values * channels if len(values) == 1 else values, float(f"{factor:.6g}"))
