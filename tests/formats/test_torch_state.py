"""State dicts of PyTorch: files of PyTorch itself, files made by hand, hostile files, and the names of the ports."""

import contextlib
import json
import os
import re
import struct
import zipfile

import numpy as np
import pytest

from pydeeplab.cli import main
from pydeeplab.errors import WeightsError
from pydeeplab.formats import LayerWeights, load_weights, read_weights
from pydeeplab.formats.torch_names import caffe_places
from pydeeplab.formats.torch_state import read_state_dict, read_torch_state
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.resources import find_net
from tests.formats.torch_files import (
    Raw,
    call,
    code,
    glob,
    ordered_dict,
    pickled,
    state,
    storage,
    tensor,
    text,
    write_plain,
    write_zip,
)
from tests.support.external import DATA

FIXTURES = DATA / "torch"


def _expected(name):
    with np.load(FIXTURES / f"{name}.npz") as archive:
        return dict(archive)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("named_blocks.pth", "named_blocks"),
        ("named_blocks.safetensors", "named_blocks"),
        ("numbered_blocks_plain.pth", "numbered_blocks_plain"),
        ("checkpoint.pth", "checkpoint"),
        ("checkpoint_plain.pth", "checkpoint"),
    ],
)
def test_files_of_pytorch_are_read_to_the_bit(file, values):
    expected = _expected(values)
    arrays = read_state_dict(FIXTURES / file)
    assert sorted(arrays) == sorted(expected)
    for key, array in arrays.items():
        assert array.dtype == expected[key].dtype, key
        np.testing.assert_array_equal(array, expected[key], err_msg=key)
        assert array.flags.c_contiguous
        assert array.flags.owndata or array.base.flags.owndata


def _blobs(layer: LayerWeights):
    return [blob.data for _, blob in layer.stored()]


@pytest.mark.parametrize("file", ["named_blocks.pth", "numbered_blocks_plain.pth"])
def test_layers_of_a_port(file):
    weights = read_torch_state(FIXTURES / file)
    values = _expected(file.removesuffix(".pth"))
    named = file.startswith("named")
    layers = {layer.name: layer for layer in weights.layers}
    block = [f"{kind}2a_branch{branch}" for branch in ("1", "2a", "2b", "2c") for kind in ("res", "bn", "scale")]
    assert sorted(layers) == sorted(["conv1", "bn_conv1", "scale_conv1", *block, "fc1_voc12_c0", "fc1_voc12_c1"])
    assert weights.left_out == []
    conv = "base.layer2.block1.conv3x3.conv" if named else "Scale.layer1.0.conv2"
    norm = "base.layer2.block1.conv3x3.bn" if named else "Scale.layer1.0.bn2"
    down = "base.layer2.block1.shortcut.bn" if named else "Scale.layer1.0.downsample.1"
    head = "base.aspp.c1" if named else "Scale.layer5.conv2d_list.1"
    expected = {
        "res2a_branch2b": [values[f"{conv}.weight"]],
        "bn2a_branch2b": [values[f"{norm}.running_mean"], values[f"{norm}.running_var"], np.ones(1)],
        "scale2a_branch2b": [values[f"{norm}.weight"], values[f"{norm}.bias"]],
        "bn2a_branch1": [values[f"{down}.running_mean"], values[f"{down}.running_var"], np.ones(1)],
        "fc1_voc12_c1": [values[f"{head}.weight"], values[f"{head}.bias"]],
    }
    for name, blobs in expected.items():
        got = _blobs(layers[name])
        assert len(got) == len(blobs)
        for one, other in zip(got, blobs, strict=True):
            np.testing.assert_array_equal(one, other)


STAGES = {2: 3, 3: 4, 4: 23, 5: 3}


def _unit(conv: str, norm: str) -> list[str]:
    return [f"{conv}.weight", *(f"{norm}.{what}" for what in ("weight", "bias", "running_mean", "running_var"))]


def _named_keys():
    keys = _unit("base.layer1.conv1.conv", "base.layer1.conv1.bn")
    for stage, blocks in STAGES.items():
        for block in range(1, blocks + 1):
            branches = ["reduce", "conv3x3", "increase"] + (["shortcut"] if block == 1 else [])
            for branch in branches:
                place = f"base.layer{stage}.block{block}.{branch}"
                keys += _unit(f"{place}.conv", f"{place}.bn")
    return keys + [f"base.aspp.c{i}.{what}" for i in range(4) for what in ("weight", "bias")]


