"""Figures of scored results: which pictures they show, in which order, and with which numbers."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.data.classes import ClassSet
from pydeeplab.data.palette import voc_palette, write_label_png, write_png
from pydeeplab.data.synthetic import CLASSES, scene
from pydeeplab.errors import DataError, UsageError
from pydeeplab.evaluation.pictures import pictures_of_folders
from pydeeplab.evaluation.predictors import FilePredictor
from pydeeplab.evaluation.scoring import Evaluation, PictureScore, Rules, score_picture
from pydeeplab.figures import (
    Figure,
    build_page,
    failures_figure,
    mean_field_figure,
    panels_figure,
    trimap_figure,
    write_figure,
)
from pydeeplab.figures.panels import choose
from pydeeplab.figures.trimap import trimap_charts, trimap_examples
from pydeeplab.plotting.layout import Bitmap, Text

CLASS_SET = ClassSet("shapes", CLASSES, voc_palette(), 0)
WRONG_BEFORE, WRONG_AFTER = (30, 10, 50, 20), (10, 40, 55, 60)
"""Rows of each picture that are wrong, before and after."""


def evaluated(folder: Path, variants: tuple[str, ...] = ("before", "after"), trimap: int = 5) -> Evaluation:
    for name in ("truth", "image", *variants):
        (folder / name).mkdir(exist_ok=True)
    for index in range(4):
        image, truth = scene(index, 70, 90)
        write_png(folder / "image" / f"p{index}.png", image)
        write_label_png(folder / "truth" / f"p{index}.png", truth)
        for variant, wrong in zip(variants, (WRONG_BEFORE, WRONG_AFTER), strict=False):
            labels = np.where(truth == 255, 0, truth)
            labels[: wrong[index]] = (labels[: wrong[index]] + 1) % len(CLASSES)
            write_label_png(folder / variant / f"p{index}.png", labels)
    rules = Rules(CLASS_SET, len(CLASSES), trimap=trimap, keep=True)
    predictor = FilePredictor({v: folder / v for v in variants}, CLASS_SET)
    evaluation = Evaluation(rules, variants)
    for picture in pictures_of_folders(folder / "truth", None, folder / "image"):
        evaluation.add(score_picture(predictor, rules, predictor.find(picture)))
    return evaluation


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluated(tmp_path_factory.mktemp("results"))


def test_captions_say_which_classes_count_as_zero(tmp_path: Path) -> None:
    one = evaluated(tmp_path)
    assert "Mean IoU over all 4 pictures: before" in panels_figure(one).caption
    for matrix in one.matrices.values():
        matrix.counts[[1, 3]] = 0
    assert "Mean IoU over all 4 pictures, 0 for 2 classes without a true pixel: before" in panels_figure(one).caption


def texts(figure: Figure) -> list[str]:
    return [part.text for part in figure.picture.parts if isinstance(part, Text)]


def names(scores: list[PictureScore]) -> list[str]:
    return [score.picture.name for score in scores]


def test_choices(evaluation: Evaluation) -> None:
    assert names(choose(evaluation, 4, "best")) == ["p0", "p1", "p2", "p3"]
    assert names(choose(evaluation, 2, "worst")) == ["p3", "p2"]
    assert names(choose(evaluation, 2, "spread")) == ["p0", "p3"]
    assert names(choose(evaluation, 3, "spread")) == ["p0", "p2", "p3"]
    assert names(choose(evaluation, 1, "spread")) == ["p0"]
    assert names(choose(evaluation, 1, "improved")) == ["p0"]
    assert names(choose(evaluation, 9, "first")) == ["p0", "p1", "p2", "p3"]
    assert names(choose(evaluation, 1, "best", ["p2", "p1"])) == ["p2", "p1"]
    with pytest.raises(UsageError, match="no picture 'p9' was scored"):
        choose(evaluation, 1, "best", ["p9"])


def test_panels_show_image_truth_and_results(evaluation: Evaluation) -> None:
    figure = panels_figure(evaluation, count=2, how="worst", note="Said so.")
    shown = texts(figure)
    assert [t for t in shown if t in ("image", "truth", "before", "after")] == ["image", "truth", "before", "after"]
    assert [t for t in shown if t in ("p0", "p1", "p2", "p3")] == ["p3", "p2"]
    score = evaluation.sorted_scores()[-1]
    before, after = (100 * score.mean_iou(v) for v in ("before", "after"))
    assert f"IoU {before:.1f} %" in shown
    assert f"IoU {after:.1f} % ({after - before:+.1f})" in shown
    assert sum(isinstance(p, Bitmap) for p in figure.picture.parts) == 8
    assert figure.caption.endswith("Said so.")
    assert f"before {100 * evaluation.matrices['before'].mean_iou():.1f} %" in figure.caption
    assert {"background", "ignored"} <= set(shown)


def test_overlays_show_the_image(evaluation: Evaluation) -> None:
    plain, mixed = (panels_figure(evaluation, count=1, mixed=m) for m in (False, True))
    first, second = (
        [p.pixels for p in f.picture.parts if isinstance(p, Bitmap)][1] for f in (plain, mixed)
    )  # the truth
    image = next(p.pixels for p in mixed.picture.parts if isinstance(p, Bitmap))
    background = (first == 0).all(axis=2)
    np.testing.assert_array_equal(second[background], image[background])


def test_failures_come_with_the_largest_drop_first(evaluation: Evaluation) -> None:
    figure = failures_figure(evaluation, count=4)
    assert [t for t in texts(figure) if t in ("p0", "p1", "p2", "p3")] == ["p3", "p1", "p2"]  # p0 gains
    assert "3 of 4 pictures lose" in figure.caption
    rows = list(csv.reader(io.StringIO(figure.table)))
    assert rows[0] == ["picture", "mean IoU, before (%)", "mean IoU, after (%)", "change (points)"]
    assert [row[0] for row in rows[1:]] == ["p3", "p1", "p2", "p0"]
    changes = [float(row[3]) for row in rows[1:]]
    assert changes == sorted(changes)
    for row in rows[1:]:
        assert float(row[2]) - float(row[1]) == pytest.approx(float(row[3]), abs=2e-4)


def test_no_failures(evaluation: Evaluation) -> None:
    other = Evaluation(evaluation.rules, evaluation.variants)
    for score in evaluation.scores:
        if score.picture.name == "p0":
            other.scores.append(score)
    figure = failures_figure(other)
    assert "Of 1 picture none loses mean IoU from before to after; this one gains least." in figure.caption
    assert "p0" in texts(figure)


def test_failures_need_two_results(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="compare two results"):
        failures_figure(evaluated(tmp_path, ("before",)))


def test_nothing_to_show(tmp_path: Path) -> None:
    empty = Evaluation(Rules(CLASS_SET, 6, keep=True), ["a"])
    with pytest.raises(DataError, match="nothing to show"):
        panels_figure(empty)


def test_trimap_curves_are_the_trimaps(evaluation: Evaluation) -> None:
    iou, accuracy = trimap_charts(evaluation)
    assert [s.name for s in iou.series] == ["before", "after"]
    for series, name in zip(accuracy.series, ("before", "after"), strict=True):
        np.testing.assert_allclose(series.y, 100 * evaluation.trimaps[name].pixel_accuracy())
        assert series.x.tolist() == [1, 2, 3, 4, 5]
    figure = trimap_figure(evaluation)
    assert {"image", "truth", "trimap of 2 pixels", "trimap of 10 pixels", "trimap width (pixels)"} <= set(
        texts(figure)
    )
    assert "1 to 5 pixels" in figure.caption
    assert figure.table.count("trimap width (pixels),before,after") == 2


def test_trimap_bands_hold_what_is_near(evaluation: Evaluation) -> None:
    figure = trimap_figure(evaluation)
    bands = [p.pixels for p in figure.picture.parts if isinstance(p, Bitmap)][2:]
    grey = [(pixels == 190).all(axis=2).sum() for pixels in bands]
    assert grey[0] > grey[1] > 0


def test_trimap_examples_of_large_pictures_show_where_borders_are(tmp_path: Path) -> None:
    truth = np.zeros((900, 1200), np.uint8)
    truth[700:800, 900:1100] = 1
    write_label_png(tmp_path / "p.png", truth)
    predictor = FilePredictor({"a": tmp_path}, CLASS_SET)
    rules = Rules(CLASS_SET, len(CLASSES), trimap=3, around="edges", keep=True)
    evaluation = Evaluation(rules, ["a"])
    (picture,) = pictures_of_folders(tmp_path)
    evaluation.add(score_picture(predictor, rules, predictor.find(picture)))
    examples = trimap_examples(evaluation, evaluation.scores[0])
    assert examples is not None
    shown, *bands = (part.pixels for part in examples.parts if isinstance(part, Bitmap))
    object_pixels = (shown == CLASS_SET.palette[1]).all(axis=2).sum()
    assert object_pixels == pytest.approx(100 * 200 * (380 / 500) ** 2, rel=0.02)  # all of it, two pixels to a unit
    assert len(bands) == 2


def test_mean_field_maps() -> None:
    random = np.random.default_rng(0)
    maps = [random.random((20, 30)).astype(np.float32) for _ in range(4)]
    image = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    figure = mean_field_figure(image, maps, maps, name="x", class_name="bar", iterations=(1, 3, 10), parameters="w=4")
    assert [t for t in texts(figure) if t.strip()][:4] == ["image", "net", "iteration 1", "iteration 3"]
    assert "CRF: w=4." in figure.caption
    with pytest.raises(UsageError, match="no iteration -1: the CRF does 3"):
        mean_field_figure(image, maps, maps, name="x", class_name="bar", iterations=(-1,))


def test_files_and_the_page(evaluation: Evaluation, tmp_path: Path) -> None:
    figure = trimap_figure(evaluation)
    written = write_figure(figure, tmp_path, scale=1)
    assert [path.name for path in written] == ["trimap.png", "trimap.svg", "trimap.csv"]
    large = (tmp_path / "trimap.png").stat().st_size
    write_figure(figure, tmp_path, ["png"], scale=1, colours=64)
    assert (tmp_path / "trimap.png").stat().st_size < large
    page = build_page([figure, panels_figure(evaluation)], settings={"net": "<x>"})
    assert page.count("<svg") == 2
    assert "net: &lt;x&gt;" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in page
