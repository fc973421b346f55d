"""118 prototxts from 25 repositories: all are read, but for one that no Caffe ever read."""

import csv

import pytest

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import caffe_pb2, parse_net, parse_solver, read_net, read_solver, write_text
from tests.support.external import shared

CORPUS = shared("data/prototxt_corpus")
with (CORPUS / "index.csv").open(newline="") as table:
    ROWS = list(csv.DictReader(table))

NUMBERS = {"NUM_LABELS", "NUM_LABELS1", "NUM_LABELS_UNION", "BATCH_SIZE", "TRAIN_STEP", "BG_BIAS", "FG_BIAS"}
READ, REFUSED = 117, 1


def _defines(row):
    return {name: 21 if name in NUMBERS else name.lower() for name in filter(None, row["template_vars"].split("|"))}


def _read(row):
    read = read_solver if row["format"] == "solver" else read_net
    return read(CORPUS / row["local"], defines=_defines(row))


def test_what_is_read_and_what_is_refused():
    refused = {}
    for row in ROWS:
        try:
            _read(row)
        except PrototxtError as error:
            refused[row["local"]] = str(error).removeprefix(f"{CORPUS}/")
    print(*(f"read: {row['local']}" for row in ROWS if row["local"] not in refused), sep="\n")
    print(*(f"refused: {reason}" for reason in refused.values()), sep="\n")
    assert (len(ROWS) - len(refused), len(refused)) == (READ, REFUSED)
    assert list(refused.values()) == [
        f"{BROKEN}:23:9: in layers {{ }} (the old format) "
        'a type is a bare word such as CONVOLUTION, not "ImageSegData"; strings are the types of layer { }. '
        "Did you mean IMAGE_SEG_DATA?"
    ]


BROKEN = "balloch+PSPNet/exper/voc12/config/DeepLab-LargeFOV/train_train_aug.prototxt"
NETS = [row for row in ROWS if row["format"] != "solver" and row["local"] != BROKEN]


@pytest.mark.parametrize("row", NETS, ids=lambda row: row["local"])
def test_nets(row):
    source = _read(row)
    net = source.param
    assert net.layer
    assert not net.layers
    assert not net.input
    assert all(layer.type for layer in net.layer)
    assert not any(layer.convolution_param.HasField("hole") for layer in net.layer)
    lines = (CORPUS / row["local"]).read_text(errors="replace").splitlines()

    def written(place):
        path, line, column = place.rsplit(":", 2)
        assert path == str(CORPUS / row["local"])
        return lines[int(line) - 1][int(column) - 1 :]

    for index, layer in enumerate(net.layer):
        if layer.type == "Input" and layer.name == "input":
            continue
        assert written(source.where(index)).startswith("layer")
        assert source.where(index, "type")
        folded = row["format"] == "V0" and layer.type in ("Convolution", "Pooling")
        for item, bottom in enumerate(layer.bottom):
            text = written(source.where(index, "bottom", item))
            assert folded or "${" in text or text[1:].startswith(bottom)
    again = parse_net(write_text(net))
    assert again.param == net
    assert again.notes == []
    state = caffe_pb2.NetState(phase=caffe_pb2.TEST if row["kind"] in ("test", "deploy") else caffe_pb2.TRAIN)
    filtered = source.filtered(state)
    made = {top for layer in filtered.param.layer for top in layer.top}
    if all(bottom in made for layer in filtered.param.layer for bottom in layer.bottom):
        split = filtered.with_splits()
        bottoms = [bottom for layer in split.param.layer for bottom in layer.bottom]
        tops = [top for layer in split.param.layer for top in layer.top]
        in_place = sum(b in layer.top for layer in split.param.layer for b in layer.bottom)
        assert len(bottoms) - in_place == len(set(bottoms)), "every blob has one reader"
        assert set(bottoms) <= set(tops)


@pytest.mark.parametrize("row", [r for r in ROWS if r["format"] == "solver"], ids=lambda row: row["local"])
def test_solvers(row):
    source = _read(row)
    assert source.where("base_lr")
    assert not source.param.HasField("solver_type")
    assert parse_solver(write_text(source.param)).param == source.param
    if source.param.HasField("net_param"):
        net = source.net_source("net_param")
        assert net.param.layer[0].type == "Data"
        assert net.where(0)


@pytest.mark.parametrize("row", [r for r in ROWS if r["template_vars"]], ids=lambda row: row["local"])
def test_templates_need_their_variables(row):
    read = read_solver if row["format"] == "solver" else read_net
    lines = (CORPUS / row["local"]).read_text(errors="replace").splitlines()
    if any("${" in line.split("#")[0] for line in lines):
        with pytest.raises(PrototxtError, match=r"\$\{\w+\} has no value.* --define \w+=value"):
            read(CORPUS / row["local"])
    else:
        assert read(CORPUS / row["local"]).param == _read(row).param
