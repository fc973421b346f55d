"""Prototxts that are cut, mangled, nested, huge or binary: a net, or an error that names the file."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pydeeplab import TEST, TRAIN, Net
from pydeeplab.errors import PrototxtError, PydeeplabError
from pydeeplab.proto import parse_net, parse_solver, read_net, read_solver
from tests.support.external import DATA

FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
REFERENCE = sorted((DATA / "reference" / "layers").glob("*.prototxt"))

OLD = """layers { name: "d" type: DATA top: "data" data_param { source: "x" batch_size: 2 mean_file: "q" scale: 0.1 } }
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
  convolution_param { num_output: 3 kernel_size: 3 hole: 2 pad: 1 weight_filler { type: "xavier" } }
  include { phase: TRAIN } }"""
OLDEST = """input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "p" type: "padding" pad: 1 } bottom: "data" top: "p" }
layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 3 biasterm: false } bottom: "p" top: "c" }"""
TEMPLATE = """name: "${NAME}" # a comment with ${PLACES}
layer { name: "d" type: "Input" top: "data" input_param { shape { dim: ${N} dim: [3, 8, 8] } } }
layer < name: "r" type: "ReLU" bottom: "data" top: "data" relu_param: { negative_slope: 1e-3f } >"""
SOLVER = """net: "a.prototxt" base_lr: 0.1 lr_policy: "poly" power: 0.9 max_iter: 10 iter_size: 2 snapshot_prefix: "x"
test_iter: 3 test_interval: 4 solver_mode: CPU solver_type: SGD stepvalue: [1, 2]
net_param { layer { name: "x" type: "ReLU" } }"""
NETS = [OLD, OLDEST, TEMPLATE, *(file.read_text() for file in REFERENCE[::9])]

TOKEN = re.compile(r'"[^"]*"|[\w.+-]+|\s+|.')
WORDS = sorted({word for text in NETS for word in TOKEN.findall(text) if not word.isspace()})
ODD = [
    *"{}<>[]:;,\"'-#$\\/.é\0\n\ufeff",
    *("${", "${}", "${A}", "/*", "0x", "1e999", "-1", "nan", "inf", "0777", '"\\xff"', '"\\777"', '"a" "b"'),
    *("2147483648", "4294967296", "9223372036854775808", "-9223372036854775809", "1.5", ".5", "1e", "true"),
    *("layer", "layers", "layer {", 'layer { name: "a" type: "ReLU" }', 'type: "Nope"', "type: RELU", "phase: 5"),
    *("dim: 2147483648", "dim: -1", "dim: 0", "num_output: 0", "kernel_size: 0", "group: 0", "axis: 9", "pad: 99"),
    *('top: "data"', 'bottom: "nope"', "loss_weight: 1", 'param { name: "w" }', "include { phase: TEST }"),
    *("exclude { }", "blobs { }", "blobs { shape { dim: 4294967296 } }", "force_backward: true"),
]
MOST = 10**6


def build(text: str) -> None:
    """Read and build it in both phases, and run what is small; errors of pydeeplab must name the file."""
    try:
        source = parse_net(text, filename="F.prototxt", defines={"NAME": "q", "N": "1"})
        for phase in (TRAIN, TEST):
            net = Net.from_source(source, phase)
            if all(blob.count < MOST for blob in net._blobs):
                net.forward()
    except PydeeplabError as error:
        if "F.prototxt" not in str(error):
            raise


def solve(text: str) -> None:
    """Read it as a solver, with the nets inside."""
    try:
        source = parse_solver(text, filename="F.prototxt")
        for field in ("net_param", "train_net_param"):
            if source.param.HasField(field):
                source.net_source(field)
    except PydeeplabError as error:
        if "F.prototxt" not in str(error):
            raise


def mangled(text: str, seed: int) -> str:
    """The text with some tokens removed, replaced, put in or repeated."""
    draw = random.Random(seed)
    tokens = TOKEN.findall(text)
    for _ in range(draw.choice([1, 1, 2, 3, 6])):
        at = draw.randrange(len(tokens))
        match draw.randrange(6):
            case 0:
                del tokens[at]
            case 1:
                tokens[at] = draw.choice(ODD)
            case 2:
                tokens[at] = draw.choice(WORDS)
            case 3:
                tokens.insert(at, f" {draw.choice(ODD)} ")
            case 4:
                tokens[at:at] = tokens[at : at + draw.randrange(1, 30)]
            case 5:
                del tokens[at:]
        tokens = tokens or ["x"]
    return "".join(tokens)


@pytest.mark.parametrize("text", NETS)
def test_mangled_nets(text: str) -> None:
    for seed in range(120):
        build(mangled(text, seed))


@pytest.mark.filterwarnings("ignore:invalid octal escape")
def test_mangled_solvers() -> None:
    for seed in range(1500):
        solve(mangled(SOLVER, seed))


@pytest.mark.parametrize("text", [OLD, OLDEST, TEMPLATE, NETS[4]])
def test_cut_nets(text: str) -> None:
    for end in range(len(text)):
        build(text[:end])
    for end in range(len(SOLVER)):
        solve(SOLVER[:end])


@FUZZ
@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    build(text)
    solve(text)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prototxt") / "F.prototxt"


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for read in (read_net, read_solver):
        try:
            read(path)
        except PrototxtError as error:
            if str(path) not in str(error):
                raise


@pytest.mark.parametrize(
    "opening", ["layer {", "layer <", "layers { layer {", "net_param {", "{", "[", "layer: [", "'"]
)
@pytest.mark.parametrize("parse", [parse_net, parse_solver])
def test_deep_nesting(opening: str, parse: type) -> None:
    for depth in (50, 200_000):
        with pytest.raises(PrototxtError, match=r"^F\.prototxt:\d*"):
            parse(opening * depth, filename="F.prototxt")
        with pytest.raises(PrototxtError, match=r"^F\.prototxt:\d*"):
            parse(opening * depth + "}" * depth, filename="F.prototxt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer { name: 'a' }" * 3 + "\n  layer {\n  type: 5\n}", r"F:3:9: expected a string"),
        ("layer {\n  name: 'a'\n  nmae: 'b'\n}", r"F:3:3: .*no field 'nmae'.*Did you mean 'name'"),
        ("layer {\n  pooling_param { pool: MAXX }\n}", r"F:2:25: MAXX is no PoolMethod; there are MAX, AVE"),
        ("layer { phase: TRIAN }", r"F:1:16: TRIAN is no Phase; there are TRAIN, TEST.*Did you mean 'TRAIN'"),
        ("layer {\n  loss_weight: 1e\n}", r"F:2:16: expected a number"),
        ("layer { input_param { shape { dim: 99999999999999999999 } } }", r"F:1:36: "),
        ("layer { name: 'a\n' }", r"F:1:15: a string without its closing quote"),
        ("layer {\n\n", r"the block 'layer' opened in line 1 is not closed"),
        ("layer { } }", r"F:1:11: this '}' closes nothing"),
    ],
)
def test_errors_point_to_the_place(text: str, message: str) -> None:
    with pytest.raises(PrototxtError, match=message):
        parse_net(text, filename="F")


def test_a_huge_net_takes_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        layers = "".join(
            f'layer {{ name: "l{i}" type: "ReLU" bottom: "b{i}" top: "b{i + 1}" }}\n' for i in range(count)
        )
        text = 'layer { name: "x" type: "Input" top: "b0" input_param { shape { dim: 1 } } }\n' + layers
        start = time.perf_counter()
        net = Net.from_text(text)
        assert len(net.layers) == count + 1
        return time.perf_counter() - start

    small, large = seconds(500), seconds(4000)
    assert large < 40 * small  # in proportion 8, quadratic 64


def test_an_error_at_the_end_of_a_long_text_is_found_soon() -> None:
    text = 'layer { name: "l" type: "ReLU" bottom: "x" top: "x" }\n' * 20_000 + "layer { nmae: 1 }"
    start = time.perf_counter()
    with pytest.raises(PrototxtError, match=r"^F:20001:9: "):
        parse_net(text, filename="F")
    assert time.perf_counter() - start < 10


class TestNoFile:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(PrototxtError, match="there is no such file"):
            Net(tmp_path / "nothing")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(PrototxtError, match="is a folder"):
            Net(tmp_path)

    def test_name_that_no_file_can_have(self) -> None:
        with pytest.raises(PrototxtError, match="null byte"):
            Net("a\0b")

    def test_endless_device_is_refused(self) -> None:
        with pytest.raises(PrototxtError, match="/dev/zero"):
            Net("/dev/zero")

    def test_no_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> bytes:
            raise PermissionError(13, "Permission denied")

        (tmp_path / "F").write_text("layer { }")
        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(PrototxtError, match="F cannot be read: Permission denied"):
            Net(tmp_path / "F")

    def test_link(self, tmp_path: Path) -> None:
        (tmp_path / "F").write_text('layer { name: "x" type: "Input" top: "x" }')
        (tmp_path / "link").symlink_to("F")
        assert Net(tmp_path / "link").inputs == ["x"]
