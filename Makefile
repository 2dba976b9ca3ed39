# Two commands matter: `make demo` and `make test`. Each installs what it needs into .venv.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
INSTALLED := .venv/.installed
UV_VERSION := 0.13.9

export PATH := $(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY ?= true
# Set in many containers; without bytecode every command compiles torch and mlflow anew, 10 to 20 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo ui test test-full gpu check-lock sample dial lock clean

install: $(INSTALLED)

$(INSTALLED): requirements.txt pyproject.toml
	@echo "installing into .venv (about 6 GB, most of it torch's CUDA build; a minute or two)"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(INSTALLED)
	$(BIN)/dvc pull --quiet data.dvc
	$(BIN)/dvc repro
	$(BIN)/brain-teacher promote
	@echo
	@cat outputs/comparison/tables/comparison.txt
	@echo
	@echo "Next: make ui                      the MLflow runs, curves and the registered model"
	@echo "      outputs/comparison/figures   the figure"
	@echo "      dvc metrics show             every ROI's decoder, every teacher's students"
	@echo "      README.md                    your own data; GOD; the soft labels alone"

ui: $(INSTALLED)
	@exec $(BIN)/python -m brain_teacher.ui

test: $(INSTALLED)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not full and not lock and not gpu"

test-full: $(INSTALLED)
	$(BIN)/python -m pytest -m full

# Where a GPU is: that it gives what the CPU gives, and what it is worth. Rows already measured on
# this card are kept in runs/gpu.json.
gpu: $(INSTALLED)
	$(BIN)/python -m pytest -m gpu tests/gpu
	mkdir -p runs
	$(BIN)/python benchmarks/gpu.py --json runs/gpu.json --write docs/gpu.md

# That dvc.lock is the lock of this code, these params and these data, and that it is true.
check-lock: $(INSTALLED)
	$(BIN)/python -m pytest -m lock

# The shipped sample. Its seed was fixed before its result was seen; see docs/sample.md.
sample: $(INSTALLED)
	rm -rf data/sample
	$(BIN)/brain-teacher simulate --out data/sample --seed 20261124
	$(BIN)/dvc add data

# Verdicts on simulated brains against the truth, docs/dial.md: two hours, and it goes on where it
# was stopped.
dial: $(INSTALLED)
	$(BIN)/python benchmarks/dial.py --write docs/dial.md
	$(BIN)/python benchmarks/redraws.py --write docs/dial.md

lock:
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra test \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --output-file requirements.txt pyproject.toml

clean:
	rm -rf .venv outputs/voxels outputs/soft_labels outputs/controls outputs/rivals outputs/students outputs/.brain-teacher runs
