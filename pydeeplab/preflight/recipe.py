"""How a training differs from the one that the paper describes.

Source: Chen et al., "DeepLab", arXiv:1606.00915, Section 4 and Table 2, and the authors' published solvers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydeeplab.preflight.report import NOTE, WARNING, Report
from pydeeplab.preflight.views import DataLayer, NetView, classifiers

if TYPE_CHECKING:
    from pydeeplab.params import Param

__all__ = ["check_recipe", "is_deeplab"]

MEAN_BGR = (104.008, 116.669, 122.675)
_NEAR = 1.0
"""Grey levels within which means count as equal; users round them."""


@dataclass(frozen=True)
class _Recipe:
    """Settings of the paper for one kind of trunk."""

    trunk: str
    base_lr: float
    images_per_step: int = 10
    max_iter: int = 20000
    power: float = 0.9
    momentum: float = 0.9
    weight_decay: float = 0.0005
    crop: int = 321
    body_bias: tuple[float, float] | None = (2, 0)
    """lr_mult and decay_mult of biases before the classifier."""


_VGG = _Recipe("VGG-16", 0.001)
_RESNET = _Recipe("ResNet-101", 0.00025, body_bias=None)


def is_deeplab(view: NetView) -> bool:
    """Whether a net is of the paper's kind: atrous convolution on label maps read by ImageSegData."""
    atrous = any(
        node.layer.type == "Convolution" and node.layer.geometry is not None and max(node.layer.geometry.dilation) > 1
        for node in view.net.nodes
    )
    return atrous and any(layer.param.type == "ImageSegData" for layer in view.data)


