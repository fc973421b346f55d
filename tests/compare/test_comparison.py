"""Comparing with dumps: errors, the first departure, and the formats of dumps."""

from pathlib import Path

import numpy as np
import pytest

from pydeeplab import Net
from pydeeplab.compare import Dump, compare, dump_script, read_dump, record, write_dump
from pydeeplab.compare.comparison import ulp_distance
from pydeeplab.errors import DataError
from pydeeplab.formats.mat import write_mat

TEXT = """
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 5 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "c1"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "c2" type: "Convolution" bottom: "c1" top: "c2"
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "xavier" } } }
"""


@pytest.fixture
def net() -> Net:
    return Net.from_text(TEXT, engine="CAFFE")


@pytest.fixture
def dump(net: Net) -> Dump:
    return record(net, {"x": np.random.default_rng(0).standard_normal((1, 3, 6, 5))}, backward=True)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_dump_survives_the_disk_and_agrees(net: Net, dump: Dump, tmp_path: Path, suffix: str) -> None:
    write_dump(tmp_path / f"d{suffix}", dump)
    result = compare(net, read_dump(tmp_path / f"d{suffix}"))
    assert result.agrees
    assert {e.key for e in result.errors} >= {"data/c1", "data/c2", "diff/x", "pdiff/c1/0"}
    assert max(e.ulps for e in result.errors) == 0


def test_the_first_departure_is_named_with_its_layers(net: Net, dump: Dump) -> None:
    dump.data["c1"] = dump.data["c1"] + 0.01
    dump.data["c2"] = dump.data["c2"] + 1
    result = compare(net, dump)
    assert not result.agrees
    assert result.first_departure is not None
    assert result.first_departure.key == "data/c1"
    assert result.first_departure.layers == ("c1", "r1")
    assert result.first_departure.max_abs == pytest.approx(0.01, rel=1e-4)


def test_a_wrong_gradient_is_found(net: Net, dump: Dump) -> None:
    dump.pdiff["c2/0"] = 2 * dump.pdiff["c2/0"]
    result = compare(net, dump)
    assert result.first_departure is not None
    assert result.first_departure.key == "pdiff/c2/0"
    assert compare(net, dump, backward=False).agrees


def test_shapes_and_nans_depart(net: Net, dump: Dump) -> None:
    dump.data["c1"] = dump.data["c1"][..., :-1]
    dump.data["c2"] = dump.data["c2"].copy()
    dump.data["c2"][0, 0, 0, 0] = np.nan
    departed = [e.key for e in compare(net, dump, backward=False).errors if not e.within]
    assert departed == ["data/c1", "data/c2"]


def test_what_is_missing_is_listed(net: Net, dump: Dump) -> None:
    dump.data["other"] = dump.data.pop("c1")
    result = compare(net, dump, backward=False)
    assert result.not_recorded == ("data/c1",)
    assert result.not_in_net == ("data/other",)


def test_a_folder_of_mat_files(net: Net, dump: Dump, tmp_path: Path) -> None:
    write_mat(tmp_path / "x.mat", dump.data["x"])
    write_mat(tmp_path / "c2_blob_0.mat", dump.data["c2"])
    result = compare(net, read_dump(tmp_path))
    assert result.agrees
    assert [e.key for e in result.errors] == ["data/x", "data/c2"]


def test_recorded_parameters_are_used(net: Net) -> None:
    x = {"x": np.random.default_rng(0).standard_normal((1, 3, 6, 5))}
    with_params = record(net, x, params=True)
    assert compare(Net.from_text(TEXT, engine="CAFFE"), with_params).agrees
    assert not compare(Net.from_text(TEXT, engine="CAFFE"), record(net, x)).agrees


def test_useless_dumps(net: Net, dump: Dump, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no values for inputs of the net: x"):
        compare(net, Dump(data={"c1": dump.data["c1"]}))
    with pytest.raises(DataError, match="no blob in common"):
        compare(net, Dump(inputs=dump.inputs))
    with pytest.raises(DataError, match="no such dump"):
        read_dump(tmp_path / "absent.npz")
    (tmp_path / "bad.npz").write_bytes(b"garbage")
    with pytest.raises(DataError, match=r"bad\.npz"):
        read_dump(tmp_path / "bad.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no \.mat files"):
        read_dump(tmp_path / "empty")


def test_ulps() -> None:
    one = np.array([1.0, 0.0, np.nan], np.float32)
    near = np.array([np.nextafter(np.float32(1), np.float32(2)), -0.0, np.nan], np.float32)
    assert ulp_distance(one, one) == 0
    assert ulp_distance(one, near) == 1
    assert ulp_distance(np.float32([-1e-45]), np.float32([1e-45])) == 2
    assert ulp_distance(one, np.array([1, 0, 0], np.float32)) == float("inf")


def test_the_script_for_caffe_is_a_program() -> None:
    compile(dump_script(), "record.py", "exec")
