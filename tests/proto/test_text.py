"""Reading text: what protobuf's text format allows, and what is said about everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import caffe_pb2, parse_net, parse_solver, read_net, write_text

INPUT = 'layer { name: "x" type: "Input" top: "x" }'


def convolution(text):
    return parse_net(f"layer {{ convolution_param {{ {text} }} }}").param.layer[0].convolution_param


@pytest.mark.parametrize(
    ("text", "pads"),
    [
        ("pad: 1 pad: 2", [1, 2]),
        ("pad: [1, 2]", [1, 2]),
        ("pad: [ ]", []),
        ("pad: 1, pad: 2;", [1, 2]),
        ("pad: 0x10 pad: 010", [16, 8]),
        ("pad # one\n : # two\n 3", [3]),
    ],
)
def test_ways_to_write_lists_and_integers(text, pads):
    assert list(convolution(text).pad) == pads


@pytest.mark.parametrize(
    ("text", "value"), [("1e-5", 1e-5), (".5", 0.5), ("2.f", 2), ("3f", 3), ("-1", -1), ("inf", float("inf"))]
)
def test_ways_to_write_floats(text, value):
    filler = convolution(f"weight_filler {{ value: {text} }}").weight_filler
    assert filler.value == pytest.approx(value)


def test_ways_to_write_blocks_strings_booleans_and_enums():
    net = parse_net(
        "layer: < name: 'a' \"b\" type: 'it\\'s' pooling_param: { pool: AVE engine: 1 global_pooling: 1 } >\r\n"
        'layer { name: "caf\\303\\251" convolution_param { bias_term: false } }\r\n'
    )
    first, second = net.param.layer
    assert (first.name, first.type, second.name) == ("ab", "it's", "café")
    assert first.pooling_param.pool == caffe_pb2.PoolingParameter.AVE
    assert first.pooling_param.engine == caffe_pb2.PoolingParameter.CAFFE
    assert first.pooling_param.global_pooling
    assert not second.convolution_param.bias_term


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layer {\n  nam: "x"\n}', "f:2:3: layer { } has no field 'nam'. Did you mean 'name'?"),
        ("layer { pooling_param { kernel: 3 }}", "f:1:25: pooling_param { } has no field 'kernel'. Did you mean 'ker"),
        ("layer { kernel_size: 3 }", "f:1:9: layer { } has no field 'kernel_size'. It belongs into convolution_param"),
        ("layer { blobs_lr: 3 }", "It belongs to the old format, layers { }. Write param { lr_mult: 1"),
        ("layers { propagate_down: true }", "It belongs into layer { }."),
        ("base_lr: 1", "a net has no field 'base_lr'. A solver has: is this a solver's prototxt?"),
        ("layer { transform_param { rand_resize: 1 } }", "It is a field of PSPNet's Caffe; pydeeplab"),
        ('layer {\n name: "a"\nlayer { } }', "f:3:1: layer { } has no field 'layer'. The block 'layer' opened"),
        ('layer { name: "x" name: "y" }', "f:1:25: 'name' is given twice in one layer { }"),
        ("layer { pooling_param { pool: MAXX } }", "f:1:31: MAXX is no PoolMethod; there are MAX, AVE, STOCHASTIC."),
        ("layer { convolution_param { engine: 9 } }", "9 is no Engine; there are DEFAULT, CAFFE, CUDNN."),
        ('layer { phase: "TEST" }', 'f:1:16: "TEST" is written without quotes here: TEST.'),
        ("layers { type: CONVOLUTIO }", "CONVOLUTIO is no layer type of the old format. Did you mean 'CONVOLUTION'?"),
        ('layers { type: "Interp" }', "not \"Interp\"; strings are the types of layer { }. Did you mean INTERP?"),
        ("layer { type: CONVOLUTION }", 'write type: "Convolution"; CONVOLUTION belongs to the old layers { }.'),
        ("layer { name: x }", 'f:1:15: expected a string in quotes, found x: write "x".'),
        ("layer { pooling_param { stride: a } }", "f:1:33: expected a whole number, found a."),
        ("layer { pooling_param { stride: 1.5 } }", "f:1:33: expected a whole number, found 1.5."),
        ("layer { loss_weight: abc }", "f:1:22: expected a number, found abc."),
        ("layer { pooling_param { stride: -1 } }", "f:1:33: -1 is out of range"),
        ("layer { convolution_param { bias_term: maybe } }", "f:1:40: expected true or false, found maybe."),
        ("layer { convolution_param { pad: [1 2] } }", "f:1:37: expected ',', found 2."),
        ("layer { pooling_param { stride 3 } }", "f:1:32: expected ':', found 3."),
        ("layer: 3", "f:1:8: this field is a block: expected '{', found 3."),
        ("layers { param { lr_mult: 1 } }", "f:1:16: this field takes a value after a ':', not a block in braces."),
        ('layer { name: "x }', 'f:1:15: a string without its closing quote'),
        ('\nlayer {\n name: "x"', "the file ends too early: the block 'layer' opened in line 2 is not closed;"),
        ('layer { name: "x" }}', "f:1:20: this '}' closes nothing"),
        ("layer { $x }", "f:1:9: a stray '$': placeholders are written ${NAME}."),
        ("", "holds no layers"),
        ('name: "x"', "holds no layers"),
    ],
)  # fmt: skip
def test_errors_say_where_what_and_how_else(text, message):
    with pytest.raises(PrototxtError) as info:
        parse_net(text, filename="f")
    assert message in str(info.value)


def test_a_net_given_as_a_solver():
    with pytest.raises(PrototxtError, match="A net has: is this a net's prototxt"):
        parse_solver("input: 'x'")


class TestFiles:
    def write(self, tmp_path, data):
        path = tmp_path / "net.prototxt"
        path.write_bytes(data)
        return path

    def error(self, path):
        with pytest.raises(PrototxtError) as info:
            read_net(path)
        return str(info.value)

    def test_line_ends_and_byte_order_mark(self, tmp_path):
        path = self.write(tmp_path, b"\xef\xbb\xbf" + b"name: 'n'\r\n# c\r" + INPUT.encode())
        source = read_net(path)
        assert source.param.name == "n"
        assert source.where(0) == f"{path}:3:1"

    def test_missing(self, tmp_path):
        self.write(tmp_path, b"x")
        assert "there is no such file. Did you mean 'net.prototxt'?" in self.error(tmp_path / "nett.prototxt")
        assert f"Nor is there a folder {tmp_path / 'no'}." in self.error(tmp_path / "no" / "net.prototxt")

    def test_folder(self, tmp_path):
        assert "is a folder" in self.error(tmp_path)

    @pytest.mark.parametrize("data", [b"", b" \n\t\n"])
    def test_empty(self, tmp_path, data):
        assert "is empty" in self.error(self.write(tmp_path, data))

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"\n\x05lenet\xa2\x06\x0c", "is a binary file (perhaps a caffemodel)"),
            (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
            ("name: 'x'".encode("utf-16"), "is UTF-16 text, no prototxt. Save it as UTF-8."),
            (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ],
    )
    def test_other_files(self, tmp_path, data, message):
        assert message in self.error(self.write(tmp_path, data))

    def test_bytes_that_are_not_utf8(self, tmp_path):
        path = self.write(tmp_path, b"# caf\xe9 # \xe9\r\nname: 'caf\xe9'\n")
        assert self.error(path).startswith(f"{path}:2:11: byte 0xe9 is not UTF-8.")

    def test_comments_may_hold_any_bytes(self, tmp_path):
        source = read_net(self.write(tmp_path, b'# Andr\xe9 says "hi\n' + INPUT.encode() + b"# \xff"))
        assert source.where(0).endswith(":2:1")


text_values = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
fillers = st.builds(
    caffe_pb2.FillerParameter,
    type=text_values,
    value=st.floats(width=32, allow_nan=False),
    sparse=st.integers(-(2**31), 2**31 - 1),
    variance_norm=st.sampled_from([0, 1, 2]),
)
convolutions = st.builds(
    caffe_pb2.ConvolutionParameter,
    num_output=st.integers(0, 2**32 - 1),
    pad=st.lists(st.integers(0, 9), max_size=3),
    bias_term=st.booleans(),
    weight_filler=fillers,
)
layers = st.builds(
    caffe_pb2.LayerParameter,
    name=text_values,
    bottom=st.lists(text_values, max_size=3),
    loss_weight=st.lists(st.floats(width=32, allow_nan=False), max_size=2),
    convolution_param=convolutions,
)


@given(st.builds(caffe_pb2.NetParameter, name=text_values, layer=st.lists(layers, min_size=1, max_size=3)))
def test_what_is_written_is_read_back(net):
    assert parse_net(write_text(net)).param == net
