"""Miniature devkits with the structure of the real ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse
from PIL import Image

from pydeeplab.data import class_set, voc_palette, write_label_png

SIZE = (9, 13)

VOC_TRAIN = ["2007_000032", "2007_000039", "2008_000023"]
VOC_VAL = ["2007_000033", "2008_000009"]
VOC_TEST = ["2008_000006"]
SBD_ONLY = ["2008_000008", "2008_000015", "2011_003276"]
SBD_TOO = ["2008_000023", "2008_000009"]


def labels_of(name: str, classes: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Labels that belong to a name."""
    return np.random.default_rng([ord(c) for c in name]).integers(0, classes, size).astype(np.uint8)


def write_image(path: Path, size: tuple[int, int] = SIZE, seed: int = 0) -> None:
    """A small picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)).save(path)


def write_mat(path: Path, values: Mapping[str, Any]) -> None:
    """A .mat file as MATLAB's -v7 writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, dict(values), do_compression=True)


def write_ids(path: Path, names: Iterable[str]) -> None:
    """A list of ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def structs(**columns: list[Any]) -> np.ndarray:
    """A 1 x N array of structs."""
    array = np.zeros((1, len(next(iter(columns.values())))), [(name, object) for name in columns])
    for name, values in columns.items():
        for index, value in enumerate(values):
            array[0, index][name] = value
    return array


def voc_labels(name: str) -> np.ndarray:
    """VOC's own labels: with a void border."""
    labels = labels_of(name, 21)
    labels[0] = 255
    return labels


def make_voc(root: Path) -> Path:
    """VOCdevkit/VOC2012 with test images."""
    voc = root / "VOCdevkit" / "VOC2012"
    sets = {"train": VOC_TRAIN, "val": VOC_VAL, "trainval": sorted(VOC_TRAIN + VOC_VAL), "test": VOC_TEST}
    for name, ids in sets.items():
        write_ids(voc / "ImageSets" / "Segmentation" / f"{name}.txt", ids)
    for name in VOC_TRAIN + VOC_VAL:
        (voc / "SegmentationClass").mkdir(exist_ok=True)
        write_label_png(voc / "SegmentationClass" / f"{name}.png", voc_labels(name), voc_palette())
    for name in VOC_TRAIN + VOC_VAL + VOC_TEST + SBD_ONLY:
        write_image(voc / "JPEGImages" / f"{name}.jpg")
    return voc


def make_sbd(root: Path) -> Path:
    """benchmark_RELEASE of SBD, with annotations that differ from VOC's for pictures that both have."""
    sbd = root / "benchmark_RELEASE"
    for name in SBD_ONLY + SBD_TOO:
        edges = np.empty((20, 1), object)
        for index in range(20):
            edges[index, 0] = scipy.sparse.csc_matrix(np.zeros(SIZE, bool))
        segmentation = labels_of(name, 21)
        content = {
            "Boundaries": edges,
            "Segmentation": segmentation,
            "CategoriesPresent": np.unique(segmentation)[1:, None].astype(float),
        }
        write_mat(sbd / "dataset" / "cls" / f"{name}.mat", {"GTcls": content})
    return sbd


CONTEXT_TRAIN = ["2008_000002", "2008_000003"]
CONTEXT_VAL = ["2008_000007"]


def context_names() -> list[str]:
    """459 names as labels.txt has them: those of the 59 classes among others, in an order of their own."""
    known = list(class_set("pascal_context").names[1:])
    names = [f"thing {index}" for index in range(459)]
    places = np.random.default_rng(59).choice(459, 59, replace=False)
    for place, name in zip(places, known, strict=True):
        names[place] = name
    return names


