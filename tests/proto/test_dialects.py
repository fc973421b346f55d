"""Who has a layer type or field that pydeeplab lacks."""

import pytest

from pydeeplab.layer import layer_class
from pydeeplab.proto import fork_of_type
from pydeeplab.proto.dialects import fork_of_field


@pytest.mark.parametrize(
    ("layer_type", "message"),
    [
        ("ROIPooling", "unknown layer type 'ROIPooling'. It is a layer of Fast R-CNN's Caffe that pydeeplab lacks."),
        ("Convolutoin", "unknown layer type 'Convolutoin'. Did you mean 'Convolution'?"),
    ],
)
def test_unknown_layer_types_name_their_fork_or_the_nearest(layer_type, message):
    with pytest.raises(KeyError) as info:
        layer_class(layer_type)
    assert info.value.args == (message,)


def test_forks():
    assert fork_of_type("Interp") == "DeepLab v2"
    assert fork_of_type("Padding") == "DeepLab v1"
    assert fork_of_type("Convolution") == fork_of_type("Elephant") == ""
    assert fork_of_field("rand_resize") == "PSPNet"
    assert fork_of_field("pad") == ""
