"""What `pydeeplab convert` says about a file of PyTorch."""

from __future__ import annotations

import math
from typing import Any

from pydeeplab.formats import WeightsFile, load_weights
from pydeeplab.formats.report import listed
from pydeeplab.formats.torch_names import PORTED_EPS
from pydeeplab.layer import TEST
from pydeeplab.net import Net
from pydeeplab.resources import find_net

__all__ = ["import_report", "print_import"]


def import_report(weights: WeightsFile, net: str | None) -> dict[str, Any]:
    """What has no place; and with a net how it loads, and which of its normalisations have another eps.

    Raises
    ------
    WeightsError
        A layer does not fit the net.
    """
    result: dict[str, Any] = {"layers": len(weights.layers), "left_out": weights.left_out}
    if net is not None:
        target = Net(find_net(net), TEST)
        result["load"] = load_weights(target, weights).to_json()
        eps = {n.name: n.layer.param.batch_norm_param.eps for n in target.nodes if n.layer.type == "BatchNorm"}
        result["other_eps"] = [name for name, value in eps.items() if not math.isclose(value, PORTED_EPS, rel_tol=1e-3)]
    return result


def print_import(weights: WeightsFile, result: dict[str, Any]) -> None:
    """Print the report."""
    print(f"{weights.path}: {result['layers']} layers of a PyTorch file, {weights.count} values")
    lines = [("left out", result["left_out"])]
    if "load" in result:
        load = result["load"]
        print(f"  {len(load['loaded'])} of the net's {load['net_layers']} layers get values")
        lines.append(("not in the file", load["missing"]))
        lines.append(("not in the net", [name for name in load["unused"] if name not in result["left_out"]]))
        lines.append((f"warning: eps is not {PORTED_EPS:g}, which these ports use, in", result["other_eps"]))
    for title, names in lines:
        if names:
            print(f"  {title}: {listed(names)}")