class _Comparison:
    """Collects differences between a training and the recipe."""

    def __init__(self, view: NetView, report: Report, fine_tuned: bool):
        self.view = view
        self.report = report
        self.fine_tuned = fine_tuned
        names = {node.layer.type for node in view.net.nodes}
        self.recipe = _RESNET if "BatchNorm" in names and "Eltwise" in names else _VGG

    def differ(self, what: str, got: object, paper: object, why: str = "", *, weighty: bool = False) -> None:
        """Add a difference; ``weighty`` ones cost accuracy for sure when trained weights are the start."""
        severity = WARNING if weighty and self.fine_tuned else NOTE
        self.report.add(severity, "recipe", f"{what} {got}; the paper: {paper}", why, net=self.view.role)

    # The solver ------------------------------------------------------------------------------------------------

    def compare_solver(self, solver: Any) -> None:
        recipe = self.recipe
        numbers = (
            ("base_lr", recipe.base_lr),
            ("momentum", recipe.momentum),
            ("weight_decay", recipe.weight_decay),
        )
        for name, paper in numbers:
            got = getattr(solver, name)
            if abs(got - paper) > 1e-6 * paper:
                self.differ(name, f"{got:g}", f"{paper:g} ({recipe.trunk})")
        policy = solver.lr_policy
        if policy == "poly" and abs(solver.power - recipe.power) > 1e-6:
            self.differ("poly with power", f"{solver.power:g}", f"{recipe.power:g}")
        elif policy == "step":
            self.differ("lr_policy", "step", "poly with power 0.9", "Poly gains about one per cent (Table 2).")
        elif policy != "poly":
            self.differ("lr_policy", policy or "not given", "poly with power 0.9")
        if solver.type not in ("SGD", ""):
            self.differ("solver type", solver.type, "SGD")
        batch = sum(int(layer.options.batch_size) for layer in self.view.data if layer.param.type == "ImageSegData")
        each = batch * int(solver.iter_size)
        if each != recipe.images_per_step:
            self.differ("images per step", f"{each} (batch_size {batch} x iter_size {solver.iter_size})", "10")

    # The net ---------------------------------------------------------------------------------------------------

    def compare_rates(self) -> None:
        """Multipliers of the classifier and of biases, relative to the trunk's weights."""
        last = {id(node.layer) for node in classifiers(self.view.net)}
        params = [p for p in self.view.net.learnable_params if p.layer.type in ("Convolution", "InnerProduct")]
        body = Counter(p.lr_mult for p in params if id(p.layer) not in last and p.blob_index == 0 and p.lr_mult)
        if not body:
            return
        base = body.most_common(1)[0][0]
        head = [p for p in params if id(p.layer) in last]
        self._compare_classifier("weights", [p for p in head if p.blob_index == 0], base, 10)
        self._compare_classifier("biases", [p for p in head if p.blob_index == 1], base, 20)
        bias = next((p for p in head if p.blob_index == 1 and p.decay_mult), None)
        if bias is not None:
            self.differ(f"decay_mult of the bias of '{bias.layer.name}'", f"{bias.decay_mult:g}", "0")
        if self.recipe.body_bias:
            rate, decay = self.recipe.body_bias
            biases = [p for p in params if id(p.layer) not in last and p.blob_index == 1 and p.lr_mult]
            odd = [p for p in biases if (p.lr_mult / base, p.decay_mult) != (rate, decay)]
            if odd:
                got = f"lr_mult {odd[0].lr_mult:g} and decay_mult {odd[0].decay_mult:g}"
                what = f"{len(odd)} of {len(biases)} biases, such as that of '{odd[0].layer.name}', have"
                self.differ(what, got, f"{rate * base:g} and {decay:g}")

    def _compare_classifier(self, what: str, params: Sequence[Param], base: float, factor: float) -> None:
        odd = [p for p in params if abs(p.lr_mult / base - factor) > 1e-6]
        if odd:
            self.differ(
                f"the learning rate of the {what} of classifier '{odd[0].layer.name}' is",
                f"{odd[0].lr_mult / base:g} times the trunk's",
                f"{factor:g} times",
                f"Give it lr_mult: {factor * base:g}; a new classifier on a trained trunk learns too slowly without.",
                weighty=odd[0].lr_mult <= base,
            )

    # The data --------------------------------------------------------------------------------------------------

    def compare_data(self, layer: DataLayer) -> None:
        transform = layer.param.transform_param
        if not layer.options.is_color:
            self.differ("is_color", "false", "colour images", weighty=True)
        elif not transform.mean_file:
            self._compare_mean(list(transform.mean_value))
        if transform.scale != 1:
            text = "The paper's weights expect grey levels of 0..255 minus the mean."
            self.differ("transform_param.scale", f"{transform.scale:g}", "1", text, weighty=True)
        if not transform.mirror:
            self.differ("mirror", "false", "true")
        crop = transform.crop_size or max(transform.crop_height, transform.crop_width)
        if crop != self.recipe.crop:
            self.differ("crop", crop or "none", self.recipe.crop)
        if self.recipe is _RESNET and not transform.scale_factors:
            self.differ("scale_factors", "none", "0.5, 0.75, 1, 1.25 and 1.5")
        if not layer.options.shuffle:
            self.differ("shuffle", "false", "true")

    def _compare_mean(self, means: list[float]) -> None:
        paper = ", ".join(f"{value:g}" for value in MEAN_BGR)
        if not means:
            self.differ("mean_value", "not given", paper, "Trained weights expect it subtracted.", weighty=True)
        elif len(means) == 3 and _equal(means, MEAN_BGR[::-1]):
            text = f"The order is blue, green, red: write {paper}."
            self.report.add(WARNING, "recipe", "mean_value is in the order red, green, blue", text, net=self.view.role)
        elif len(means) != 3 or not _equal(means, MEAN_BGR):
            self.differ("mean_value", ", ".join(f"{value:g}" for value in means), paper)


def _equal(first: Sequence[float], second: Sequence[float]) -> bool:
    return all(abs(a - b) <= _NEAR for a, b in zip(first, second, strict=True))


def check_recipe(view: NetView, solver: Any, report: Report, *, fine_tuned: bool) -> None:
    """Note every deviation from the paper's training; nothing is said of nets that are not of its kind.

    ``solver`` is a SolverParameter, or None where only the net is known.
    """
    if not is_deeplab(view):
        return
    comparison = _Comparison(view, report, fine_tuned)
    if solver is not None:
        comparison.compare_solver(solver)
    comparison.compare_rates()
    for layer in view.data:
        if layer.param.type == "ImageSegData":
            comparison.compare_data(layer)
