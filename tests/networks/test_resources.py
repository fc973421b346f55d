"""Nets and weights are found by path and by name, and errors say what is near."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydeeplab import resources
from pydeeplab.errors import UsageError
from pydeeplab.networks import DATASETS, find
from pydeeplab.resources import find_net, find_weights, net_names
from tests.support.external import repository

ROOT = repository() / "prototxt"


def test_a_name_gives_the_file_of_the_wanted_kind() -> None:
    assert find_net("voc12/vgg16_largefov") == ROOT / "voc12/vgg16_largefov/deploy.prototxt"
    assert find_net("voc12/vgg16_largefov", "solver2") == ROOT / "voc12/vgg16_largefov/solver2.prototxt"
    assert find_net("voc12/vgg16_largefov/train") == ROOT / "voc12/vgg16_largefov/train.prototxt"
    assert find_net("voc12/vgg16_largefov/train.prototxt", "deploy") == ROOT / "voc12/vgg16_largefov/train.prototxt"
    assert find is find_net


def test_a_path_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text("name: 'x'")
    assert find_net(file) == file
    with pytest.raises(UsageError, match=r"has no deploy\.prototxt; it has net"):
        find_net(tmp_path)
    file.rename(tmp_path / "train.prototxt")
    assert find_net(str(tmp_path), "train") == tmp_path / "train.prototxt"


def test_near_names_are_offered() -> None:
    with pytest.raises(UsageError, match="Did you mean 'voc12/resnet101_aspp_msc'"):
        find_net("voc12/resnet101_aspp_mcs")
    with pytest.raises(UsageError, match="Did you mean 'vgg16_largefov'"):
        find_net("vgg16_largefow")
    with pytest.raises(UsageError, match="Did you mean 'voc12/vgg16_7x7'"):
        find_net("voc12/vgg16_7x/train")
    with pytest.raises(UsageError, match=r"no file or net 'zzz'\. `python"):
        find_net("zzz")
    with pytest.raises(UsageError, match=r"no file or net 'mine/zzz\.prototxt'\. `python"):
        find_net("mine/zzz.prototxt")


def test_a_name_without_its_dataset_must_be_unique() -> None:
    with pytest.raises(UsageError, match="exists for several datasets; say which: cityscapes/vgg16_7x7, "):
        find_net("vgg16_7x7")


def test_every_name_is_found() -> None:
    names = [name for name in net_names() if name.partition("/")[0] in {dataset.folder for dataset in DATASETS}]
    assert len(names) == 53
    for name in names:
        for kind in ("train", "test", "deploy", "solver"):
            assert find_net(name, kind).is_file()


def test_installed_copies_are_used_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "site" / "pydeeplab")
    with pytest.raises(UsageError, match="no prototxt folder"):
        find_net("voc12/x")
    folder = tmp_path / "site" / "pydeeplab" / "share" / "prototxt" / "voc12" / "x"
    folder.mkdir(parents=True)
    (folder / "deploy.prototxt").write_text("name: 'x'")
    assert find_net("x") == folder / "deploy.prototxt"
    assert net_names() == ["voc12/x"]


def test_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "pydeeplab")
    folder = tmp_path / "pydeeplab" / "share" / "weights" / "tiny"
    folder.mkdir(parents=True)
    for name in ("a.caffemodel", "b.caffemodel.h5", "b.npz", "README.md"):
        (folder / name).write_bytes(b"")
    assert find_weights("tiny/a") == folder / "a.caffemodel"
    assert find_weights("a.caffemodel") == folder / "a.caffemodel"
    assert find_weights(folder / "b.npz") == folder / "b.npz"
    with pytest.raises(UsageError, match="could be any of"):
        find_weights("b")
    with pytest.raises(UsageError, match=r"Did you mean 'tiny/a\.caffemodel'"):
        find_weights("tiny/A.caffemodel")
    with pytest.raises(UsageError, match="no weight file 'README'"):
        find_weights("README")
