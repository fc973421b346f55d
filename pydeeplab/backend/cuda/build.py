"""Building the libraries: ``python -m pydeeplab.backend.cuda.build [cuda | emulation | api]``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydeeplab.backend.cuda.library import library_path
from pydeeplab.backend.cuda.packages import nvidia_packages
from pydeeplab.backend.cuda.signatures import api_header
from pydeeplab.errors import DeviceError
from pydeeplab.files import write_text

__all__ = ["ARCHITECTURES", "build_cuda", "build_emulation"]

ARCHITECTURES = (75, 80, 86, 89, 90)
"""Compute capabilities (times ten) that machine code is made for; newer GPUs translate the PTX of the last."""

SOURCES = Path(__file__).resolve().parents[3] / "kernels" / "cuda"
_WARNINGS = ("-Wall", "-Wextra", "-Werror")


def find_nvcc() -> str | None:
    """The CUDA compiler, if there is one: on the path, in a toolkit, or from pip (the extra ``cuda``)."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    folders = (None, os.path.join(home, "bin"), *(str(f / "bin") for f in nvidia_packages()))
    return next(filter(None, (shutil.which("nvcc", path=folder) for folder in folders)), None)


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise DeviceError(f"cannot run {command[0]}: {error}") from None
    if done.returncode:
        raise DeviceError(f"{' '.join(command)}\nfailed:\n{done.stdout}{done.stderr}")


def _build(compile_one: Sequence[str], link: Sequence[str], sources: Sequence[Path], target: Path, jobs: int) -> Path:
    """Compile the sources side by side and link them; the library appears under its name when it is whole."""
    with tempfile.TemporaryDirectory() as folder:
        objects = [str(Path(folder, f"{source.name}.o")) for source in sources]
        commands = [[*compile_one, "-c", str(s), "-o", o] for s, o in zip(sources, objects, strict=True)]
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(_run, commands))
        whole = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            _run([*link, *objects, "-o", str(whole)])
            os.replace(whole, target)
        finally:
            whole.unlink(missing_ok=True)
    return target


def _sources(pattern: str) -> list[Path]:
    found = sorted(SOURCES.glob(pattern))
    if not found:
        raise DeviceError(f"there are no sources in {SOURCES}; build from a checkout")
    return found


def build_cuda(architectures: Sequence[int] = ARCHITECTURES, target: Path | None = None, jobs: int = 4) -> Path:
    """Compile the kernels with nvcc for ``architectures`` and return the library's path."""
    nvcc = find_nvcc()
    if not nvcc:
        raise DeviceError(
            "nvcc was not found; install the CUDA toolkit and set CUDA_HOME, or get its compiler from pip: "
            "pip install 'pydeeplab[cuda]'"
        )
    codes = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    codes.append(f"-gencode=arch=compute_{max(architectures)},code=compute_{max(architectures)}")
    flags = ["-O3", "-std=c++17", "--extended-lambda", "-Werror=all-warnings", "-Xcompiler", "-fPIC,-Wall,-Wextra"]
    flags += ["-Xcompiler", "-fvisibility=hidden", f"-I{SOURCES}"]
    link = [nvcc, "-shared", "-cudart=static", *codes]
    return _build([nvcc, *flags, *codes], link, _sources("*.cu"), target or library_path("cuda"), jobs)


def build_emulation(target: Path | None = None, jobs: int = 4, sanitize: bool = False) -> Path:
    """Compile the kernels with g++ for the host and return the library's path."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if not compiler:
        raise DeviceError("g++ was not found; install it, or name a compiler by CXX")
    flags = ["-std=c++20", "-fPIC", "-fopenmp", "-fvisibility=hidden", f"-I{SOURCES}", "-include", "host/cuda.h"]
    flags += [*_WARNINGS, "-Wno-unknown-pragmas", "-ffp-contract=off"]
    flags += ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"] if sanitize else ["-O2"]
    link = [compiler, "-shared", "-fopenmp", *(["-fsanitize=address,undefined"] if sanitize else [])]
    sources = [*_sources("*.cu"), *_sources("host/*.cpp")]
    return _build([compiler, *flags, "-x", "c++"], link, sources, target or library_path("cuda-emulation"), jobs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m pydeeplab.backend.cuda.build", description=__doc__)
    parser.add_argument("what", choices=["cuda", "emulation", "api"], nargs="?", default="cuda")
    parser.add_argument("--arch", type=int, action="append", help="a compute capability times ten, such as 90")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="compilers at a time")
    parser.add_argument("--sanitize", action="store_true", help="let the emulation watch addresses and overflows")
    parser.add_argument("-o", "--output", type=Path, help="the library's path")
    args = parser.parse_args(arguments)
    try:
        if args.what == "api":
            write_text(args.output or SOURCES / "api.h", api_header())
            return 0
        if args.what == "emulation":
            path = build_emulation(args.output, args.jobs, args.sanitize)
        else:
            path = build_cuda(args.arch or ARCHITECTURES, args.output, args.jobs)
    except DeviceError as error:
        print(error, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
