"""Snapshots: Caffe's are read, ours hold everything, and resuming gives the same bits as not stopping."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pydeeplab
from pydeeplab.errors import UsageError, WeightsError
from pydeeplab.formats import read_solver_state
from pydeeplab.solver import Observer, Score, Solver, get_solver
from pydeeplab.solver.snapshot import find_newest, remove_leftovers
from tests.solver.problem import write_problem
from tests.solver.reference import STATES, build, params
from tests.support.kernels import relative_error

RUNS = ("sgd_binaryproto", "sgd_hdf5", "adam_binaryproto", "adam_hdf5")


def copy_states(folder: Path) -> None:
    for file in STATES.iterdir():
        shutil.copy(file, folder)


def state_file(run: str, iteration: int = 5) -> str:
    return f"{run}_iter_{iteration}.solverstate{'.h5' if 'hdf5' in run else ''}"


def train(solver: Solver, record: dict[str, np.ndarray], first: int, last: int, prefix: str = "") -> None:
    for t in range(first, last):
        for name in ("data", "label"):
            solver.net.blobs[name].data[...] = record[f"in/{name}"][t]
        solver.step(1)
        assert relative_error(solver.net.blobs["loss"].data, record[f"{prefix}loss/{t}"]) <= 1e-5
        errors = params(solver, record, f"{prefix}param{t}")
        assert len(errors) == 11
        if solver.type == "Adam":
            # The gradient of a bias before a BatchNorm is 0 but for rounding errors. Adam divides them by their own
            # size, so that bias does a random walk, which the BatchNorm's mean follows; nothing else notices.
            assert errors.pop(f"{prefix}param{t}/conv1/1") < 0.02
            assert errors.pop(f"{prefix}param{t}/bn1/0") < 2e-3
        assert max(errors.values()) <= 1e-5, errors


@pytest.mark.parametrize("run", RUNS)
class TestAgainstCaffe:
    def test_straight_run_and_its_snapshot(self, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        copy_states(tmp_path)
        monkeypatch.chdir(tmp_path)
        record = dict(np.load(f"{run}.npz"))
        solver = build(Path(f"{run}.solver.prototxt"), record, engine="CAFFE")
        caffe = read_solver_state(state_file(run))
        Path(state_file(run)).unlink()
        train(solver, record, 0, 5)
        ours = read_solver_state(state_file(run))
        assert (ours.iter, ours.current_step, ours.learned_net) == (5, 1, caffe.learned_net)
        assert len(ours.history) == len(caffe.history)
        for mine, theirs in zip(ours.history, caffe.history, strict=True):
            assert mine.shape == theirs.shape
            # that of conv1's bias, which has no gradient but rounding errors
            assert relative_error(mine, theirs) <= 1e-5 or max(np.abs(mine).max(), np.abs(theirs).max()) < 1e-8
        train(solver, record, 5, 10)

    def test_caffe_snapshot_is_resumed(self, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        copy_states(tmp_path)
        monkeypatch.chdir(tmp_path)
        record = dict(np.load(f"{run}.npz"))
        solver = build(Path(f"{run}.solver.prototxt"), {}, engine="CAFFE")
        solver.restore(state_file(run))
        assert solver.iter == 5
        for i, values in enumerate(solver.history):
            assert np.array_equal(values, record[f"history/{i}"])
        train(solver, record, 5, 10, "resumed/")

    def test_own_resume_is_exact(self, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        copy_states(tmp_path)
        monkeypatch.chdir(tmp_path)
        record = dict(np.load(f"{run}.npz"))
        straight = build(Path(f"{run}.solver.prototxt"), record)
        train(straight, record, 0, 10)
        resumed = build(Path(f"{run}.solver.prototxt"), {})
        resumed.restore(state_file(run))
        train(resumed, record, 5, 10)
        assert bits(resumed) == bits(straight)


def bits(solver: Solver) -> list[bytes]:
    blobs = [b.data.tobytes() for blobs in solver.net.params.values() for b in blobs]
    return blobs + [np.asarray(h).tobytes() for h in solver.history]


class Diary(Observer):
    """What was displayed and tested."""

    def __init__(self) -> None:
        self.lines: list[object] = []

    def displayed(self, display: pydeeplab.solver.Display) -> None:
        self.lines.append((display.iteration, display.loss, display.outputs))

    def rated(self, iteration: int, rate: float) -> None:
        self.lines.append((iteration, rate))

    def tested(self, score: Score) -> None:
        self.lines.append(score)


@pytest.mark.parametrize("type", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
@pytest.mark.parametrize("format", ["BINARYPROTO", "HDF5"])
def test_stop_and_resume_equals_an_uninterrupted_run(tmp_path: Path, type: str, format: str) -> None:
    """With shuffled data, Dropout and batch statistics, without a random seed: bits, displayed losses, test scores."""
    path = write_problem(tmp_path, type=type, format=format, seed="")
    first, second = Diary(), Diary()
    straight = get_solver(path, observers=[first])
    straight.solve()
    suffix = ".h5" if format == "HDF5" else ""
    resumed = get_solver(path, observers=[second])
    assert bits(resumed) != bits(straight)
    resumed.solve(tmp_path / f"run_iter_8.solverstate{suffix}")
    assert resumed.iter == straight.iter == 12
    assert bits(resumed) == bits(straight)
    later = [line for line in first.lines if (line.iteration if isinstance(line, Score) else line[0]) >= 8]
    assert later
    assert second.lines == later


def test_without_our_file_data_begin_anew(tmp_path: Path) -> None:
    path = write_problem(tmp_path)
    straight = get_solver(path, observers=[])
    straight.solve()
    (tmp_path / "run_iter_8.pydeeplab").unlink()
    resumed = get_solver(path, observers=[])
    resumed.solve(tmp_path / "run_iter_8.solverstate")
    assert resumed.iter == 12
    assert bits(resumed) != bits(straight)


def test_snapshot_files_and_their_names(tmp_path: Path) -> None:
    solver = get_solver(write_problem(tmp_path, max_iter=3, snapshot=2), observers=[])
    solver.solve()
    names = sorted(p.name for p in tmp_path.glob("run_*"))
    stems = ("run_iter_2", "run_iter_3")
    assert names == [f"{stem}{suffix}" for stem in stems for suffix in (".caffemodel", ".pydeeplab", ".solverstate")]
    assert read_solver_state(tmp_path / "run_iter_3.solverstate").learned_net == str(tmp_path / "run_iter_3.caffemodel")


def test_steps_taken_by_multistep_are_kept(tmp_path: Path) -> None:
    path = write_problem(tmp_path)
    steps = "".join(f"stepvalue: {i} " for i in (1, 2, 3))
    path.write_text(path.read_text().replace('"poly" power: 0.9', f'"multistep" gamma: 0.5 {steps}'))
    get_solver(path, observers=[]).step(4)
    resumed = get_solver(path, observers=[])
    resumed.restore(tmp_path / "run_iter_4.solverstate")
    assert resumed.lr == pytest.approx(0.01 / 8)


def test_moved_snapshots_are_found(tmp_path: Path) -> None:
    path = write_problem(tmp_path)
    get_solver(path, observers=[]).solve()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in list(tmp_path.glob("run_iter_8*")):
        file.rename(elsewhere / file.name)
    solver = get_solver(path, observers=[])
    solver.restore(elsewhere / "run_iter_8.solverstate")
    assert solver.iter == 8


def test_snapshot_diff_keeps_the_last_update(tmp_path: Path) -> None:
    solver = get_solver(write_problem(tmp_path, extra="snapshot_diff: true"), observers=[])
    solver.step(4)
    layer = next(
        one for one in pydeeplab.formats.read_weights(tmp_path / "run_iter_4.caffemodel").layers if one.name == "fc"
    )
    assert layer.blobs[0].diff is not None
    assert np.array_equal(layer.blobs[0].diff, solver.net.params["fc"][0].diff)
    assert np.abs(layer.blobs[0].diff).max() > 0


class TestNewest:
    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        get_solver(write_problem(tmp_path), observers=[]).solve()
        return tmp_path

    def newest(self, folder: Path) -> tuple[int | None, int]:
        found, refused = find_newest(str(folder / "run"))
        return (found.state.iter if found else None), len(refused)

    def test_none(self, tmp_path: Path) -> None:
        assert find_newest(str(tmp_path / "run")) == (None, [])

    def test_the_last(self, run: Path) -> None:
        assert self.newest(run) == (12, 0)

    def test_a_snapshot_without_its_last_file_does_not_count(self, run: Path) -> None:
        (run / "run_iter_12.solverstate").unlink()
        assert self.newest(run) == (8, 0)

    @pytest.mark.parametrize("suffix", ["caffemodel", "solverstate", "pydeeplab"])
    def test_damaged_files_are_passed_over(self, run: Path, suffix: str) -> None:
        file = run / f"run_iter_12.{suffix}"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 64
        file.write_bytes(content)
        found = self.newest(run)
        assert found == (8, 1) or (suffix == "pydeeplab" and found == (12, 0))

    @pytest.mark.parametrize("suffix", ["caffemodel", "solverstate", "pydeeplab"])
    def test_cut_files_are_passed_over(self, run: Path, suffix: str) -> None:
        file = run / f"run_iter_12.{suffix}"
        file.write_bytes(file.read_bytes()[:100])
        assert self.newest(run) == (8, 1)

    def test_a_missing_model_is_passed_over(self, run: Path) -> None:
        (run / "run_iter_12.caffemodel").unlink()
        assert self.newest(run) == (8, 1)

    def test_newest_is_by_time_not_by_number(self, run: Path) -> None:
        """An older run in the same folder may have got further."""
        solver = get_solver(write_problem(run), observers=[])
        solver.step(4)
        assert self.newest(run) == (4, 0)

    def test_mixed_snapshots_are_refused(self, run: Path) -> None:
        shutil.copy(run / "run_iter_8.caffemodel", run / "run_iter_12.caffemodel")
        with pytest.raises(WeightsError, match="do not belong together"):
            get_solver(run / "solver.prototxt", observers=[]).restore(run / "run_iter_12.solverstate")

    def test_leftovers_go(self, run: Path) -> None:
        (run / ".run_iter_16.caffemodel.abc.tmp.caffemodel").touch()
        (run / ".other_iter_16.caffemodel.abc.tmp.caffemodel").touch()
        remove_leftovers(str(run / "run"))
        assert [p.name for p in run.glob(".*")] == [".other_iter_16.caffemodel.abc.tmp.caffemodel"]


class TestRefusals:
    def test_another_solver_type(self, tmp_path: Path) -> None:
        get_solver(write_problem(tmp_path), observers=[]).solve()
        other = get_solver(write_problem(tmp_path, type="Adam"), observers=[])
        with pytest.raises(WeightsError, match="another type of solver"):
            other.restore(tmp_path / "run_iter_8.solverstate")

    def test_no_folder(self, tmp_path: Path) -> None:
        path = write_problem(tmp_path)
        path.write_text(path.read_text().replace(f"{tmp_path}/run", f"{tmp_path}/missing/run"))
        with pytest.raises(UsageError, match="mkdir -p"):
            get_solver(path, observers=[])

    def test_the_probe_leaves_nothing(self, tmp_path: Path) -> None:
        before = sorted(tmp_path.iterdir())
        path = write_problem(tmp_path)
        get_solver(path, observers=[])
        assert not list(tmp_path.glob("*.tempfile"))
        assert len(sorted(tmp_path.iterdir())) == len(before) + 5


IMAGES = """
name: "images"
layer {{ name: "data" type: "ImageSegData" top: "data" top: "label"
  image_data_param {{ source: "{folder}/list.txt" root_folder: "{folder}/" batch_size: 2 label_type: PIXEL
    shuffle: true }}
  transform_param {{ crop_size: 17 mirror: true scale_factors: 0.5 scale_factors: 1 scale_factors: 1.5
    mean_value: 100 }} }}
