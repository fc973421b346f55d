# make install   a virtual environment with pydeeplab and its console script
# make demo      the main job, end to end, with nothing downloaded
# make test      all tests
# make kills     training killed at 20 random moments and resumed, as a test
# make lint      ruff and mypy
# make proto     pydeeplab/proto/caffe.bin from caffe.proto
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
NATIVE = $(wildcard kernels/cpu/*.py* kernels/cpu/*.pxi kernels/cpu/*.c kernels/cpu/*.h) setup.py pyproject.toml

.PHONY: install build demo test kills lint proto clean

install: $(VENV)/.installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.tools: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet "setuptools>=77" "cython>=3.0" numpy "scipy>=1.11"
	touch $@

$(VENV)/.installed: $(NATIVE) $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable ".[test]"
	touch $@

$(VENV)/.lint: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet "ruff>=0.6" "mypy>=1.11"
	touch $@

demo: install
	$(BIN)/pydeeplab demo -o demo

test: install
	$(BIN)/python -m pytest

kills: install
	PYDEEPLAB_KILLS=20 $(BIN)/python -m pytest tests/solver/test_kill.py

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf build dist $(VENV) *.egg-info pydeeplab/backend/cpu/*.so demo

# the committed descriptor of Caffe's messages, from their text
proto: install
	$(BIN)/python -m pip install --quiet "grpcio-tools>=1.60"
	$(BIN)/python -m grpc_tools.protoc -Ipydeeplab/proto --descriptor_set_out=pydeeplab/proto/caffe.bin caffe.proto