def _numbered_keys():
    keys = _unit("Scale.conv1", "Scale.bn1")
    for stage, blocks in STAGES.items():
        for block in range(blocks):
            place = f"Scale.layer{stage - 1}.{block}"
            for i in (1, 2, 3):
                keys += _unit(f"{place}.conv{i}", f"{place}.bn{i}")
            if block == 0:
                keys += _unit(f"{place}.downsample.0", f"{place}.downsample.1")
    return keys + [f"Scale.layer5.conv2d_list.{i}.{what}" for i in range(4) for what in ("weight", "bias")]


@pytest.mark.parametrize("keys", [_named_keys(), _numbered_keys()], ids=["named", "numbered"])
@pytest.mark.parametrize("name", ["voc12/resnet101_aspp", "person_part/resnet101_aspp_msc"])
def test_the_names_of_a_port_are_those_of_our_nets(keys, name):
    """Every parameter of the net has exactly one key; only BatchNorm's factor is in no port."""
    net = Net(find_net(name), TEST, inputs={"data": (1, 3, 33, 33)})
    layers = [(layer, kind, blobs) for layer, kind, blobs, _ in net.layer_blobs() if blobs]
    places = caffe_places(keys, [layer for layer, _, _ in layers])
    found = [(place.layer, place.blob) for place in places.values()]
    own = [(layer, kind, blobs) for layer, kind, blobs in layers if "_res05" not in layer and "_res075" not in layer]
    wanted = [(layer, i) for layer, kind, blobs in own for i in range(2 if kind == "BatchNorm" else len(blobs))]
    assert sorted(found) == sorted(wanted)


def test_variants_of_names():
    keys = [
        "module.Scale1.layer3.22.conv1.weight",
        "Scale2.layer3.22.conv1.weight",
        "scale.layer2.block1.proj.bn.running_var",
        "scale.aspp.stages.c3.bias",
        "bn1.num_batches_tracked",
        "fc.weight",
    ]
    places = caffe_places(keys)
    assert [place and (place.layer, place.blob) for place in places.values()] == [
        ("res4b22_branch2a", 0),
        None,
        ("bn2a_branch1", 1),
        None,
        None,
    ]
    assert "bn1.num_batches_tracked" not in places
    shallow = caffe_places(["layer3.5.conv1.weight", "layer2.3.conv1.weight"])  # ResNet-50 numbers no blocks
    assert [place.layer for place in shallow.values()] == ["res4f_branch2a", "res3d_branch2a"]
    auxiliary = caffe_places(["layer5.conv2d_list.0.weight", "layer6.conv2d_list.0.weight"])
    assert [place and place.layer for place in auxiliary.values()] == [None, "fc1_voc12"]