def make_voc2010(root: Path) -> Path:
    """VOCdevkit/VOC2010 with the lists and images of Context and Person-Part."""
    voc = root / "VOCdevkit" / "VOC2010"
    write_ids(voc / "ImageSets" / "Main" / "train.txt", CONTEXT_TRAIN)
    write_ids(voc / "ImageSets" / "Main" / "val.txt", CONTEXT_VAL)
    for name in CONTEXT_TRAIN + CONTEXT_VAL:
        write_image(voc / "JPEGImages" / f"{name}.jpg")
    return voc


def make_context(root: Path) -> Path:
    """PASCAL-Context's folder: labels.txt, 59_labels.txt and trainval."""
    base = root / "context"
    names = context_names()
    for name in CONTEXT_TRAIN + CONTEXT_VAL:
        numbers = np.random.default_rng([ord(c) for c in name]).integers(0, 460, SIZE).astype(np.uint16)
        write_mat(base / "trainval" / f"{name}.mat", {"LabelMap": numbers})
    (base / "labels.txt").write_text("".join(f"{i}: {n}\n" for i, n in enumerate(names, 1)), encoding="utf-8")
    other = {"table": "diningtable", "bedclothes": "bedcloth", "cloth": "clothes"}
    reverse = [other.get(n, n) for n in reversed(class_set("pascal_context").names[1:])]
    (base / "59_labels.txt").write_text("".join(f"{i}: {n}\n" for i, n in enumerate(reverse, 1)), encoding="utf-8")
    return base


def mask(*rows: int) -> np.ndarray:
    """A mask of whole rows."""
    array = np.zeros(SIZE, np.uint8)
    array[list(rows)] = 1
    return array


def make_parts(root: Path) -> Path:
    """Annotations_Part: a picture with two persons and a dog, one with a person without parts, one with a person."""
    folder = root / "Annotations_Part"

    def write(name: str, objects: np.ndarray) -> None:
        write_mat(folder / f"{name}.mat", {"anno": {"imname": name, "objects": objects}})

    def objects(kinds: list[tuple[str, float]], parts: list[Any]) -> np.ndarray:
        columns = {
            "class": [kind for kind, _ in kinds],
            "class_ind": [number for _, number in kinds],
            "bbox": [np.array([[1.0, 1, 9, 9]])] * len(kinds),
            "mask": [mask(0)] * len(kinds),
            "parts": parts,
        }
        return structs(**columns)

    first = structs(part_name=["torso", "neck", "head", "leye"], mask=[mask(1, 2), mask(2), mask(0), mask(0)])
    second = structs(
        part_name=["luarm", "rhand", "ruleg", "lfoot", "llleg"], mask=[mask(2, 3), mask(4), mask(5), mask(6), mask(7)]
    )
    dog = structs(part_name=["tail"], mask=[mask(8)])
    write("2008_000002", objects([("person", 15.0), ("dog", 12.0), ("person", 15.0)], [first, dog, second]))
    write("2008_000003", objects([("person", 15.0)], [np.zeros((0, 0))]))
    write("2008_000007", objects([("person", 15.0)], [structs(part_name=["hair"], mask=[mask(3)])]))
    return folder


CITY_TRAIN = ["aachen_000000_000019", "bochum_000000_000313"]
CITY_VAL = ["munster_000000_000019"]
CITY_TEST = ["berlin_000000_000019"]


def city_ids(name: str) -> np.ndarray:
    """Ids of Cityscapes, with the licence plate's -1 as PNGs hold it."""
    ids = labels_of(name, 34)
    ids[0, 0] = 255
    return ids


def make_cityscapes(root: Path) -> Path:
    """leftImg8bit and gtFine."""
    base = root / "cityscapes"
    for split, names in (("train", CITY_TRAIN), ("val", CITY_VAL), ("test", CITY_TEST)):
        for name in names:
            city = name.split("_")[0]
            write_image(base / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
            truth = base / "gtFine" / split / city / f"{name}_gtFine_labelIds.png"
            truth.parent.mkdir(parents=True, exist_ok=True)
            write_label_png(truth, city_ids(name))
    return base
