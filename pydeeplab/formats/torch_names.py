"""The names of PyTorch ports of DeepLab v2's ResNet, and Caffe's.

Two families of ports are known. Keys may begin with ``module.``, ``model.``, ``base.``, ``scale.``, ``Scale.`` or
``Scale1.``; the first port had a copy of all weights for each scale, of which Scale2 and Scale3 are left out.

==============================================  =============================================  =======================
torchvision's names (isht7, speedinghzl, ...)   named blocks (kazuto1011)                      Caffe's layer
==============================================  =============================================  =======================
``conv1``                                       ``layer1.conv1.conv``                          conv1
``bn1``                                         ``layer1.conv1.bn``                            bn_conv1, scale_conv1
``layer{s}.{b}.conv1``                          ``layer{s+1}.block{b+1}.reduce.conv``          res{s+1}{b}_branch2a
``layer{s}.{b}.conv2``                          ``layer{s+1}.block{b+1}.conv3x3.conv``         res{s+1}{b}_branch2b
``layer{s}.{b}.conv3``                          ``layer{s+1}.block{b+1}.increase.conv``        res{s+1}{b}_branch2c
``layer{s}.0.downsample.0``                     ``layer{s+1}.block1.shortcut.conv`` (``proj``  res{s+1}a_branch1
                                                in old versions)
``layer{s}.{b}.bn1`` and so on                  the same with ``.bn``                          bn..., scale...
``layer5.conv2d_list.{i}`` (or ``layer6``)      ``aspp.c{i}`` (``aspp.stages.c{i}``)           fc1_voc12_c{i}
==============================================  =============================================  =======================

Caffe's blocks {b} are called a, b, c; in ResNet-101's third and fourth stage a, b1, b2, ...

A normalisation's ``running_mean`` and ``running_var`` become blobs 0 and 1 of BatchNorm, with the factor 1 as blob 2;
its ``weight`` and ``bias`` become Scale. eps is 1e-5 in these ports, which is Caffe's default; ``num_batches_tracked``
is of no use. The weights of convolutions are as in Caffe. The ports were made from Caffe's weights and so, like these,
take BGR images of 0..255 less the mean; weights trained from torchvision's take RGB, and need another input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["PORTED_EPS", "UNUSED", "Place", "caffe_places", "head_names"]

BATCH_NORM = {"running_mean": (0, 0), "running_var": (0, 1), "weight": (1, 0), "bias": (1, 1)}
"""Which of (BatchNorm, Scale), and which blob."""
UNUSED = "num_batches_tracked"
PORTED_EPS = 1e-5
"""What the ports' normalisations add to the variance."""

_PREFIX = re.compile(r"(?:module|model|base|scale|Scale1?)\.")
_STEM = re.compile(r"(?:(?P<conv>conv1|layer1\.conv1\.conv)|bn1|layer1\.conv1\.bn)\.(?P<what>\w+)")
_NUMBERED = re.compile(
    r"layer(?P<stage>[1-4])\.(?P<block>\d+)\.(?:(?P<kind>conv|bn)(?P<branch>[123])|downsample\.(?P<down>[01]))"
    r"\.(?P<what>\w+)"
)
_NAMED = re.compile(
    r"layer(?P<stage>[2-5])\.block(?P<block>\d+)\.(?P<branch>reduce|conv3x3|increase|shortcut|proj)\.(?P<kind>conv|bn)"
    r"\.(?P<what>\w+)"
)
_HEAD = re.compile(r"(?:layer(?P<layer>[56])\.conv2d_list\.|aspp\.(?:stages\.)?c)(?P<index>\d)\.(?P<what>weight|bias)")
_BRANCHES = {"1": "2a", "2": "2b", "3": "2c", "reduce": "2a", "conv3x3": "2b", "increase": "2c"}


@dataclass(frozen=True)
class Place:
    """A blob of a layer."""

    layer: str
    type: str
    blob: int


@dataclass(frozen=True)
class _Unit:
    """A convolution with its normalisation: stage 2 to 5, block from 0, branch 1, 2a, 2b or 2c."""

    stage: int
    block: int
    branch: str
    norm: bool
    what: str


