"""The declared rows: they say what the paper says, and their nets and plans exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydeeplab.experiment import experiment_names, find_experiment, find_experiments
from pydeeplab.experiment.plan import stages_of
from pydeeplab.experiment.running import in_folder, missing_of
from pydeeplab.experiment.subject import Subject, Workspace
from pydeeplab.net import Net
from pydeeplab.proto import parse_net
from pydeeplab.proto import write_text as message_text
from pydeeplab.resources import find_net

PAPER: dict[int, list[tuple[float | None, float | None]]] = {
    1: [(64.38, 67.64), (59.80, 63.74), (63.41, 67.14), (62.25, 67.64)],
    2: [(62.25, None), (63.42, None), (64.90, None), (64.71, None), (65.88, None)],
    3: [(65.76, 69.84), (66.98, 69.73), (68.96, 71.57)],
    4: [(b, None) for b in (68.72, 71.27, 73.28, 74.87, 75.54, 76.35)] + [(None, 77.69)],
    5: [(None, 79.7)],
    6: [(37.6, None), (None, 39.6), *((b, None) for b in (39.6, 41.4, 42.9, 43.5, 44.7)), (None, 45.7)],
    7: [(58.90, None), (63.10, None), (64.40, None), (None, 64.94), (62.18, None), (62.76, None)],
    8: [(None, 64.8), (None, 63.1), (None, 70.4)],
    9: [(62.97, None), (None, 64.18), (64.89, None), (None, 65.94)]
    + [(b, None) for b in (66.6, 69.2, 70.4, 71.0)]
    + [(None, 71.4)],
}
"""Mean IoU before and after the CRF, of the rows with nets of the paper's own, from the top of each table."""

NAMES = experiment_names()


@pytest.mark.parametrize("table", PAPER)
def test_the_numbers_are_the_papers(table: int) -> None:
    rows = [find_experiment(name) for name in NAMES]
    found = sorted((e for e in rows if e.expected.table == table), key=lambda e: e.expected.row or 0)
    assert [(e.expected.before_crf, e.expected.after_crf) for e in found] == PAPER[table]
    assert len({e.expected.row for e in found}) == len(found)
    assert all(e.name.startswith(f"table{table}/") for e in found)


def test_every_row_is_in_a_table_or_in_the_text() -> None:
    others = [name for name in NAMES if not name.startswith("table")]
    assert {name.partition("/")[0] for name in others} == {"text", "camvid"}
    assert len(NAMES) == sum(map(len, PAPER.values())) + len(others)


def test_tables_4_to_9_differ_in_what_their_columns_say() -> None:
    for table, first in ((4, 1), (6, 3), (7, 1)):
        rows = {e.name.partition("/")[2]: e for e in find_experiments([f"table{table}"])}
        for name, row in rows.items():
            if "vgg16" in name or row.base:
                continue
            assert row.net.augment is ("aug" in name), row.name
            assert ("msc" in row.net.name) is ("msc" in name), row.name
            assert row.init.weights == ("init.caffemodel" if "coco" in name else "ResNet-101-model.caffemodel"), (
                row.name
            )
            for part in ("largefov", "aspp"):
                assert (part in row.net.name) is (part in name), row.name
        assert rows["base"].expected.row == first
    for row in find_experiments(["table9"]):
        if not row.base:
            assert row.net.input_scale == (0.5 if "half" in row.name else 1), row.name
            assert bool(row.net.augment) is ("aug" in row.name), row.name


@pytest.mark.parametrize("name", NAMES)
def test_a_row_has_a_plan(name: str, tmp_path: Path) -> None:
    """With a work folder that is empty: nothing is done, and what nobody can make is named."""
    experiment = find_experiment(name)
    subject = Subject(experiment, Workspace(tmp_path))
    with in_folder(tmp_path):
        stages = list(stages_of(subject))
        needs = missing_of(subject)
    names = [stage.name for stage in stages]
    assert names[0] == "prepare"
    assert names[-1] == "report"
    assert ("crf" in names) is (experiment.crf is not None)
    if experiment.data.dataset != "camvid":
        assert ("crf" in names) is (experiment.expected.after_crf is not None)
    assert ("train2" in names) is experiment.stage_2
    assert ("score" in names) is experiment.data.truth
    assert all(stage.outputs for stage in stages)
    assert any("--root" in line for line in needs)
    assert any(f"--init {experiment.init.weights}" in line for line in needs) is bool(experiment.init.weights)
    assert not list(tmp_path.iterdir())


DISTINCT = {(e.net, e.data.dataset): e.name for e in find_experiments([]) if not (e.base or e.data.lists)}


@pytest.mark.parametrize("name", DISTINCT.values())
def test_a_rows_prototxts_are_the_papers_with_its_changes(name: str, tmp_path: Path) -> None:
    experiment = find_experiment(name)
    config = Subject(experiment, Workspace(tmp_path)).config
    with in_folder(tmp_path):
        train, solver = config.net("train"), config.solver()
    data = train.layer[0]
    assert data.image_data_param.source == f"{config.layout.exp}/list/{experiment.data.train}.txt"
    assert data.image_data_param.root_folder == f"{config.layout.exp}/data"
    if experiment.net.batch_size:
        assert data.image_data_param.batch_size == experiment.net.batch_size
    if experiment.net.augment is not None:
        assert len(data.transform_param.scale_factors) == (5 if experiment.net.augment else 0)
    if experiment.net.input_scale != 1:
        assert list(data.transform_param.scale_factors) == [0.5]
    for key, value in experiment.solver.items():
        assert getattr(solver, key) == pytest.approx(value)
    assert find_net(experiment.net.name, "deploy").is_file()


@pytest.mark.parametrize("name", ["table1/4x4_rate4", "table4/msc_coco_aug_aspp", "table9/vgg16_half"])
def test_the_net_for_testing_has_the_papers_convolutions(name: str, tmp_path: Path) -> None:
    experiment = find_experiment(name)
    half = experiment.net.input_scale != 1
    with in_folder(tmp_path):
        deploy = Subject(experiment, Workspace(tmp_path)).config.net("deploy")
    assert [layer.type for layer in deploy.layer[:2]] == ["Input", "Pooling" if half else deploy.layer[1].type]
    original = parse_net(find_net(experiment.net.name, "deploy").read_text()).param
    assert [la for la in deploy.layer if la.type == "Convolution"] == [
        _half(la) if half and "data" in la.bottom else la for la in original.layer if la.type == "Convolution"
    ]


def _half(layer: object) -> object:
    copy = type(layer)()
    copy.CopyFrom(layer)
    copy.bottom[:] = ["data_half"]
    return copy


def test_the_half_size_net_gives_scores_at_full_size(tmp_path: Path) -> None:
    subject = Subject(find_experiment("table9/vgg16_half"), Workspace(tmp_path))
    with in_folder(tmp_path):
        param = subject.config.net("deploy")
    for layer in param.layer:  # few channels: only sizes matter here
        if layer.type == "Convolution" and layer.convolution_param.num_output != 19:
            layer.convolution_param.num_output = 2
    param.layer[0].input_param.shape[0].dim[2:] = [65, 129]
    net = Net.from_source(parse_net(message_text(param)), 1)
    assert net.blobs["data_half"].shape == (1, 3, 33, 65)
    assert net.blobs[net.outputs[-1]].shape == (1, 19, 65, 129)
