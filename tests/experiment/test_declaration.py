"""Files that declare experiments: what is read from them, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydeeplab.errors import UsageError
from pydeeplab.experiment import find_experiment, find_experiments
from pydeeplab.experiment.declaration import parse_experiment

GOOD = """\
title = "Mine"

[net]
name = "voc12/vgg16_largefov"
batch_size = 4

[init]
weights = "w.caffemodel"
copy = { fc6 = ["fc6_1", "fc6_2"] }

[data]
dataset = "mine"
train = "all"

[solver]
base_lr = 0.01
stepvalue = [10, 20]

[variables]
BG_BIAS = 0.4

[crf]
params = "w=3,xy=30,rgb=4"

[expected]
after_crf = 50
"""


def parse(text: str, path: Path = Path("mine.toml")) -> object:
    return parse_experiment(text, path, "mine", find_experiment)


def test_a_whole_file() -> None:
    experiment = parse(GOOD)
    assert experiment.net.batch_size == 4
    assert experiment.init.copy == {"fc6": ("fc6_1", "fc6_2")}
    assert (experiment.data.dataset, experiment.data.train, experiment.data.test) == ("mine", "all", "val")
    assert experiment.solver == {"base_lr": 0.01, "stepvalue": [10, 20]}
    assert experiment.variables == {"BG_BIAS": "0.4"}
    assert experiment.crf.params == "w=3,xy=30,rgb=4"
    assert experiment.expected.after_crf == 50


@pytest.mark.parametrize(
    ("old", "new", "place", "what"),
    [
        ('title = "Mine"', "", "mine.toml", "title is missing"),
        ('title = "Mine"', "title = 3", "mine.toml:1", "title must be a text"),
        ('name = "voc12/vgg16_largefov"', "", "mine.toml:3", "[net] lacks 'name'"),
        ("batch_size = 4", "batchsize = 4", "mine.toml:5", "Did you mean 'batch_size'?"),
        ("batch_size = 4", "batch_size = 0", "mine.toml:5", "must be a whole number of at least 1, got 0"),
        ("batch_size = 4", "batch_size = true", "mine.toml:5", "must be a whole number of at least 1, got True"),
        ("batch_size = 4", "input_scale = 0.7", "mine.toml:5", "must be 1 or 0.5, got 0.7"),
        ("batch_size = 4", "batch_size = = 4", "mine.toml:5:14", "is no TOML"),
        ('["fc6_1", "fc6_2"]', '"fc6_1"', "mine.toml:9", "a list of layers that get its parameters"),
        ("[solver]", "[solvers]", "mine.toml:15", "Did you mean 'solver'?"),
        ("base_lr = 0.01", "baselr = 0.01", "mine.toml:16", "a solver has no field 'baselr'. Did you mean 'base_lr'?"),
        ("base_lr = 0.01", 'base_lr = "fast"', "mine.toml:16", "solver.base_lr cannot be 'fast'"),
        ("BG_BIAS = 0.4", "BG_BIAS = [1]", "mine.toml:20", "must be a text or a number"),
        ('params = "w=3,xy=30,rgb=4"', 'params = "w=3,xyz=30"', "mine.toml:23", "cannot read CRF parameter 'xyz=30'"),
        ('params = "w=3,xy=30,rgb=4"', "search_images = 3", "mine.toml:22", "wants one of params"),
        ("after_crf = 50", "after_crf = 500", "mine.toml:26", "0 to 100"),
        ('[crf]\nparams = "w=3,xy=30,rgb=4"\n', "", "mine.toml:24", "needs a [crf] section"),
        ("[net]", 'base = "table3/aspp_l"\n[net]', "mine.toml:4", "has no [net] of its own"),
        ("[net]", 'base = "table3/asppl"\n[net]', "mine.toml:3", "Did you mean 'table3/aspp_l'?"),
        ("batch_size = 4", 'net_id = "../x"', "mine.toml:5", "net.net_id names files"),
        ('dataset = "mine"', 'dataset = "/mine"', "mine.toml:12", "data.dataset names files"),
        ('train = "all"', 'train = "a b"', "mine.toml:13", "data.train names files"),
        ("[net]\n", "[[net]]\n", "mine.toml:3", "[net] must be a table"),
    ],
)
def test_errors_name_line_and_way_out(old: str, new: str, place: str, what: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as caught:
        parse(GOOD.replace(old, new, 1))
    assert str(caught.value).startswith(f"{place}: ")
    assert what in str(caught.value)


def test_a_base_gives_net_data_and_start() -> None:
    text = 'title = "On test"\nbase = "table4/msc_coco_aug_aspp_crf"\n[data]\ntest = "test"\ntruth = false\n'
    experiment = parse(text)
    trained = find_experiment("table4/msc_coco_aug_aspp")
    assert (experiment.net, experiment.init, experiment.solver) == (trained.net, trained.init, trained.solver)
    assert (experiment.data.dataset, experiment.data.train, experiment.data.test) == ("voc12", "train_aug", "test")
    assert experiment.base == trained.name
    assert experiment.searched_by is None
    searching = parse(f"{text}[crf]\nsearch = true\n")
    assert searching.searched_by.name == "table4/msc_coco_aug_aspp_crf"


@pytest.mark.parametrize(
    ("crf", "what"),
    [
        ('found_by = "table4/mscc"', r"mine.toml:6: no experiment 'table4/mscc'"),
        ('found_by = "table4/msc"', r"mine.toml:6: 'table4/msc' does not search for CRF parameters"),
        ('found_by = "table3/aspp_l"\nsearch = true', "wants one of params"),
        ("search = true", "mine.toml:6: the truth of this set is not public"),
    ],
)
def test_a_search_that_is_none(crf: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        parse(f'title = "x"\nbase = "table4/msc"\n[data]\ntruth = false\n[crf]\n{crf}\n')


def test_a_base_allows_no_other_training_data() -> None:
    with pytest.raises(UsageError, match=r"mine.toml:4: with a base, \[data\] may have .*, not 'train'"):
        parse('title = "x"\nbase = "table3/aspp_l"\n[data]\ntrain = "val"\n')


def test_files_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "crf.toml").write_text('title = "y"\nbase = "mine.toml"\n[crf]\nsearch = true\n')
    assert find_experiment(tmp_path / "mine.toml").name == "mine"
    assert find_experiment(tmp_path / "crf.toml").base == "mine"
    (tmp_path / "mine.toml").write_text('title = "x"\nbase = "crf.toml"\n')
    with pytest.raises(UsageError, match="leads back to itself: crf > mine > crf"):
        find_experiment(tmp_path / "crf.toml")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"a = " + b"[" * 100000, "nested too deeply"),
        (b"\xff\xfe\x00", "no UTF-8 text"),
        (b"#" * 2**21, "a few hundred"),
        (b"", "title is missing"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=what):
        find_experiment(path)


def test_names() -> None:
    with pytest.raises(UsageError, match="Did you mean 'table3/aspp_l'"):
        find_experiment("table3/aspp_ll")
    with pytest.raises(UsageError, match=r"there is no file .*none\.toml"):
        find_experiment("none.toml")
    assert [e.name for e in find_experiments(["table3", "table3/aspp_l"])] == [
        "table3/aspp_l",
        "table3/aspp_s",
        "table3/largefov",
    ]
