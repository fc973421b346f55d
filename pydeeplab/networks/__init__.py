"""The networks of the DeepLab paper as prototxts: written by ``python -m pydeeplab.networks``, found by name.

`find` gives the file of a net: ``find("voc12/resnet101_aspp_msc")``. The text of every file is built from a few
modules: `vgg16` and `resnet101` (trunks and heads), `variants` (which trunk with which head), `heads` (data, losses,
outputs), `datasets`, `solvers`, and the `catalog` of networks.
"""

from pydeeplab.networks.assemble import KINDS, build
from pydeeplab.networks.catalog import NETWORKS
from pydeeplab.networks.datasets import DATASETS, Dataset
from pydeeplab.networks.network import Network
from pydeeplab.networks.write import all_files, differences, write_all
from pydeeplab.resources import find_net as find
from pydeeplab.resources import net_names

__all__ = [
    "DATASETS",
    "KINDS",
    "NETWORKS",
    "Dataset",
    "Network",
    "all_files",
    "build",
    "differences",
    "find",
    "net_names",
    "write_all",
]
