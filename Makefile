# make install   a virtual environment with pydeeplab and its console script
# make demo      the main job, end to end, with nothing downloaded
# make test      all tests
# make kills     training killed at 20 random moments and resumed, as a test
# make bench     times and memory beside other runtimes, which it installs (BENCH_ARGS="--quick", see benchmarks/)
# make cuda      the kernels for GPUs, by nvcc (CUDA_ARGS="--arch 90" for one generation only)
# make test-gpu  everything that can be tested on a GPU, built in place by PYTHON: one call, at most 8 minutes
# make bench-gpu times on a GPU beside PyTorch's, where that is installed: one call, at most 8 minutes
# make lint      ruff and mypy
# make sanitize  tests of kernels, layers and odd files with native code that watches addresses and overflows (gcc)
# make sanitize-cuda   the same of the CUDA kernels, on the host
# make proto     pydeeplab/proto/caffe.bin from caffe.proto
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
NATIVE = $(wildcard kernels/cpu/*.py* kernels/cpu/*.pxi kernels/cpu/*.c kernels/cpu/*.h) setup.py pyproject.toml

.PHONY: install build demo test emulation cuda test-gpu bench-gpu kills bench lint sanitize sanitize-cuda proto clean

install: $(VENV)/.installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.tools: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet "setuptools>=77" "cython>=3.0" numpy "scipy>=1.11"
	touch $@

$(VENV)/.installed: $(NATIVE) $(VENV)/.tools
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-build-isolation --editable ".[test]"
	touch $@

$(VENV)/.lint: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet "ruff>=0.6" "mypy>=1.11"
	touch $@

demo: install
	$(BIN)/pydeeplab demo -o demo

test: install emulation
	$(BIN)/python -m pytest

# The CUDA kernels on the host: without g++ their tests are skipped.
EMULATION = pydeeplab/backend/cuda/libpydeeplab_cuda_emulation.so
CUDA = pydeeplab/backend/cuda/libpydeeplab_cuda.so
CUDA_SOURCES = $(wildcard kernels/cuda/*.cu kernels/cuda/*.h kernels/cuda/host/*) pydeeplab/backend/cuda/build.py
emulation: install
	@command -v g++ > /dev/null || echo "no g++: the CUDA kernels will not be tested"
	@command -v g++ > /dev/null && $(MAKE) --no-print-directory $(EMULATION) || true

$(EMULATION): $(CUDA_SOURCES)
	$(BIN)/python -m pydeeplab.backend.cuda.build emulation

cuda: install $(CUDA)

$(CUDA): $(CUDA_SOURCES)
	$(BIN)/python -m pydeeplab.backend.cuda.build cuda $(CUDA_ARGS)

# Both need no virtual environment and no network: PYTHON has the packages. Reports go to $OUT, or benchmarks/results.
test-gpu:
	$(PYTHON) -m tests.gpu $(TEST_GPU_ARGS)

bench-gpu:
	$(PYTHON) -m tests.gpu --build
	$(PYTHON) -m benchmarks.gpu $(BENCH_GPU_ARGS)

kills: install
	PYDEEPLAB_KILLS=20 $(BIN)/python -m pytest tests/solver/test_kill.py

# Other runtimes, in an environment of their own; pydensecrf needs its generated sources made again, and may be missing.
BENCH_VENV ?= .venv-bench
BENCH_PYTHON = $(abspath $(BENCH_VENV))/bin/python
$(BENCH_VENV)/.installed: benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_PYTHON) -m pip install --quiet -r benchmarks/requirements.txt protobuf pillow h5py scipy
	rm -rf build/pydensecrf && mkdir -p build/pydensecrf
	-cd build/pydensecrf && $(BENCH_PYTHON) -m pip download --quiet --no-deps --no-binary :all: --no-build-isolation \
	    pydensecrf && tar -xf pydensecrf-*.tar.gz && cd pydensecrf-*/ && \
	    rm -f pydensecrf/densecrf.cpp pydensecrf/eigen.cpp && $(BENCH_PYTHON) -m pip install --quiet --no-build-isolation .
	touch $@

bench: install $(BENCH_VENV)/.installed
	$(BENCH_PYTHON) -m benchmarks $(BENCH_ARGS)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A copy in a folder of its own, so that the checkout keeps its fast kernels; only what has changed is built again.
SANITIZED = build/sanitize
SANITIZERS = -fsanitize=address,undefined,float-cast-overflow
SANITIZED_TESTS ?= tests/backend tests/reference tests/layers tests/crf tests/robustness
sanitize: install
	mkdir -p $(SANITIZED)
	tar -c --exclude='*.so' --exclude=__pycache__ kernels prototxt pydeeplab tests weights README.md LICENSE setup.py \
	    pyproject.toml | tar -x -C $(SANITIZED)
	cd $(SANITIZED) && CFLAGS="$(SANITIZERS) -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g" \
	    LDFLAGS="$(SANITIZERS)" PYDEEPLAB_SYMBOLS=1 $(abspath $(BIN))/python setup.py --quiet build_ext --inplace
	cd $(SANITIZED) && LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
	    $(abspath $(BIN))/python -m pytest $(SANITIZED_TESTS)

# Python itself is not instrumented, so the address sanitizer comes first.
sanitize-cuda: install
	$(BIN)/python -m pydeeplab.backend.cuda.build emulation --sanitize -o build/libpydeeplab_cuda_sanitized.so
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
	    PYDEEPLAB_CUDA_EMULATION=$(abspath build)/libpydeeplab_cuda_sanitized.so \
	    $(BIN)/python -m pytest tests/backend tests/reference tests/layers -k "emulation or cuda or gradient"

clean:
	rm -rf build dist $(VENV) *.egg-info pydeeplab/backend/cpu/*.so pydeeplab/backend/cuda/*.so demo

# the committed descriptor of Caffe's messages, from their text
proto: install
	$(BIN)/python -m pip install --quiet "grpcio-tools>=1.60"
	$(BIN)/python -m grpc_tools.protoc -Ipydeeplab/proto --descriptor_set_out=pydeeplab/proto/caffe.bin caffe.proto
