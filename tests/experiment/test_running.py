"""Stages: when they are done, found, interrupted or out of date, and what running them does then."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pydeeplab.errors import PydeeplabError, UsageError
from pydeeplab.experiment import find_experiment
from pydeeplab.experiment.running import in_folder, missing_of, run_experiment, states_of
from pydeeplab.experiment.subject import Subject, Workspace

ROW = "table1/3x3_rate12"
RESULTS = Path("voc12/res/features/table2_step_30_6k/val/fc8")
MODEL = Path("voc12/model/table2_step_30_6k/train_iter_6000.caffemodel")


class Works:
    """A work folder with a devkit and weights, and a runner that leaves what each command would."""

    def __init__(self, folder: Path):
        self.folder = folder / "work"
        self.ran: list[str] = []
        self.commands: list[Sequence[str]] = []
        self.failing: dict[str, int] = {}
        for name in ("devkit", "work/voc12/list", "work/voc12/data"):
            (folder / name).mkdir(parents=True)
        for name, count in (("train_aug", 3), ("val", 2)):
            lines = "".join(f"/JPEGImages/{name}{i}.jpg /SegmentationClassAug/{name}{i}.png\n" for i in range(count))
            (self.folder / f"voc12/list/{name}.txt").write_text(lines)
        (folder / "devkit/vgg16_20M.caffemodel").write_text("weights")
        self.workspace = Workspace(self.folder, folder / "devkit", folder / "devkit")

    def subject(self, name: str = ROW) -> Subject:
        return Subject(find_experiment(name), self.workspace)

    def runner(self, command: Sequence[str]) -> int:
        self.ran.append(command[0])
        self.commands.append(command)
        if command[0] in self.failing:
            return self.failing[command[0]]
        getattr(self, command[0])(dict(itertools.pairwise(command)))
        return 0

    def train(self, options: dict[str, str]) -> None:
        assert Path(options["--solver"]).is_file()
        MODEL.write_text("trained")

    def segment(self, options: dict[str, str]) -> None:
        for name in ("val0", "val1"):
            Path(options["--out"], f"{name}.png").write_text("labels")

    def eval(self, options: dict[str, str]) -> None:
        scores = {"before CRF": {"mean_iou": 0.6}, "after CRF": {"mean_iou": 0.65}}
        Path(options["--json"]).write_text(json.dumps({"variants": scores}))
        Path(options["--html"]).write_text("<html>")

    def figure(self, options: dict[str, str]) -> None:
        Path(options["--out"]).mkdir(exist_ok=True)
        Path(options["--out"], "panels.png").write_text("picture")

    def run(self, name: str = ROW, **options: str) -> list[str]:
        """Run; returns the commands that were run."""
        self.ran.clear()
        run_experiment(self.subject(name), self.runner, **options)
        return list(self.ran)

    def states(self, name: str = ROW) -> dict[str, str]:
        return {stage.name: state.word for stage, state in states_of(self.subject(name))}


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    made = Works(tmp_path)
    with in_folder(made.folder):
        yield made


ALL = ["train", "segment", "segment", "eval", "figure"]


def test_a_run_does_all_stages_once(works: Works) -> None:
    assert works.states() == {
        "prepare": "found", "train": "open", "test": "open", "crf": "open", "score": "open", "report": "open"
    }  # fmt: skip
    assert works.run() == ALL
    assert set(works.states().values()) == {"found", "done"}
    assert works.run() == []
    numbers = works.subject().numbers()
    assert [(n.variant, n.ours, n.paper) for n in numbers] == [
        ("before CRF", pytest.approx(60), 62.25), ("after CRF", pytest.approx(65), 67.64)
    ]  # fmt: skip
    page = (RESULTS / "table1_3x3_rate12_report.html").read_text()
    for part in ("60.00", "62.25", "-2.25", "65.00", "67.64", "Table 1, row 4", "train_iter_6000"):
        assert part in page
    assert 'src="table1_3x3_rate12_figures/panels.png"' in page


def test_commands_name_what_scripts_of_deeplab_would(works: Works) -> None:
    works.run()
    train, test, crf, score, figure = works.commands
    config = "voc12/config/table2_step_30_6k"
    assert train[:3] == ("train", "--solver", f"{config}/solver_train_aug.prototxt")
    assert 'lr_policy: "step"' in Path(config, "solver_train_aug.prototxt").read_text()
    assert "batch_size: 30" in Path(config, "train_train_aug.prototxt").read_text()
    assert f"{RESULTS}/none/results/VOC2012/Segmentation/comp6_val_cls" in test
    post = f"{RESULTS}/post_densecrf_W4_XStd121_RStd5_PosW3_PosXStd3/results/VOC2012/Segmentation/comp6_val_cls"
    assert post in crf
    assert f"after CRF={post}" in score
    assert figure[:4] == ("figure", "trimap", "panels", "failures")
    assert test[3:5] == ("--root", "voc12/data")


def test_rows_of_one_net_share_its_training(works: Works) -> None:
    assert works.run() == ALL
    assert works.run("table2/step_30_6k") == ["eval", "figure"]


def change_list() -> None:
    path = Path("voc12/list/train_aug.txt")
    path.write_text(path.read_text() + "/JPEGImages/x.jpg /SegmentationClassAug/x.png\n")


def change_weights() -> None:
    MODEL.write_text("trained otherwise")


def change_label_map() -> None:
    (RESULTS / "none/results/VOC2012/Segmentation/comp6_val_cls/val0.png").write_text("other labels")


def lose_label_map() -> None:
    (RESULTS / "none/results/VOC2012/Segmentation/comp6_val_cls/val0.png").unlink()


def lose_scores() -> None:
    (RESULTS / "table1_3x3_rate12_scores.json").unlink()


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (change_list, ALL[:1]),  # the weights that come out are the same
        (change_weights, ALL[1:]),
        (change_label_map, ALL[3:]),
        (lose_label_map, ["segment", "eval", "figure"]),
        (lose_scores, ["eval"]),
    ],
)
def test_what_changed_is_done_again(works: Works, change: Callable[[], None], again: list[str]) -> None:
    works.run()
    change()
    assert works.run() == again
    assert works.run() == []


def test_a_file_that_is_only_touched_changes_nothing(works: Works) -> None:
    works.run()
    MODEL.touch()
    assert works.run() == []


def test_an_interrupted_stage_goes_on_and_a_changed_one_starts_anew(works: Works) -> None:
    works.failing["segment"] = 130
    with pytest.raises(KeyboardInterrupt):
        works.run()
    folder = RESULTS / "none/results/VOC2012/Segmentation/comp6_val_cls"
    (folder / "val0.png").write_text("from before")
    assert works.states()["test"] == "begun"
    works.failing.clear()
    assert works.run() == ALL[1:]
    assert not list(folder.parent.glob("*.replaced*"))
    change_weights()
    assert works.states()["test"] == "changed"
    works.run()
    assert [p.name for p in (folder.parent / "comp6_val_cls.replaced1").iterdir()]
    assert sorted(p.name for p in folder.iterdir()) == ["val0.png", "val1.png"]


def test_snapshots_of_other_training_are_put_aside(works: Works) -> None:
    works.run()
    change_list()
    works.run()
    change_list()
    works.run()
    assert sorted(p.name for p in MODEL.parent.iterdir()) == [
        MODEL.name, f"{MODEL.name}.replaced1", f"{MODEL.name}.replaced2"
    ]  # fmt: skip


def test_until_and_again(works: Works) -> None:
    assert works.run(until="test") == ALL[:2]
    assert works.run(again="test") == ALL[1:]
    with pytest.raises(UsageError, match="Did you mean 'train'"):
        works.run(until="trian")


def test_a_command_that_fails_is_named(works: Works) -> None:
    works.failing["eval"] = 1
    with pytest.raises(PydeeplabError, match=r"score: `pydeeplab eval` failed with exit code 1.*goes on here"):
        works.run()
    works.failing.clear()
    assert works.run() == ["eval", "figure"]


def test_a_command_that_leaves_nothing_is_named(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(works, "segment", lambda options: None)
    with pytest.raises(PydeeplabError, match=r"test: it ended well, but left no .*val0\.png and 1 more"):
        works.run()
    assert works.states()["test"] == "begun"


def test_damaged_marks_and_results_are_no_obstacle(works: Works) -> None:
    works.run()
    mark = Path("voc12/log/table2_step_30_6k/stages/score_table1_3x3_rate12.json")
    for text in ("{", "[]", '{"state": "done"}', '{"state": "done", "inputs": {"settings": 3}}'):
        mark.write_text(text)
        assert works.run() == ["eval"]
    (RESULTS / "table1_3x3_rate12_scores.json").write_text('{"variants": {"a": 3}}')
    with pytest.raises(PydeeplabError, match="holds no scores of `pydeeplab eval`; remove it"):
        works.subject().numbers()


def test_what_is_missing_is_named_at_once(works: Works) -> None:
    works.workspace = Workspace(works.folder, None, None)
    (works.folder / "voc12/list/val.txt").unlink()
    needs = missing_of(works.subject())
    assert len(needs) == 2
    with pytest.raises(UsageError, match=r"cannot be run yet(.|\n)*--root(.|\n)*--init vgg16_20M.caffemodel \(VGG-16"):
        works.run()
    assert missing_of(works.subject("table8/prerelease_largefov"))[0].startswith("the pre-release version")


def test_released_weights_are_tested_as_they_are(works: Works) -> None:
    MODEL.parent.mkdir(parents=True)
    MODEL.with_name("test.caffemodel").write_text("released")
    assert works.run() == ALL[1:]
    assert str(MODEL.with_name("test.caffemodel")) in works.commands[0]


def test_weights_trained_elsewhere_are_found(works: Works) -> None:
    MODEL.parent.mkdir(parents=True)
    MODEL.write_text("by Caffe")
    assert works.states()["train"] == "found"
    assert works.run() == ALL[1:]
    aspp = Path("voc12/model/table3_aspp_l/train_iter_20000.caffemodel")
    aspp.parent.mkdir(parents=True)
    aspp.write_text("by Caffe, from layers that it had copied")
    works.workspace = Workspace(works.folder, works.workspace.root)
    assert missing_of(works.subject("table3/aspp_l")) == []
    assert "init" not in works.states("table3/aspp_l")


def test_from_a_stage_on_nothing_before_is_looked_at(works: Works) -> None:
    works.workspace = Workspace(works.folder)
    with pytest.raises(UsageError, match="--init"):
        works.run()
    assert works.run(start="test") == ALL[1:]


def test_results_made_elsewhere_do_not_count_for_new_weights(works: Works) -> None:
    folder = RESULTS / "none/results/VOC2012/Segmentation/comp6_val_cls"
    folder.mkdir(parents=True)
    for name in ("val0", "val1"):
        (folder / f"{name}.png").write_text("from elsewhere")
    assert works.states()["test"] == "changed"
    assert works.run() == ALL
    assert (folder.parent / "comp6_val_cls.replaced1/val0.png").read_text() == "from elsewhere"


def test_a_test_set_is_not_scored_and_gets_the_parameters_of_val(works: Works) -> None:
    for name in ("trainval_aug", "test"):
        (works.folder / f"voc12/list/{name}.txt").write_text("/JPEGImages/val0.jpg\n/JPEGImages/val1.jpg\n")
    needs = missing_of(works.subject("text/voc12_test_aspp_l"))
    assert needs == ["the CRF's parameters, which table3/aspp_l finds: run that first"]
    found = Path("voc12/res/features/table3_aspp_l/val/fc8/crf_search/best.json")
    found.parent.mkdir(parents=True)
    found.write_text('{"params": "w=4,xy=50,rgb=3"}')
    assert missing_of(works.subject("text/voc12_test_aspp_l")) == []
    states = works.states("text/voc12_test_aspp_l")
    assert "score" not in states
    assert (states["train2"], states["crf-search"]) == ("open", "found")
    crf = next(s for s, _ in states_of(works.subject("text/voc12_test_aspp_l")) if s.name == "crf")
    assert "features2/table3_aspp_l/test/fc8/post_densecrf_W4_XStd50_RStd3" in " ".join(crf.commands[0])


def test_one_command_at_a_time_reads_its_inputs_before_it_runs(works: Works) -> None:
    """A stage whose input changes while it runs is not taken for one of the new input."""

    def changing(options: dict[str, str]) -> None:
        Works.segment(works, options)
        change_weights()

    works.run(until="train")
    works.segment = changing  # type: ignore[method-assign]
    works.run(until="test")
    assert works.states()["test"] == "changed"
