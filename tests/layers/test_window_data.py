"""WindowData: windows that reach beyond the image, straight and mirrored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pydeeplab import TRAIN, Net
from pydeeplab.data import resize


def test_what_lies_beyond_the_image_changes_sides_in_a_mirrored_window(tmp_path: Path) -> None:
    image = np.random.default_rng(2).integers(1, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "0.png")
    (tmp_path / "windows.txt").write_text(f"# 0 {tmp_path}/0.png 3 20 30 1 4 0.9 17 4 27 14\n")
    text = (
        'layer { name: "in" type: "WindowData" top: "x" top: "y" transform_param { crop_size: 10 mirror: true } '
        f'window_data_param {{ source: "{tmp_path}/windows.txt" batch_size: 8 fg_fraction: 1 context_pad: 2 }} }}'
    )
    net = Net.from_text(text, TRAIN)
    net.forward()
    # The window grows to rows 0..19 and columns 13..32, of which 13..29 exist; a pixel of it is half one of the crop.
    # The three missing columns, 1.5 in the crop, count as two where they come first; the 8.5 others get what is left.
    straight, mirrored = np.zeros((2, 10, 10, 3), np.uint8)
    straight[:, :9] = resize(image[:, 13:30], 10, 9)
    mirrored[:, 2:] = resize(image[:, 13:30], 10, 8)[:, ::-1]
    expected = [x[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) for x in (straight, mirrored)]
    seen = {next(i for i, e in enumerate(expected) if np.array_equal(e, x)) for x in net.blobs["x"].data}
    assert seen == {0, 1}
    assert (net.blobs["y"].data == 4).all()
