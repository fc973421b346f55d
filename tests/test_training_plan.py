"""Training that forgets what no later step reads, or computes it again: the same bits in less memory."""

from pathlib import Path

import numpy as np
import pytest

from pydeeplab import TRAIN, Net, set_random_seed
from pydeeplab.errors import UsageError
from pydeeplab.execution import TrainingExecution
from pydeeplab.solver import get_solver
from tests.solver.problem import write_problem

HEAD = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 17 dim: 13 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 1 dim: 17 dim: 13 } } }
layer { name: "stem" type: "Convolution" bottom: "data" top: "b0"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
"""

BLOCK = """
layer {{ name: "n{i}" type: "BatchNorm" bottom: "b{i}" top: "n{i}" }}
layer {{ name: "s{i}" type: "Scale" bottom: "n{i}" top: "n{i}" scale_param {{ bias_term: true }} }}
layer {{ name: "r{i}" type: "ReLU" bottom: "n{i}" top: "n{i}" }}
layer {{ name: "c{i}" type: "Convolution" bottom: "n{i}" top: "c{i}"
  convolution_param {{ num_output: 8 kernel_size: 3 pad: 1 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "p{i}" type: "Pooling" bottom: "n{i}" top: "p{i}"
  pooling_param {{ {pool} stride: 1 }} }}
layer {{ name: "d{i}" type: "Dropout" bottom: "c{i}" top: "c{i}" }}
layer {{ name: "e{i}" type: "Eltwise" bottom: "b{i}" bottom: "c{i}" bottom: "p{i}" top: "e{i}"
  eltwise_param {{ operation: {operation} }} }}
layer {{ name: "a{i}" type: "ReLU" bottom: "e{i}" top: "e{i}" }}
layer {{ name: "k{i}" type: "Concat" bottom: "e{i}" bottom: "c{i}" top: "k{i}" }}
layer {{ name: "l{i}" type: "Slice" bottom: "k{i}" top: "unused{i}" top: "l{i}" slice_param {{ slice_point: 8 }} }}
layer {{ name: "b{j}" type: "Convolution" bottom: "l{i}" top: "b{j}"
  convolution_param {{ num_output: 8 kernel_size: 1 weight_filler {{ type: "xavier" }} }} }}
"""

TAIL = """
layer {{ name: "half" type: "Interp" bottom: "b{j}" top: "half" interp_param {{ shrink_factor: 2 }} }}
layer {{ name: "full" type: "Interp" bottom: "half" top: "full" interp_param {{ zoom_factor: 2 }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "full" bottom: "label" top: "loss" }}
layer {{ name: "early" type: "SoftmaxWithLoss" bottom: "b1" bottom: "label" top: "early" loss_weight: 0.3 }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "full" bottom: "label" top: "accuracy" }}
"""

POOLS = ("pool: MAX kernel_size: 3 pad: 1", "pool: AVE kernel_size: 3 pad: 1", "pool: STOCHASTIC kernel_size: 1")
OPERATIONS = ("SUM", "MAX", "PROD")


def text(blocks: int) -> str:
    body = [BLOCK.format(i=i, j=i + 1, pool=POOLS[i % 3], operation=OPERATIONS[i // 3 % 3]) for i in range(blocks)]
    return HEAD + "".join(body) + TAIL.format(j=blocks)


def steps(keep: str, blocks: int, count: int = 3, shape: tuple[int, int] = (17, 13)) -> tuple[Net, list[np.ndarray]]:
    """Gradients, statistics and outputs of a few steps that move the parameters."""
    set_random_seed(5)
    net = Net.from_text(text(blocks), TRAIN, keep=keep)
    random = np.random.default_rng(0)
    found = []
    for step in range(count):
        size = tuple(n + 4 * (step % 2) for n in shape)
        net.blobs["data"].reshape(2, 3, *size)
        net.blobs["label"].reshape(2, 1, *size)
        net.blobs["data"].data[...] = random.standard_normal((2, 3, *size))
        net.blobs["label"].data[...] = random.integers(0, 8, (2, 1, *size))
        net.clear_param_diffs()
        outputs = net.forward()
        found += [values.copy() for name, values in outputs.items() if not name.startswith("unused")]
        net.backward()
        for param in net.all_params:
            found += [param.blob.diff.copy(), param.blob.data.copy()]
            param.blob.data[...] -= 0.01 * param.blob.diff
    return net, found


@pytest.mark.parametrize("blocks", [1, 4, 9])
@pytest.mark.parametrize("keep", ["training", "recompute"])
def test_every_bit_is_that_of_a_net_that_keeps_all(keep: str, blocks: int) -> None:
    _, expected = steps("all", blocks)
    net, found = steps(keep, blocks)
    assert len(found) == len(expected) > 20
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert isinstance(net._execution, TrainingExecution)
    assert any(segment.repeated for segment in net._execution.plan.segments) == (keep == "recompute")


RESIDUAL = """
layer {{ name: "c{i}" type: "Convolution" bottom: "b{i}" top: "c{i}"
  convolution_param {{ num_output: 8 kernel_size: 3 pad: 1 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "n{i}" type: "BatchNorm" bottom: "c{i}" top: "c{i}" batch_norm_param {{ use_global_stats: true }} }}
layer {{ name: "b{j}" type: "Eltwise" bottom: "b{i}" bottom: "c{i}" top: "b{j}" }}
layer {{ name: "r{j}" type: "ReLU" bottom: "b{j}" top: "b{j}" }}
"""


def residual_bytes(keep: str) -> int:
    """Bytes of data and gradients that a residual net of 16 blocks needs for a training step."""
    blocks = "".join(RESIDUAL.format(i=i, j=i + 1) for i in range(16))
    net = Net.from_text(HEAD + blocks + TAIL.format(j=16), TRAIN, keep=keep)
    net.forward()
    net.backward()
    if keep != "all":
        return net.activation_bytes()
    storages = {id(s): s for blob in net._blob_list for s in (blob.data_storage, blob.diff_storage)}
    return 4 * sum(storage.capacity for storage in storages.values())


def test_each_way_needs_less_memory_than_the_one_before() -> None:
    everything, training, recompute = map(residual_bytes, ("all", "training", "recompute"))
    assert training < 0.4 * everything
    assert recompute < 0.7 * training


def test_backward_needs_a_forward_of_its_own() -> None:
    net, _ = steps("training", 1)
    with pytest.raises(UsageError, match="backward once after each forward"):
        net.backward()
    net.forward()
    net.backward()
    with pytest.raises(UsageError, match="from its first to its last layer"):
        net.forward(start="c0")
    with pytest.raises(UsageError, match="from its first to its last layer"):
        net.backward(start="loss")
    with pytest.raises(UsageError, match="not kept"):
        net.forward(["c0"])
    with pytest.raises(UsageError, match="not kept"):
        net.backward(["c0"])


def test_gradients_of_inputs_are_kept() -> None:
    found = []
    for keep in ("all", "training", "recompute"):
        set_random_seed(5)
        net = Net.from_text("force_backward: true " + text(3), TRAIN, keep=keep)
        net.blobs["data"].data[...] = np.random.default_rng(1).standard_normal(net.blobs["data"].shape)
        net.forward()
        found.append(net.backward()["data"].copy())
    assert found[0].any()
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_what_nobody_writes_counts_as_zero() -> None:
    net = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 6 } } }
    layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 4 } } }
    layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
      inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
    layer { name: "cut" type: "Slice" bottom: "fc" top: "scores" top: "aside" }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" }
    layer { name: "quiet" type: "Silence" bottom: "aside" propagate_down: false }
    """
    gradients = []
    for keep in ("all", "recompute"):
        set_random_seed(1)
        built = Net.from_text(net, TRAIN, keep=keep)
        for _ in range(2):
            built.clear_param_diffs()
            built.blobs["data"].data[...] = np.arange(24).reshape(4, 6)
            built.forward()
            built.backward()
        gradients.append(built.params["fc"][0].diff.copy())
    np.testing.assert_array_equal(*gradients)


def test_solvers_move_parameters_alike_and_take_over_each_others_snapshots(tmp_path: Path) -> None:
    file = write_problem(tmp_path, max_iter=6, snapshot=3)
    ends = []
    for keep in ("all", "training", "recompute"):
        solver = get_solver(file, keep=keep, observers=[])
        solver.solve()
        ends.append([p.blob.data.copy() for p in solver.net.learnable_params])
    resumed = get_solver(file, keep="recompute", observers=[])
    resumed.solve(tmp_path / "run_iter_3.solverstate")
    ends.append([p.blob.data.copy() for p in resumed.net.learnable_params])
    for other in ends[1:]:
        for ours, theirs in zip(ends[0], other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_solvers_keep_only_what_they_know(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="training keeps all, training, recompute, not 'outputs'"):
        get_solver(write_problem(tmp_path), keep="outputs", observers=[])