def _unit(key: str) -> _Unit | None:
    if match := _NUMBERED.fullmatch(key):
        down = match["down"]
        norm = match["kind"] == "bn" if down is None else down == "1"
        branch = _BRANCHES[match["branch"]] if down is None else "1"
        return _Unit(int(match["stage"]) + 1, int(match["block"]), branch, norm, match["what"])
    if match := _NAMED.fullmatch(key):
        branch = _BRANCHES.get(match["branch"], "1")
        return _Unit(int(match["stage"]), int(match["block"]) - 1, branch, match["kind"] == "bn", match["what"])
    return None


def _block_name(unit: _Unit, deep: bool) -> str:
    if deep and unit.stage in (3, 4):
        return f"b{unit.block}" if unit.block else "a"
    return chr(ord("a") + unit.block)


def _norm_place(suffix: str, joint: str, what: str) -> Place | None:
    if what not in BATCH_NORM:
        return None
    second, blob = BATCH_NORM[what]
    return Place(f"{('bn', 'scale')[second]}{joint}{suffix}", ("BatchNorm", "Scale")[second], blob)


def _conv_place(layer: str, what: str) -> Place | None:
    return Place(layer, "Convolution", 0) if what == "weight" else None


def head_names(layers: Iterable[str] | None, branches: int) -> list[str]:
    """The layers of a net's classifier: fc1_..._c0 and on, or one; those of PASCAL VOC where no net is given.

    Parameters
    ----------
    layers : names or None
        Layers of the net, in its order; those of further scales (``_res05``, ``_res075``) are passed over.
    branches : int
        Convolutions of the file's classifier, whose scores are added.
    """
    found = [name for name in layers or () if re.fullmatch(r"fc1_(?!interp).+", name) and "_res0" not in name]
    several = [name for name in found if re.search(r"_c\d$", name)]
    if layers is not None:
        return several if branches > 1 else [name for name in found if name not in several] or several
    return [f"fc1_voc12_c{i}" for i in range(branches)] if branches > 1 else ["fc1_voc12"]


def caffe_places(keys: Sequence[str], layers: Iterable[str] | None = None) -> dict[str, Place | None]:
    """Where each key belongs; keys that belong nowhere get None.

    Parameters
    ----------
    keys : sequence of str
        Of a state dict.
    layers : iterable of str, optional
        The net's layers, for the names of its classifier.

    Returns
    -------
    dict
        By key. Counters (``num_batches_tracked``) are not in it.

    Examples
    --------
    >>> caffe_places(["base.layer2.block1.reduce.conv.weight"])
    {'base.layer2.block1.reduce.conv.weight': Place(layer='res2a_branch2a', type='Convolution', blob=0)}
    """
    bare = {key: _without_prefix(key) for key in keys if not key.endswith(UNUSED)}
    units = {key: unit for key, name in bare.items() if (unit := _unit(name))}
    deep = max((unit.block for unit in units.values() if unit.stage == 4), default=0) > 5
    heads = {key: match for key, name in bare.items() if (match := _HEAD.fullmatch(name))}
    last = max((match["layer"] or "" for match in heads.values()), default="")
    heads = {key: match for key, match in heads.items() if (match["layer"] or "") == last}
    names = head_names(layers, len({match["index"] for match in heads.values()}))
    places: dict[str, Place | None] = {}
    for key, name in bare.items():
        places[key] = None
        if key in heads:
            index = int(heads[key]["index"])
            if index < len(names):
                places[key] = Place(names[index], "Convolution", int(heads[key]["what"] == "bias"))
        elif key in units:
            unit = units[key]
            suffix = f"{unit.stage}{_block_name(unit, deep)}_branch{unit.branch}"
            places[key] = _norm_place(suffix, "", unit.what) if unit.norm else _conv_place(f"res{suffix}", unit.what)
        elif stem := _STEM.fullmatch(name):
            what = stem["what"]
            places[key] = _conv_place("conv1", what) if stem["conv"] else _norm_place("conv1", "_", what)
    return places


def _without_prefix(key: str) -> str:
    while match := _PREFIX.match(key):
        key = key[match.end() :]
    return key