THIN = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 2 kernel_size: 3 bias_term: false } }
layer { name: "bn_conv1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { eps: %s } }
layer { name: "scale_conv1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "more" type: "Convolution" bottom: "conv1" top: "more"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "msra" } } }
layer { name: "fc1_mine_c0" type: "Convolution" bottom: "more" top: "a"
  convolution_param { num_output: 3 kernel_size: 3 } }
layer { name: "fc1_mine_c1" type: "Convolution" bottom: "more" top: "b"
  convolution_param { num_output: 3 kernel_size: 3 } }
"""


def test_a_net_loads_a_port_and_computes_as_pytorch_would():
    net = Net.from_text(THIN % "1e-5", TEST)
    report = net.copy_from(FIXTURES / "named_blocks.pth")
    assert report.loaded == ["conv1", "bn_conv1", "scale_conv1", "fc1_mine_c0", "fc1_mine_c1"]
    assert report.missing == ["more"]
    values = _expected("named_blocks")
    x = np.random.default_rng(0).standard_normal((1, 3, 9, 9)).astype(np.float32)
    stem = "base.layer1.conv1"
    windows = np.lib.stride_tricks.sliding_window_view(x[0].astype(np.float64), (3, 3), axis=(1, 2))
    y = np.einsum("chwij,ocij->ohw", windows, values[f"{stem}.conv.weight"])
    mean, variance, gain, shift = (
        values[f"{stem}.bn.{what}"][:, None, None] for what in ("running_mean", "running_var", "weight", "bias")
    )
    y = (y - mean) / np.sqrt(variance + 1e-5) * gain + shift
    net.forward(data=x)
    np.testing.assert_allclose(net.blobs["conv1"].data[0], y, rtol=1e-5, atol=1e-5)


def test_the_command_imports_and_reports(tmp_path, capsys):
    prototxt, out = tmp_path / "deploy.prototxt", tmp_path / "out.caffemodel"
    prototxt.write_text(THIN % "0.001")
    file = str(FIXTURES / "named_blocks.pth")
    assert main(["convert", file, str(out), "--net", str(prototxt)]) == 0
    printed = capsys.readouterr().out
    assert "17 layers of a PyTorch file" in printed
    assert "5 of the net's 6 layers get values" in printed
    assert "not in the file: more" in printed
    assert re.search(r"not in the net: res2a_branch2\w, .* and 6 more", printed)
    assert "eps is not 1e-05, which these ports use, in: bn_conv1" in printed
    written = read_weights(out).arrays()
    np.testing.assert_array_equal(written["fc1_mine_c1/1"], _expected("named_blocks")["base.aspp.c1.bias"])
    np.testing.assert_array_equal(written["bn_conv1/2"], [1])
    assert main(["convert", file, "--list", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["format"] == "torch"
    assert result["import"] == {"layers": 17, "left_out": []}


def test_a_port_that_does_not_fit_is_refused(tmp_path):
    arrays = {"conv1.weight": np.zeros((4, 3, 3, 3), np.float32)}
    write_zip(tmp_path / "x.pth", pickled(state(arrays)[0]), state(arrays)[1])
    with pytest.raises(WeightsError, match="does not fit the net: layer 'conv1'"):
        load_weights(Net.from_text(THIN % "1e-5", TEST), tmp_path / "x.pth")


def test_a_part_of_a_layer_is_refused(tmp_path):
    arrays = {"bn1.running_mean": np.zeros(4, np.float32), "bn1.weight": np.zeros(4, np.float32)}
    write_zip(tmp_path / "x.pth", pickled(state(arrays)[0]), state(arrays)[1])
    with pytest.raises(WeightsError, match="a part of layer 'bn_conv1' only: its running_var is missing"):
        read_torch_state(tmp_path / "x.pth")


def test_names_of_caffe_are_taken_as_they_are(tmp_path):
    arrays = {"conv1_1.weight": np.ones((2, 3), np.float32), "conv1_1.bias": np.zeros(2, np.float32)}
    write_zip(tmp_path / "x.pth", pickled(state(arrays)[0]), state(arrays)[1])
    assert [(layer.name, len(layer.blobs)) for layer in read_weights(tmp_path / "x.pth").layers] == [("conv1_1", 2)]
    with pytest.raises(WeightsError, match="no key of a known port"):
        read_torch_state(tmp_path / "x.pth", ["conv1_2"])


RANDOM = np.random.default_rng(0)
ARRAYS = {
    "a.weight": RANDOM.standard_normal((2, 3)).astype(np.float32),
    "a.bias": RANDOM.standard_normal(4),
    "n.num_batches_tracked": np.array(7),
}


def test_both_containers_byte_by_byte(tmp_path):
    pickle, storages = state(ARRAYS)
    write_zip(tmp_path / "zip.pth", pickled(pickle), storages)
    pickle, storages = state(ARRAYS, plain=True)
    counted = {key: (array.size, data) for array, (key, data) in zip(ARRAYS.values(), storages.items(), strict=True)}
    write_plain(tmp_path / "plain.pth", pickled(pickle), counted)
    for name in ("zip.pth", "plain.pth"):
        arrays = read_state_dict(tmp_path / name)
        assert list(arrays) == list(ARRAYS)
        for key, array in ARRAYS.items():
            np.testing.assert_array_equal(arrays[key], array)


def test_files_of_python_2_with_views(tmp_path):
    """The first release's tensors, byte strings as keys, and two storages that are views of one."""
    values = np.arange(10, dtype=np.float32)
    entries = b""
    for key, start, count in (("a.weight", 2, 4), ("b.weight", 6, 3)):
        place = storage("FloatStorage", "77", 10, plain=True, view=(key, start, count))
        rebuilt = call("torch._utils", "_rebuild_tensor", place, 1, (count - 1,), (1,))
        entries += text(key, python2=True) + rebuilt
    pickle = Raw(call("collections", "OrderedDict") + b"(" + entries + b"u")
    file = write_plain(tmp_path / "x.pth", pickled(pickle), {"77": (10, values.tobytes())})
    arrays = read_state_dict(file)
    np.testing.assert_array_equal(arrays["a.weight"], [3, 4, 5])
    np.testing.assert_array_equal(arrays["b.weight"], [7, 8])


class Bomb:
    """Pickled by Python itself: loading it in Python's way makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


SIX = storage("FloatStorage", "0", 6)
HOSTILE = {
    "a call": (call("os", "system", "true"), r"'os\.system'"),
    "a call by stacked names": (
        Raw(text("builtins") + text("eval") + b"\x93" + code(("1",)) + b"R"),
        r"'builtins\.eval'",
    ),
    "a model": (
        Raw(glob("torch.nn.modules.conv", "Conv2d") + code(()) + b"\x81"),
        r"'torch\.nn\.modules\.conv\.Conv2d'",
    ),
    "a new object": (Raw(glob("collections", "OrderedDict") + code(()) + b"\x81"), "the instruction NEWOBJ"),
    "an instance": (Raw(b"(ios\nsystem\n"), "the instruction INST"),
    "an extension": (Raw(b"\x82\x01"), "the instruction EXT1"),
    "a changed function": (Raw(glob("torch._utils", "_rebuild_tensor") + code({"__code__": 1}) + b"b"), "no dict"),
    "a called string": (Raw(code("x") + code(()) + b"R"), "a call of 'x'"),
    "a called type": (Raw(glob("torch", "FloatStorage") + code(()) + b"R"), r"a call of 'torch\.FloatStorage'"),
    "a whole module": (Raw(code(("module", "x", "file.py", "source")) + b"Q"), "other than a tensor's values"),
    "an odd key": (Raw(b"}" + code((1, 2)) + b"Ns"), "a key of type tuple"),
    "numpy": (call("numpy.core.multiarray", "scalar", 1), r"'numpy\.core\.multiarray\.scalar'"),
    "an unknown storage": (storage("QInt8Storage", "0", 1), r"'torch\.QInt8Storage'"),
    "a negative size": (tensor(SIX, (-1,), (1,)), "no whole number"),
    "a size that is a list": (tensor(SIX, ([[1]],), (1,)), "no whole number but a list"),
    "many axes": (tensor(SIX, (1,) * 40, (1,) * 40), "more than 16"),
}


@pytest.mark.parametrize("container", ["zip", "plain"])
@pytest.mark.parametrize("case", HOSTILE)
def test_more_than_tensors_is_refused_and_never_made(case, container, tmp_path):
    instructions, message = HOSTILE[case]
    pickle = pickled(Raw(b"}" + text("a.weight") + instructions + b"s"))
    path = tmp_path / "x.pth"
    write_zip(path, pickle, {}) if container == "zip" else write_plain(path, pickle, {})
    with pytest.raises(WeightsError, match="is refused: beside tensors it holds .*" + message):
        read_state_dict(path)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pythons_own_pickles_run_nothing(protocol, tmp_path):
    import pickle

    write_zip(tmp_path / "x.pth", pickle.dumps({"a.weight": Bomb(tmp_path / "made")}, protocol), {})
    with pytest.raises(WeightsError, match=r"refused: .*\.mkdir"):
        read_weights(tmp_path / "x.pth")
    assert not (tmp_path / "made").exists()


DAMAGED = {
    "beyond the storage": tensor(SIX, (7,)),
    "an offset beyond": tensor(SIX, (3,), offset=4),
    "an expanded tensor": tensor(SIX, (10**9, 10**9), (0, 0)),
    "long strides": tensor(SIX, (2,), (2**61,)),
    "a missing storage": tensor(storage("FloatStorage", "9", 6), (6,)),
    "a storage of another size": tensor(storage("FloatStorage", "0", 10**12), (6,)),
    "a storage of another type": tensor(storage("DoubleStorage", "0", 6), (6,)),
    "an empty stack": Raw(b"00"),
    "an unknown memo": Raw(b"h\x05"),
    "too few arguments": call("torch._utils", "_rebuild_tensor_v2", 1),
    "a text that never ends": Raw(b"X\xff\xff\xff\x7fabc"),
    "no such instruction": Raw(b"\xfe"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_noticed(case, tmp_path):
    pickle = pickled(Raw(b"}" + text("a.weight") + DAMAGED[case] + b"s"))
    write_zip(tmp_path / "x.pth", pickle, {"0": bytes(24)})
    with pytest.raises(WeightsError, match=r"is a damaged PyTorch file|is refused"):
        read_state_dict(tmp_path / "x.pth")


def test_compressed_archives_are_refused(tmp_path):
    """What is compressed may be far larger than its file."""
    pickle, storages = state({"a.weight": np.zeros(10**6, np.float32)})
    write_zip(tmp_path / "x.pth", pickled(pickle), storages, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match="compressed"):
        read_state_dict(tmp_path / "x.pth")


def test_deep_and_shared_nests_cost_nothing(tmp_path):
    nested = Raw(b"]q\x00" + b"".join(b"]q%c(h%ch%ce" % (i + 1, i, i) for i in range(100)))
    deep = Raw(b"]" * 50_000 + b"a" * 49_999)
    for instructions in (nested, deep):
        pickle = pickled(Raw(b"}" + text("x") + instructions + b"s"))
        with pytest.raises(WeightsError, match=r"no state dict \(found: x\)|is refused|damaged"):
            read_state_dict(write_zip(tmp_path / "x.pth", pickle, {}))
        with pytest.raises(WeightsError, match=r"no state dict \(found: x\)|is refused|damaged"):
            read_state_dict(write_plain(tmp_path / "y.pth", pickle, {}))


@pytest.mark.parametrize("name", ["checkpoint.pth", "checkpoint_plain.pth", "named_blocks.safetensors"])
def test_cut_files_are_noticed(name, tmp_path):
    whole = (FIXTURES / name).read_bytes()
    for length in range(1, len(whole), 97):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            read_weights(tmp_path / "cut")


@pytest.mark.parametrize("name", ["checkpoint.pth", "checkpoint_plain.pth", "named_blocks.safetensors"])
def test_any_changed_byte_gives_values_or_a_weights_error(name, tmp_path):
    whole = bytearray((FIXTURES / name).read_bytes())
    random = np.random.default_rng(0)
    for place in random.integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[place] ^= int(random.integers(1, 256))
        (tmp_path / "changed").write_bytes(changed)
        with contextlib.suppress(WeightsError):
            read_weights(tmp_path / "changed")


def _safetensors(path, header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [7], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [7], "data_offsets": [0, 28]},
        {"dtype": "F32", "shape": [-6], "data_offsets": [0, -24]},
        {"dtype": "F8", "shape": [6], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [6.0], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [6]},
        ["F32"],
    ],
)
def test_damaged_safetensors(entry, tmp_path):
    good = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    file = _safetensors(tmp_path / "x.safetensors", {"a.weight": good}, bytes(24))
    assert read_state_dict(file)["a.weight"].shape == (2, 3)
    _safetensors(file, {"a.weight": entry}, bytes(24))
    with pytest.raises(WeightsError, match=r"is a damaged \.safetensors"):
        read_state_dict(file)


def test_a_header_that_is_no_json(tmp_path):
    file = _safetensors(tmp_path / "x.safetensors", b"{" * 5000, b"")
    with pytest.raises(WeightsError, match=r"is a damaged \.safetensors"):
        read_state_dict(file)


def test_other_files_are_no_state_dicts(tmp_path):
    np.savez(tmp_path / "x.npz", **{"a/0": np.zeros(3)})
    with pytest.raises(WeightsError, match="is no PyTorch file"):
        read_state_dict(tmp_path / "x.npz")
    write_zip(tmp_path / "x.pth", pickled([1, 2]), {})
    with pytest.raises(WeightsError, match=r"holds no state dict \(found: list\)"):
        read_state_dict(tmp_path / "x.pth")
    write_zip(tmp_path / "x.pth", pickled(ordered_dict({"epoch": 3})), {})
    with pytest.raises(WeightsError, match=r"holds no state dict \(found: epoch\)"):
        read_state_dict(tmp_path / "x.pth")
    write_plain(tmp_path / "y.pth", pickled({}), {}, magic=5)
    with pytest.raises(WeightsError, match="Python pickle"):
        read_state_dict(tmp_path / "y.pth")
