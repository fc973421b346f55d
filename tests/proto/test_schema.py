"""The committed descriptor, the schema text and the module built from them agree."""

import importlib.util
from importlib.resources import files
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from pydeeplab.proto import caffe_pb2

PROTO = files("pydeeplab.proto")


def _descriptors(data):
    found = descriptor_pb2.FileDescriptorSet.FromString(data)
    for file in found.file:
        file.name = ""
    return found


@pytest.mark.skipif(importlib.util.find_spec("grpc_tools") is None, reason="grpcio-tools is not installed")
def test_committed_descriptor_is_made_from_the_text(tmp_path):
    from grpc_tools import protoc

    folder = Path(str(PROTO / "caffe.proto")).parent
    fresh = tmp_path / "caffe.bin"
    assert protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={fresh}", "caffe.proto"]) == 0
    assert _descriptors(fresh.read_bytes()) == _descriptors((PROTO / "caffe.bin").read_bytes()), "run `make proto`"


def test_module_looks_like_generated_code():
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST) == (0, 1)
    assert caffe_pb2.Phase.Name(1) == "TEST"
    assert caffe_pb2.PoolingParameter.AVE == 1
    assert caffe_pb2.V1LayerParameter.LayerType.Value("DECONVOLUTION") == 39
    with pytest.raises(AttributeError, match="NoSuchMessage"):
        caffe_pb2.NoSuchMessage  # noqa: B018


@pytest.mark.parametrize(
    ("message", "field", "number"),
    [
        ("NetParameter", "layer", 100),
        ("NetParameter", "layers", 2),
        ("LayerParameter", "blobs", 7),
        ("LayerParameter", "convolution_param", 106),
        ("LayerParameter", "input_param", 143),
        ("LayerParameter", "clip_param", 148),
        ("LayerParameter", "interp_param", 153),
        ("V1LayerParameter", "blobs", 6),
        ("V1LayerParameter", "onehot_param", 59),
        ("BlobProto", "data", 5),
        ("SolverState", "history", 3),
        ("ConvolutionParameter", "dilation", 18),
    ],
)
def test_numbers_are_caffes(message, field, number):
    assert getattr(caffe_pb2, message).DESCRIPTOR.fields_by_name[field].number == number


def test_presence_and_defaults_are_kept():
    param = caffe_pb2.LayerParameter()
    assert not param.loss_param.HasField("normalization")
    assert param.loss_param.normalization == caffe_pb2.LossParameter.VALID
    assert not param.loss_param.HasField("ignore_label")
    assert param.strict_dim is True
    assert caffe_pb2.SolverParameter().rms_decay == pytest.approx(0.99)
    param.interp_param.zoom_factor = 1
    assert param.interp_param.HasField("zoom_factor")
    assert not param.interp_param.HasField("shrink_factor")


def test_every_layer_message_can_come_out_of_the_old_format():
    """Each parameter message that a V1 layer can hold has a place of the same name in the current format."""
    old = caffe_pb2.V1LayerParameter.DESCRIPTOR.fields_by_name
    new = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    messages = [name for name, field in old.items() if field.message_type and name.endswith("_param")]
    assert len(messages) > 40
    for name in messages:
        if name != "softmaxloss_param":
            assert new[name].message_type is old[name].message_type
