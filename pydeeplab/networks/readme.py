"""prototxt/README.md: the nets in tables."""

from __future__ import annotations

from pydeeplab.networks.assemble import build
from pydeeplab.networks.camvid import SMALL_NETWORKS, build_small
from pydeeplab.networks.catalog import NETWORKS
from pydeeplab.networks.datasets import DATASETS, Dataset
from pydeeplab.networks.network import Network

__all__ = ["readme"]

INTRODUCTION = """\
# Nets and solvers

<!-- Written by `python -m pydeeplab.networks`; do not edit. -->

Every network of the DeepLab paper (Chen et al., "DeepLab: Semantic image segmentation with deep convolutional nets,
atrous convolution, and fully connected CRFs", [arXiv:1606.00915](https://arxiv.org/abs/1606.00915)) for its four
datasets, and small ones for CamVid, in `<dataset>/<net>/`:

| file | what it is |
|---|---|
| `train.prototxt` | reads a list of images and label maps, ends in losses |
| `test.prototxt` | reads a list of images, writes scores (VGG-16) or measures accuracy (ResNet-101) |
| `deploy.prototxt` | blob `data` in, scores at full resolution out; any height and width of 8k+1 (`..._msc`: 32k+1) |
| `solver.prototxt`, `solver2.prototxt` | settings of the first and the second stage of training |

Use them by name or by path:

    pydeeplab summary voc12/vgg16_largefov
    pydeeplab summary prototxt/voc12/resnet101_aspp_msc/train.prototxt --phase TRAIN

Layers and shared parameters bear their published names, so published weights load. What only you can know is left as
a placeholder, filled in with `--define NAME=VALUE`:

| placeholder | meaning |
|---|---|
| `DATA_ROOT` | folder that the paths in the lists continue, such as `/data/VOC2012` |
| `TRAIN_SET` | the list `<EXP>/list/<TRAIN_SET>.txt`: `train_aug` in stage 1, `trainval_aug` in stage 2 |
| `TEST_SET` | the same for tests: `val` or `test` |
| `FEATURE_DIR` | folder for the scores that a VGG-16 test net writes |
| `SEED` | camvid: where training begins to differ from another, such as 1 |
"""

NETWORKS_HEADING = """\
## Networks

Parameters by dataset (classes in parentheses) are weights, biases and the frozen scale factors of a ResNet; shared
ones count once. The field of view is that of the classifier's filters in pixels, as Table 1 of the paper counts it:
(kernel - 1) x rate x 8 + 32. `pydeeplab summary` shows it beside the true receptive field.
"""

RESULTS_HEADING = """\
## Mean IoU to expect

In percent on the validation set, before / after the CRF, as the paper reports it (Tables 1 and 3 for VGG-16, the first
release's Table 1 for multi-scale features, Table 4 for ResNet-101; Tables 6, 7 and 9 for the other datasets).
"""

DIFFERENCES = """\
## How they differ from the published files

- One dialect: current layer types, `dilation` instead of `hole`, `loss_param` instead of `softmaxloss_param`;
  experiment names and numbers of classes are filled in; lists lie in `<EXP>/list/`.
- `loss` layers name their top, so that logs say which loss it is. Layers have no `include` rule: a file is one net.
- Test nets of VGG-16 read no labels (`label_type: NONE`) and name the tops `label` and `data_dim`, which a `Silence`
  layer takes; training nets do not name `data_dim`.
- fc6 and fc7 of VGG-16 have a filler (`msra`). In the published files they start at zero when the weights do not hold
  them, and then never learn.
- A multiplier of 1 is not written, nor are factors and pads that equal the default.
- `vgg16_largefov` has the poly solver and the batch of 10 of Table 2's last row; the first release had a batch of 30
  with steps (`lr_policy: "step"  gamma: 0.1  stepsize: 2000  max_iter: 6000`).
- The training nets of the ResNets augment ("Aug": `scale_factors`) where the paper's row did.
- `vgg16_4x4` keeps the 2x2 pools of the first release. Its training crop is 306 = 8k+2 and its test crop 514; its
  deploy net cuts the overhanging scores so that inputs of 8k+1 work as for the other nets.
- PASCAL-Context, PASCAL-Person-Part and Cityscapes: no nets were published. The head is the one of PASCAL VOC 2012
  with another number of classes; the crops and, for training, batch and solver are those of PASCAL VOC 2012.
  Cityscapes has no multi-scale inputs in the paper either (they did not fit into memory), and tests whole images
  (2048x1024 padded to 8k+1).
"""


SMALL_HEADING = """\
## Small nets: camvid

The paper's comparisons for CamVid (11 classes, 367 images for training), at a size that needs no GPU: three strided
convolutions, three residual units at 1/8 of the picture with rates 1, 2 and 4, batch normalisation throughout, and fc6
with 64 channels. They are trained from their fillers, on crops of 225 = 32k+1, and are no nets of the paper.
`DATA_ROOT` is the folder of CamVid itself, which holds the lists; label 11 does not count.
[docs/camvid.md](../docs/camvid.md) says what they reach.
"""


def _iou(network: Network, dataset: Dataset) -> str:
    values, *_ = network.expected.get(dataset.folder, ("",))
    return values


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines) + "\n"


def _small_rows() -> list[list[str]]:
    rows = []
    for network in SMALL_NETWORKS:
        net = build_small(network, "deploy")
        rates = ", ".join(map(str, network.rates))
        solvers = ", ".join(f"`{name}`" for name in network.solvers)
        parameters = f"{net.parameters:,}".replace(",", " ")
        rows.append([f"`{network.folder}`", network.title, rates, parameters, solvers])
    return rows


def readme() -> str:
    """The whole text."""
    networks, results, remarks = [], [], []
    for network in NETWORKS:
        counts = [
            f"{build(network, dataset, 'deploy').parameters:,}".replace(",", " ")
            if network.exists_for(dataset)
            else "none"
            for dataset in DATASETS
        ]
        views = ", ".join(map(str, network.fields_of_view))
        networks.append([f"`{network.folder}`", network.title, *counts, views, network.source, network.weights])
        results.append([f"`{network.folder}`", *(_iou(network, dataset) for dataset in DATASETS)])
        for dataset in DATASETS:
            _, *where = network.expected.get(dataset.folder, ("",))
            if len(where) > 1:
                remarks.append(f"- `{dataset.folder}/{network.folder}`: {where[1]}")
    sets = [f"{d.folder} ({d.classes})" for d in DATASETS]
    return (
        "\n".join(
            [
                INTRODUCTION,
                NETWORKS_HEADING,
                _table(["net", "paper's name", *sets, "field of view", "source", "training starts from"], networks),
                RESULTS_HEADING,
                _table(["net", *(d.title for d in DATASETS)], results),
                *remarks,
                "",
                SMALL_HEADING,
                _table(["net", "what it is", "rates of fc6", "parameters", "solvers"], _small_rows()),
                DIFFERENCES,
            ]
        ).rstrip("\n")
        + "\n"
    )
