"""Builds the native kernels and ships prototxt/ and weights/ inside the package.

Everything declarative is in pyproject.toml. Cython and the kernels' C are compiled from kernels/cpu: each
``<stem>.pyx`` becomes ``pydeeplab.backend.cpu.<stem>``, linked with its ``<stem>_*.c``.
``PYDEEPLAB_STEMS=conv,pooling`` restricts a build to the stems one is working on;
``PYDEEPLAB_SYMBOLS=1`` keeps symbols.
"""

import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
KERNELS = Path("kernels") / "cpu"

# -ffp-contract=off: the same result on every instruction set; kernels that want fused multiply-add ask for it.
# No -ffast-math: NaN, infinities and signed zeros behave as in Caffe.
COMPILE_FLAGS = [
    "-O3",
    "-std=gnu11",
    "-fopenmp",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    "-fvisibility=hidden",
]

# Symbols only serve debuggers and sanitizers.
STRIP = ["-Wl,-s"] if sys.platform == "linux" and not os.environ.get("PYDEEPLAB_SYMBOLS") else []


def extensions():
    wanted = set(filter(None, os.environ.get("PYDEEPLAB_STEMS", "").split(",")))
    for pyx in sorted((ROOT / KERNELS).glob("*.pyx")):
        stem = pyx.stem
        if wanted and stem not in wanted:
            continue
        c_files = sorted((ROOT / KERNELS).glob(f"{stem}_*.c"))
        headers = sorted((ROOT / KERNELS).glob("*.h"))
        yield Extension(
            f"pydeeplab.backend.cpu.{stem}",
            [str(KERNELS / f.name) for f in (pyx, *c_files)],
            include_dirs=[str(KERNELS)],
            depends=[str(KERNELS / h.name) for h in headers],
            extra_compile_args=COMPILE_FLAGS,
            extra_link_args=["-fopenmp", *STRIP],
        )


class BuildKernels(build_ext):
    """Cython is imported here only, so that `setup.py --version` and metadata work without it."""

    def finalize_options(self):
        if self.distribution.ext_modules:
            from Cython.Build import cythonize

            self.distribution.ext_modules[:] = cythonize(
                self.distribution.ext_modules,
                nthreads=os.cpu_count() or 0,
                build_dir=str(Path("build") / "cython"),
                language_level=3,
                compiler_directives={
                    "boundscheck": False,
                    "wraparound": False,
                    "cdivision": True,
                    "embedsignature": True,
                },
            )
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()


class BuildPackage(build_py):
    """Copies prototxt/ and weights/ to pydeeplab/share in a wheel; a checkout reads them where they lie."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for folder in ("prototxt", "weights"):
            target = Path(self.build_lib) / "pydeeplab" / "share" / folder
            if target.exists():
                shutil.rmtree(target)
            shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns("__pycache__", "*.py"))


setup(
    packages=[
        str(p.parent.relative_to(ROOT)).replace(os.sep, ".") for p in sorted((ROOT / "pydeeplab").rglob("__init__.py"))
    ],
    package_data={"pydeeplab": ["py.typed", "proto/*.proto", "proto/*.bin"]},
    ext_modules=list(extensions()),
    cmdclass={"build_ext": BuildKernels, "build_py": BuildPackage},
)
