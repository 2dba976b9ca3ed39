# Two commands matter: `make demo` and `make test`. Each installs what it needs into .venv.
PYTHON ?= python3
# Relative: the folder's own path may hold a blank.
BIN := .venv/bin
INSTALLED := .venv/.installed
UV_VERSION := 0.13.9
PYTEST := $(BIN)/python -m pytest
SIDE_BY_SIDE := -n 2 --dist loadfile
# Only these files are collected: the others take as long to load as their tests to run.
MARKED = $$(grep -rl --include='test_*.py' 'mark\.$(1)' tests)

export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY ?= true
# Set in many containers; without bytecode every command compiles torch and mlflow anew, 10 to 20 s.
unexport PYTHONDONTWRITEBYTECODE

NO_CLONE := this folder is no git clone (a ZIP, perhaps), and DVC needs one: git clone the repository

.PHONY: install is-clone demo ui report serve lint docs test test-heavy trained test-full strangers gpu check-lock sample dial studies lock clean

install: $(INSTALLED)

is-clone:
	@$(if $(wildcard .git),:,$(error $(NO_CLONE)))

$(INSTALLED): requirements.txt pyproject.toml | is-clone
	@echo "installing into .venv (about 6 GB, most of it torch's CUDA build; a minute or two)"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(INSTALLED)
	@echo "bringing the sample out of store/ into data/sample/: $$(sed -n 's/.*nfiles: //p' data.dvc) files," \
	  "$$(sed -n 's/.*size: //p' data.dvc) bytes; seconds, no network"
	$(BIN)/dvc pull --remote sample data.dvc
	$(BIN)/dvc repro
	$(BIN)/brain-teacher promote
	@echo
	@cat outputs/comparison/tables/comparison.txt
	@echo
	@echo "Next: make ui                      the MLflow runs, curves and the registered model"
	@echo "      outputs/comparison/figures   the figure"
	@echo "      dvc metrics show             a few numbers; outputs/*/metrics.json have all"
	@echo "      README.md                    your own data; GOD; the soft labels alone"
	@echo "The report, to be opened in a browser (make report does so): outputs/report/report.html"

# Opens it in the browser; where there is none, the path is said.
report: $(INSTALLED)
	$(BIN)/dvc repro report
	@$(BIN)/python -m webbrowser -t "file://$(CURDIR)/outputs/report/report.html" > /dev/null 2>&1 || :
	@echo "outputs/report/report.html"

ui: $(INSTALLED)
	@exec $(BIN)/python -m brain_teacher.tracking.ui

# The champion; the challenger where there is none, and it says so. ARGUMENTS="--port 8080"
serve: $(INSTALLED)
	@exec $(BIN)/python -m brain_teacher.tracking.serve $(ARGUMENTS)

# What needs no test to run, first.
lint: $(INSTALLED)
	$(BIN)/ruff check src tests benchmarks studies
	$(BIN)/ruff format --check src tests benchmarks studies
	$(BIN)/lint-imports
	$(BIN)/ty check --quiet

# The pages as a site, runs/site/index.html; a warning is an error (with --quiet it would be none).
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Two workers of one thread each, a file to a worker; what measures time or memory afterwards, alone.
test: $(INSTALLED)
	$(PYTEST) $(SIDE_BY_SIDE) -m "not full and not trains and not alone"
	$(PYTEST) -m "alone and not full and not trains" $(call MARKED,alone)

# Heavier, but nothing that trains for minutes: servers, kills, whole recordings.
test-heavy: $(INSTALLED)
	$(PYTEST) $(SIDE_BY_SIDE) -m "full and not trains and not alone" $(call MARKED,full)
	$(PYTEST) -m "full and alone" $(call MARKED,full)

# The truth, the dial and the lock. If they pass, .ci/trained.json says on what: commit it.
trained: $(INSTALLED)
	$(BIN)/python tests/helpers/trained.py

test-full: test-heavy trained strangers

# What is drawn, drawn anew: other broken files, tables and settings than those of the last time.
strangers: $(INSTALLED)
	$(PYTEST) $(SIDE_BY_SIDE) --hypothesis-profile=default -m "not trains and not alone" \
	  $$(grep -rl --include='test_*.py' hypothesis tests)

# Where a GPU is: that it gives what the CPU gives, and what it is worth. Rows already measured on
# this card stand in runs/gpu.json.
gpu: $(INSTALLED)
	$(PYTEST) -m gpu tests/gpu
	mkdir -p runs
	$(BIN)/python benchmarks/gpu.py --json runs/gpu.json --write docs/gpu.md

# That dvc.lock is the lock of this code, these params and these data, and that it is true.
check-lock: $(INSTALLED)
	$(PYTEST) -m lock tests/lock

# The shipped sample. Its seed was fixed before its result was seen; see docs/sample.md.
sample: $(INSTALLED)
	rm -rf data/sample
	$(BIN)/brain-teacher simulate --out data/sample --seed 20261124
	$(BIN)/dvc commit --force data.dvc

# Verdicts on simulated brains against the truth, docs/dial.md: hours (it says how many), and it goes
# on where it was stopped.
dial: $(INSTALLED)
	$(BIN)/python studies/dial.py --write docs/dial.md
	$(BIN)/python studies/redraws.py --write docs/dial.md

# Every page that a study writes, renewed: the dial's hours, and an hour or two for the others.
studies: dial
	$(BIN)/python studies/verdict_grid.py --write docs/verdict.md
	$(BIN)/python studies/interval_coverage.py --write docs/verdict.md
	$(BIN)/python studies/losses.py --write docs/losses.md
	$(BIN)/python studies/procedure_2021.py --write docs/procedure-2021.md
	$(BIN)/python studies/ninety_two.py --write docs/people.md
	$(BIN)/python studies/scale_on_paper.py --write docs/cluster.md

lock:
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra test \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --output-file requirements.txt pyproject.toml

clean:
	rm -rf .venv outputs/voxels outputs/soft_labels outputs/controls outputs/rivals outputs/students outputs/report outputs/.brain-teacher runs
