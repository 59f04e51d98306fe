# make tables   environment, kernels, data, every table at SCALE (smoke, quick, hour or paper)
# make test     the tests, environment included
# make bench    the benchmarks, each as a ratio against its reference in the same run, into results/bench/
# make lint     style
# make docs     the documentation site, into build/site; executes its tutorials
# make wheel    the wheel and the source distribution, into dist/
# make clean    remove the environment, the builds and dist/; results and tracked runs stay

PYTHON ?= python3
SCALE  ?= quick
CORES  ?= all
BIN    := .venv/bin
CSRC   := $(wildcard csrc/*.?pp csrc/*/*.?pp)
# The folder that the environment was built for: its programs hold this path, so that a moved or copied one is rebuilt.
BUILT  := $(shell sed -n 's,^command = .* \(/.*\)/\.venv$$,\1,p' .venv/pyvenv.cfg 2>/dev/null)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: env tables test bench lint docs wheel clean

env: .venv/installed

tables: env
	$(BIN)/snakemake --cores $(CORES) --config scale=$(SCALE)

test: env
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile  # tests of one file share a run of the workflow

bench: env
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.kernels results/bench
	OMP_NUM_THREADS=2 $(BIN)/python -m bench.training results/bench
	OMP_NUM_THREADS=2 $(BIN)/python -m bench.ssm results/bench

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(CSRC)
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

# A warning is an error. The variable leaves out the notice of Material for MkDocs about its successor.
docs: env
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# One wheel for every x86-64 processor, and every Linux with at least the glibc in its name: that of the machine that
# builds it may be newer. The C++ runtime stays outside: linked statically, GCC's needs a newer glibc than the kernels.
wheel: env
	rm -rf build/dist dist
	$(BIN)/python -m build --no-isolation --sdist --wheel --outdir build/dist
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir dist build/dist/*.whl
	mv build/dist/*.tar.gz dist

clean:
	rm -rf .venv build dist

ifneq ($(filter-out $(CURDIR),$(BUILT)),)
.PHONY: .venv/installed
endif

.venv/installed: pyproject.toml requirements.lock CMakeLists.txt $(CSRC)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: name a newer one, make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@[ -z "$(BUILT)" ] || [ "$(BUILT)" = "$(CURDIR)" ] || \
		{ echo "this environment was built for $(BUILT): building it again"; rm -rf .venv build; }
	$(PYTHON) -m venv .venv
	$(PIP) cmake ninja pybind11 scikit-build-core setuptools  # setuptools for dependencies that come as source only
	$(PIP) --no-build-isolation --editable '.[dev,docs]'
	@HIPPO_KERNELS= $(BIN)/python -W ignore -c 'import sys; from hippo.kernels import backend; sys.exit(not backend().compiled)' || \
		! command -v "$${CXX:-c++}" > /dev/null || \
		{ for folder in build/*/; do $(BIN)/cmake --build "$$folder"; done; \
		  echo "the kernels did not compile: see the compiler's messages above"; exit 1; }
	touch $@
