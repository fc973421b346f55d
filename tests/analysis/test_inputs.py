"""Nets are looked at without the files that they read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydeeplab.analysis import read_without_files, without_data_layers
from pydeeplab.errors import PrototxtError, UsageError
from pydeeplab.proto import parse_net


def _shapes(text: str, size: tuple[int, int] | None = None) -> list[list[int]]:
    source = without_data_layers(parse_net(text), image_size=size)
    assert source.param.layer[0].type == "Input"
    return [list(shape.dim) for shape in source.param.layer[0].input_param.shape]


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        (
            'type: "ImageSegData" top: "a" top: "b" top: "c" transform_param { crop_height: 9 crop_width: 17 } '
            'image_data_param { source: "x" batch_size: 4 is_color: false }',
            [[4, 1, 9, 17], [4, 1, 9, 17], [4, 1, 1, 2]],
        ),
        (
            'type: "ImageData" top: "a" top: "b" image_data_param { batch_size: 5 new_height: 7 new_width: 8 }',
            [[5, 3, 7, 8], [5]],
        ),
        (
            'type: "Data" top: "a" top: "b" transform_param { crop_size: 227 } data_param { batch_size: 2 }',
            [[2, 3, 227, 227], [2]],
        ),
        (
            'type: "DenseImageData" top: "a" top: "b" dense_image_data_param { batch_size: 2 new_height: 16 '
            "new_width: 32 label_divide_factor: 8 }",
            [[2, 3, 16, 32], [2, 1, 2, 4]],
        ),
        (
            'type: "WindowData" top: "a" top: "b" window_data_param { batch_size: 6 crop_size: 51 }',
            [[6, 3, 51, 51], [6]],
        ),
    ],
)
def test_data_layers_become_inputs(text: str, shapes: list[list[int]]) -> None:
    assert _shapes(f'layer {{ name: "data" {text} }}') == shapes


def test_a_given_size_takes_the_place_of_others() -> None:
    text = 'layer { name: "d" type: "ImageSegData" top: "a" top: "b" transform_param { crop_size: 9 } }'
    assert _shapes(text, (17, 33)) == [[1, 3, 17, 33], [1, 1, 17, 33]]
    text = 'layer { name: "d" type: "Python" top: "a" top: "b" python_param { module: "m" layer: "l" } }'
    assert _shapes(text, (5, 6)) == [[1, 3, 5, 6], [1, 1, 5, 6]]
    text = (
        'layer { name: "i" type: "Input" top: "a" top: "b" top: "c" input_param { shape { dim: [1, 3, 9, 9] } '
        "shape { dim: [1, 1, 9, 9] } shape { dim: [1, 1, 1, 2] } } }"
    )
    assert _shapes(text, (5, 6)) == [[1, 3, 5, 6], [1, 1, 5, 6], [1, 1, 1, 2]]


@pytest.mark.parametrize("kind", ["ImageSegData", "HDF5Data", "MatRead", "Python"])
def test_an_unknown_size_must_be_given(kind: str) -> None:
    with pytest.raises(UsageError, match=rf"layer 'd' \({kind}\).*--input-size HxW"):
        _shapes(f'layer {{ name: "d" type: "{kind}" top: "a" top: "b" }}')


def test_the_source_stays_as_it_was_and_positions_are_kept() -> None:
    source = parse_net(
        'layer { name: "d" type: "ImageSegData" top: "a" include { phase: TRAIN } transform_param { crop_size: 9 } }\n'
        'layer { name: "w" type: "MatWrite" bottom: "a" mat_write_param { prefix: "p" } }',
        filename="net.prototxt",
    )
    changed = without_data_layers(source)
    assert [layer.type for layer in changed.param.layer] == ["Input", "Silence"]
    assert [layer.type for layer in source.param.layer] == ["ImageSegData", "MatWrite"]
    assert list(changed.param.layer[0].include) == list(source.param.layer[0].include)
    assert changed.where(1) == "net.prototxt:2:1"
    assert source.notes == []
    assert [note.partition(" stands")[0] for note in changed.notes] == [
        "layer 'd' (ImageSegData)",
        "layer 'w' (MatWrite)",
    ]


def test_placeholders_in_strings_need_no_value(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        '# ${COMMENT} says "${NOTHING}"\nname: "${NET_ID}"\n'
        'layer { name: "fc8_${EXP}" type: "Convolution" bottom: "x" top: "y" '
        'convolution_param { num_output: ${N} kernel_size: 1 weight_filler { type: "gaussian" } } }\n'
        'layer { name: "${EXP}" type: "ReLU" bottom: "y" top: "y" }\n'
    )
    with pytest.raises(PrototxtError, match=r"\$\{N\} has no value"):
        read_without_files(path)
    source = read_without_files(path, defines={"N": "3", "EXP": "voc12"})
    assert source.param.name == "NET_ID"
    assert [layer.name for layer in source.param.layer] == ["fc8_voc12", "voc12"]
    assert not source.param.layer[0].convolution_param.HasField("weight_filler")
