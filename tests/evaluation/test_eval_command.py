"""`pydeeplab eval` from end to end."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pydeeplab import TEST, Net
from pydeeplab.cli import main
from pydeeplab.data.classes import class_set
from pydeeplab.data.palette import colorize, voc_palette, write_label_png, write_png
from pydeeplab.data.synthetic import CLASSES, scene
from pydeeplab.evaluation import ConfusionMatrix, Trimap
from pydeeplab.evaluation.pictures import pictures_of_folders, pictures_of_list
from pydeeplab.evaluation.predictors import FilePredictor, NetPredictor
from pydeeplab.evaluation.report import build_report
from pydeeplab.evaluation.scoring import Evaluation, Rules, score_picture, unpack_labels

SIZES = [(31, 42), (48, 33), (40, 40), (25, 60), (35, 35)]
NET = (
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
    'layer { name: "score" type: "Convolution" bottom: "data" top: "score" '
    "convolution_param { num_output: 3 kernel_size: 1 } }\n"
)


def degraded(truth: np.ndarray, seed: int) -> np.ndarray:
    predicted = np.where(truth == 255, 0, np.roll(truth, 2, axis=1))
    predicted[predicted == 255] = 0
    random = np.random.default_rng(seed)
    noise = random.random(truth.shape) < 0.05
    predicted[noise] = random.integers(0, len(CLASSES), noise.sum())
    return predicted.astype(np.uint8)


class Data:
    """Scenes with truths and two predictions of each, in folders."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("images", "truth", "before", "after"):
            (folder / name).mkdir()
        self.truth, self.before = {}, {}
        for index, size in enumerate(SIZES):
            name = f"s{index}"
            image, truth = scene(300 + index, *size)
            self.truth[name], self.before[name] = truth, degraded(truth, index)
            write_png(folder / "images" / f"{name}.png", image)
            write_label_png(folder / "truth" / f"{name}.png", truth, voc_palette())
            write_label_png(folder / "before" / f"{name}.png", self.before[name])
            better = np.where(truth == 255, 0, truth).astype(np.uint8)
            write_png(folder / "after" / f"{name}.png", colorize(better, voc_palette()))
        lines = [f"images/{n}.png truth/{n}.png\n" for n in self.truth]
        (folder / "list.txt").write_text("".join(lines))
        (folder / "names.txt").write_text("\n".join(CLASSES))
        self.json = folder / "scores.json"

    def run(self, *arguments: object) -> int:
        options = ["eval", "--classes", self.folder / "names.txt", "--json", self.json, "--quiet", *arguments]
        return main([str(a) for a in options])

    def scores(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.json.read_text())
        return document

    def folders(self) -> list[object]:
        return ["--truth", self.folder / "truth", "--predicted", self.folder / "before"]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_folders_of_index_and_palette_pngs(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.run(*data.folders(), "--trimap") == 0
    expected, trimap = ConfusionMatrix(len(CLASSES)), Trimap(len(CLASSES))
    for name, truth in data.truth.items():
        expected.update(truth, data.before[name])
        trimap.update(truth, data.before[name])
    scores = data.scores()["variants"]["predicted"]
    assert scores["confusion"] == expected.counts.tolist()
    assert scores["mean_iou"] == expected.mean_iou()
    assert scores["classes"]["disc"]["iou"] == expected.iou()[1]
    assert scores["trimap"]["mean_iou"] == trimap.mean_iou().tolist()
    assert len(scores["trimap"]["widths"]) == 40
    shown = capsys.readouterr().out
    assert f"{100 * expected.mean_iou():.2f}" in shown
    assert f"{100 * expected.iou()[1]:.2f}" in shown
    assert "5 pictures" in shown


def test_two_predictions_from_a_list_with_rgb_maps(data: Data) -> None:
    code = data.run(
        "--list", data.folder / "list.txt", "--root", data.folder,
        "--predicted", f"net={data.folder / 'before'}", "--predicted", f"crf={data.folder / 'after'}",
    )  # fmt: skip
    assert code == 0
    document = data.scores()
    assert list(document["variants"]) == ["net", "crf"]
    assert document["variants"]["crf"]["pixel_accuracy"] == 1
    assert document["variants"]["net"]["pixel_accuracy"] < 1
    ious = [image["mean_iou"]["crf"] for image in document["images"]]
    assert ious == sorted(ious, reverse=True)


def test_ids_and_limit(data: Data) -> None:
    (data.folder / "ids.txt").write_text("s3\ns1\ns0\n")
    assert data.run(*data.folders(), "--ids", data.folder / "ids.txt", "--limit", 2) == 0
    assert {image["picture"] for image in data.scores()["images"]} == {"s1", "s3"}


def test_where_nothing_could_be_scored_no_zeros_are_shown(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (data.folder / "before").iterdir():
        path.unlink()
    page = data.folder / "page.html"
    assert data.run(*data.folders(), "--html", page) == 1
    out, err = capsys.readouterr()
    assert not out
    assert not page.exists()
    assert "5 of 5 pictures could not be scored" in err
    assert data.scores()["pictures"] == 0


def test_what_cannot_be_scored_is_listed_and_left_out(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    before = data.folder / "before"
    (before / "s0.png").unlink()
    (before / "s1.png").write_text("no picture")
    write_label_png(before / "s2.png", np.zeros((3, 3), np.uint8))
    write_label_png(before / "s3.png", np.full(SIZES[3], 77, np.uint8))
    assert data.run(*data.folders()) == 1
    document = data.scores()
    assert [f["picture"] for f in document["failed"]] == ["s0", "s1", "s2", "s3"]
    assert document["pictures"] == 1
    messages = capsys.readouterr().err
    for part in (
        "s0.png' does not exist",
        "no known picture format",
        "must be of one size",
        "label 77 at pixel (0, 0)",
    ):
        assert part in messages
    assert "4 of 5 pictures could not be scored" in messages
    alone = ConfusionMatrix(len(CLASSES))
    alone.update(data.truth["s4"], data.before["s4"])
    assert document["variants"]["predicted"]["confusion"] == alone.counts.tolist()


def test_void_classes_are_ignored_by_name_and_by_number(data: Data) -> None:
    (data.folder / "names.txt").write_text("\n".join([*CLASSES[:-1], "Void"]))
    assert data.run(*data.folders()) == 0
    assert data.scores()["ignore"] == [5, 255]
    assert "Void" not in data.scores()["variants"]["predicted"]["classes"]
    assert data.run(*data.folders(), "--ignore", "255") == 0
    assert data.scores()["ignore"] == [255]


def test_a_number_of_classes(data: Data) -> None:
    assert data.run(*data.folders()) == 0
    expected = data.scores()["variants"]["predicted"]["confusion"]
    assert data.run(*data.folders(), "--classes", len(CLASSES)) == 0
    assert data.scores()["variants"]["predicted"]["confusion"] == expected
    assert data.scores()["classes"][1] == "class 1"


def test_json_instead_of_the_table(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    data.json = Path("-")
    assert data.run(*data.folders()) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 5


class Page(HTMLParser):
    """Checks that tags match, and collects pictures and links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.ids.add(given.get("id") or "")
        if tag == "img":
            self.images.append(given["src"] or "")
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text())
    page.close()
    assert not page.open
    return page


def test_report_and_trimap_plot(data: Data) -> None:
    report, plot = data.folder / "report.html", data.folder / "trimap.png"
    (data.folder / "before" / "s1.png").unlink()
    code = data.run(
        "--truth", data.folder / "truth", "--images", data.folder / "images",
        "--predicted", f"a<b={data.folder / 'before'}", "--predicted", f"crf={data.folder / 'after'}",
        "--html", report, "--panels", 2, "--trimap", plot,
    )  # fmt: skip
    assert code == 1
    with Image.open(plot) as picture:
        assert picture.size == (1520, 880)
    page, text = read_page(report), report.read_text()
    assert all(link.removeprefix("#") in page.ids for link in page.links)
    assert "script" not in page.tags
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "a&lt;b" in text
    assert "a<b" not in text
    assert "1 could not be" in text
    assert "s1.png" in text
    # best, worst, most changed: two each, with image, truth and both predictions
    assert len(page.images) == 3 * 2 * 4
    for uri in page.images:
        Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))).load()
    best = data.scores()["images"][0]
    assert text.index(best["picture"]) < text.index("Worst")
    truth = Image.open(io.BytesIO(base64.b64decode(page.images[1].partition("base64,")[2])))
    np.testing.assert_array_equal(np.array(truth), data.truth[best["picture"]])


class Workshop(Data):
    """A net whose classes are blue, green and red, and noisy pictures of them."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.net, self.weights = folder / "net.prototxt", folder / "net.caffemodel"
        self.net.write_text(NET)
        net = Net(self.net, TEST)
        net.params["score"][0].data[...] = 0.03 * np.eye(3, dtype=np.float32)[:, :, None, None]
        net.save(self.weights)
        (folder / "names.txt").write_text("blue 0 0 255\ngreen 0 255 0\nred 255 0 0\n")
        random = np.random.default_rng(0)
        for name, (height, width) in zip(self.truth, SIZES, strict=True):
            blocks = random.integers(0, 3, (height // 12 + 1, width // 12 + 1))
            labels = np.kron(blocks, np.ones((12, 12), int))[:height, :width].astype(np.uint8)
            image = np.full((height, width, 3), 70)
            np.put_along_axis(image, 2 - labels[:, :, None].astype(int), 150, 2)
            image = np.clip(image + random.normal(0, 25, image.shape), 0, 255).astype(np.uint8)
            labels[:, ::12] = 255
            self.truth[name] = labels
            write_png(self.folder / "images" / f"{name}.png", image)
            write_label_png(self.folder / "truth" / f"{name}.png", labels)

    def arguments(self) -> list[object]:
        truth = ["--list", self.folder / "list.txt", "--root", self.folder]
        return [*truth, "--net", self.net, "--weights", self.weights]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


CRF = "--crf=w=3,xy=6,rgb=30,pos_w=2,pos_xy=2,iter=3"


def test_a_net_before_and_after_the_crf(workshop: Workshop) -> None:
    assert workshop.run(*workshop.arguments(), CRF, "--save", workshop.folder / "saved", "--jobs", 1) == 0
    document = workshop.scores()
    assert document["crf"] == CRF.removeprefix("--crf=")
    before, after = (document["variants"][v] for v in ("net", "net and CRF"))
    assert 0.3 < before["mean_iou"] < after["mean_iou"]
    saved = workshop.folder / "saved"
    again = ["--predicted", f"one={saved / 'net'}", "--predicted", f"two={saved / 'net_and_CRF'}"]
    assert workshop.run("--truth", workshop.folder / "truth", *again) == 0
    files = workshop.scores()["variants"]
    assert files["one"]["confusion"] == before["confusion"]
    assert files["two"]["confusion"] == after["confusion"]


def test_weights_of_another_net_are_told_once(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    workshop.net.write_text(NET.replace("score", "other"))
    assert workshop.run(*workshop.arguments()) == 1
    shown = capsys.readouterr().err
    assert shown.count("no loaded file holds the weights") == 1
    assert "could not be scored" not in shown
    assert not workshop.json.exists()


def test_processes_give_the_same_scores(workshop: Workshop) -> None:
    (workshop.folder / "images" / "s2.png").unlink()
    documents = []
    for jobs in (1, 2):
        assert workshop.run(*workshop.arguments(), CRF, "--trimap", "--jobs", jobs) == 1
        documents.append(workshop.scores())
    assert documents[0] == documents[1]
    assert documents[0]["pictures"] == 4


def test_a_net_alone_with_images_in_a_folder(workshop: Workshop) -> None:
    folders = ["--truth", workshop.folder / "truth", "--images", workshop.folder / "images"]
    assert workshop.run(*folders, "--net", workshop.net, "--weights", workshop.weights) == 0
    assert list(workshop.scores()["variants"]) == ["net"]


def test_mean_field_maps_in_the_report(workshop: Workshop) -> None:
    report = workshop.folder / "report.html"
    code = workshop.run(*workshop.arguments(), CRF, "--html", report, "--panels", 0, "--iterations-of", 2)
    assert code == 0
    page, text = read_page(report), report.read_text()
    assert len(page.images) == 2 * (2 + 2 * 4)
    assert "net: score" in text
    assert "iteration 3: belief" in text


def test_iterates_are_those_of_the_crf(workshop: Workshop) -> None:
    options = {"net": workshop.net, "weights": workshop.weights, "crf": CRF.removeprefix("--crf=")}
    predictor = NetPredictor(options)
    picture = pictures_of_list(workshop.folder / "list.txt", workshop.folder)[0]
    scores, beliefs = predictor.iterations(picture, 1)
    assert len(scores) == len(beliefs) == 4
    before, after = predictor.segmenter.before_and_after(picture.image or "")
    assert before.probabilities is not None
    assert after.probabilities is not None
    np.testing.assert_allclose(beliefs[0], before.probabilities[1], atol=1e-6)
    np.testing.assert_allclose(beliefs[-1], after.probabilities[1], atol=1e-6)
    logs = np.log(before.probabilities)
    np.testing.assert_allclose(scores[0], logs[1] - logs.mean(axis=0), atol=1e-4)
    labels = predictor.predict(picture)
    np.testing.assert_array_equal(labels["net and CRF"], after.labels)


def test_merged_evaluations_equal_a_whole_one(data: Data) -> None:
    rules = Rules(class_set(data.folder / "names.txt"), len(CLASSES), trimap=5, keep=True)
    predictor = FilePredictor({"before": data.folder / "before"}, rules.classes)
    pictures = [predictor.find(p) for p in pictures_of_folders(data.folder / "truth")]
    parts = [Evaluation(rules, predictor.variants) for _ in range(3)]
    for index, picture in enumerate(pictures):
        score = score_picture(predictor, rules, picture)
        np.testing.assert_array_equal(unpack_labels(score.labels["before"]), data.before[picture.name])
        parts[0].add(score)
        parts[1 + index % 2].add(score_picture(predictor, rules, picture))
    parts[1].merge(parts[2])
    assert parts[1].summary() == parts[0].summary()
    assert "<h1>A &amp; B</h1>" in build_report(parts[0], title="A & B", settings={"crf": "none"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--predicted", "{0}/before"], "--list FILE, or --truth DIR"),
        (["--truth", "{0}/truth"], "say what to score"),
        (["--truth", "{0}/truth", "--predicted", "{0}/before", "--crf"], "goes with a net"),
        (["--truth", "{0}/truth", "--net", "n", "--weights", "w"], "needs the images"),
        (["--list", "{0}/list.txt", "--ids", "x", "--predicted", "{0}/before"], "go with --truth"),
        (["--truth", "{0}/truth", "--predicted", "{0}/nowhere"], "nowhere' does not exist"),
        (["--truth", "{0}/truth", "--predicted", "{0}/before", "--predicted", "a/../{0}/before"], "does not exist"),
        (["--truth", "{0}/truth", "--predicted", "{0}/before", "--predicted", "{0}/before"], "two --predicted"),
        (["--truth", "{0}/truth", "--predicted", "{0}/before", "--ignore", "x"], "--ignore wants numbers"),
        (["--truth", "{0}/truth", "--predicted", "{0}/before", "--jobs", "0"], "--jobs must be at least 1"),
        (["--truth", "{0}/truth", "--predicted", "{0}/before", "--html", "{0}/no/r.html"], "folder does not exist"),
        (["--truth", "{0}/truth", "--predicted", "{0}/before", "--iterations-of", "1"], "needs --html"),
        (["--truth", "{0}/truth", "--predicted", "{0}/before", "--trimap-widths", "0"], "at least 1"),
    ],
)
def test_wrong_usage(data: Data, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert data.run(*[a.format(data.folder) for a in arguments]) == 2
    assert message in capsys.readouterr().err
    assert not data.json.exists()