layer {{ name: "fc" type: "Convolution" bottom: "data" top: "fc" convolution_param {{ num_output: 3 kernel_size: 1
  weight_filler {{ type: "gaussian" std: 0.001 }} }} }}
layer {{ name: "noise" type: "DummyData" top: "noise" dummy_data_param {{
  shape {{ dim: 2 dim: 3 dim: 17 dim: 17 }} data_filler {{ type: "gaussian" std: 0.1 }} }} }}
layer {{ name: "noisy" type: "Eltwise" bottom: "fc" bottom: "noise" top: "noisy" }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "noisy" bottom: "label" top: "loss"
  loss_param {{ ignore_label: 255 }} }}
"""


def test_images_read_ahead_are_not_skipped(tmp_path: Path) -> None:
    """Batches that background threads had made when the snapshot was taken come again after resuming."""
    random = np.random.default_rng(0)
    lines = []
    for i in range(7):
        height, width = random.integers(15, 30, 2)
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        Image.fromarray((image[..., 0] // 86).astype(np.uint8)).save(tmp_path / f"{i}_label.png")
        lines.append(f"{i}.png {i}_label.png")
    (tmp_path / "list.txt").write_text("\n".join(lines))
    (tmp_path / "net.prototxt").write_text(IMAGES.format(folder=tmp_path))
    path = tmp_path / "solver.prototxt"
    path.write_text(
        f'net: "net.prototxt" base_lr: 1e-6 lr_policy: "fixed" momentum: 0.9 max_iter: 23 snapshot: 5 '
        f'snapshot_prefix: "{tmp_path}/run"'
    )
    straight = get_solver(path, observers=[])
    seen = []
    straight.add_callback(lambda: None, lambda: seen.append(straight.net.blobs["data"].data.tobytes()))
    straight.solve()
    assert len(set(seen)) == 23, "every batch is another one"
    resumed = get_solver(path, observers=[])
    again = []
    resumed.add_callback(lambda: None, lambda: again.append(resumed.net.blobs["data"].data.tobytes()))
    resumed.solve(tmp_path / "run_iter_15.solverstate")
    assert again == seen[15:]
    assert bits(resumed) == bits(straight)


def test_a_changed_data_set_begins_anew_with_a_warning(tmp_path: Path) -> None:
    path = write_problem(tmp_path)
    get_solver(path, observers=[]).solve()
    first = (tmp_path / "files.txt").read_text().splitlines()[0]
    (tmp_path / "files.txt").write_text("\n".join([first] * 5))
    resumed = get_solver(path, observers=[])
    with pytest.warns(RuntimeWarning, match="layer 'rows' begins anew"):
        resumed.restore(tmp_path / "run_iter_8.solverstate")
    resumed.solve()
    assert resumed.iter == 12
