# Every command of the course. The two that matter are `make lab` and `make test`.

# The interpreter that makes .venv; empty means the first suitable one (see tools/find_python.sh).
PYTHON :=
# More options for a command, as in `make lab ARGS=--no-browser` or `make test-slow ARGS=-x`.
ARGS :=

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet
SITE_READY := $(VENV)/.site
LOWEST := build/lowest
# The stamp of a finished set-up holds the folder's name: a .venv does not survive a move or a copy.
READY := $(VENV)/.ready
ifneq "$(shell test -x $(PY) && cat $(READY) 2>/dev/null)" "$(CURDIR)"
NEW_VENV := yes
.PHONY: $(READY)
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab test test-slow test-lowest test-browser site slides lite learner colab offline notebooks check-notebooks lint format dist lock environment figures \
        benchmarks references clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

# ---- for everybody -------------------------------------------------------------------------------

# With the third option the kernels encrypt; without it each one prints a warning.
lab: $(READY) ## Set up if needed, open your copies of the lessons in JupyterLab (or ARGS=--no-browser)
	@$(PY) -m tools.my_course
	$(PY) -m jupyterlab --ServerApp.root_dir="$(CURDIR)" \
		--LabApp.default_url=/lab/tree/my-course/00-start-here.ipynb \
		--ServerKernelManager.transport_encryption=auto \
		$(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

test: $(READY) ## Set up if needed, run the unit tests and then every notebook under nbval
	$(PY) -m pytest -m "not slow" --ignore=tests/browser -n 2 --dist loadfile $(ARGS)
	$(PY) -m pytest -c tests/nbval.ini --rootdir=. -n 2 notebooks

test-slow: $(READY) ## Run the slow tests: simulations, stored studies made again
	$(PY) -m pytest -m slow --ignore=tests/browser -n 2 --maxschedchunk 1 $(ARGS)

test-lowest: $(LOWEST)/.ready ## Run the unit tests on the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python -m pytest -m "not slow" --ignore=tests/browser -n 2 --dist loadfile $(ARGS)

site: $(SITE_READY) ## Build the reading site in build/site (ARGS="--repository ADDRESS": links that run lessons)
	$(PY) -m tools.build_site $(ARGS)

slides: $(SITE_READY) ## Make a deck of slides for the core of each lesson in build/slides
	$(PY) -m tools.make_slides $(ARGS)

lite: $(SITE_READY) ## Build the lessons for the browser, without a server, in build/lite (experimental)
	$(PY) -m tools.make_lite $(ARGS)

test-browser: $(SITE_READY) ## Test the site and JupyterLab in a headless Chromium
	sh tools/find_chromium.sh
	$(PY) -m pytest -m browser -n 2 --dist loadfile tests/browser $(ARGS)

learner: $(READY) ## Copy the lessons without their outputs to build/learner, for a class (ARGS=--core: a first reading alone)
	$(PY) -m tools.learner_copies $(ARGS)

colab: $(READY) ## Copy the lessons for Google Colab to build/colab (ARGS=address of your repository)
	$(PY) -m tools.make_colab $(ARGS)

offline: $(READY) ## Lay out build/offline, which installs without a network (ARGS="--python 3.12 3.13")
	$(PY) tools/make_offline.py $(ARGS)

clean: ## Remove .venv and everything else that can be made again; my-course stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# ---- for contributors ----------------------------------------------------------------------------

notebooks: $(READY) ## Run the notebooks and store their outputs (ARGS=notebooks/05-*.ipynb: only these)
	$(PY) tools/execute_notebooks.py $(ARGS)

check-notebooks: $(READY) ## Run the notebooks and compare with the stored outputs, pictures too
	$(PY) tools/execute_notebooks.py --check $(ARGS)

dist: $(SITE_READY) ## Build the wheel and the source archive in dist/ (ARGS="--repository ADDRESS")
	$(PY) -m tools.make_dist $(ARGS)
	$(PY) -m twine check --strict dist/*

lint: $(READY) ## Check the style of code and notebooks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(READY) ## Put code and notebooks into the style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

environment: $(READY) ## Write environment.yml from pyproject.toml
	$(PY) tools/make_environment.py

figures: $(READY) ## Draw the pictures in figures/ again
	$(PY) figures/make_figures.py
	$(PY) figures/make_cheat_sheet.py
	$(PY) figures/make_worksheets.py

benchmarks: $(READY) ## Measure what benchmarks/README.md reports
	@for script in benchmarks/*.py; do echo "== $$script"; $(PY) "$$script" || exit 1; done

references: ## Make the reference results again (needs R and the packages in tests/reference/README.md)
	Rscript tests/reference/make_reference.R
	Rscript tests/reference/make_means_reference.R
	Rscript tests/reference/make_inference_reference.R
	Rscript tests/reference/make_kenward_roger_reference.R
	Rscript tests/reference/make_rank_reference.R
	Rscript tests/reference/make_gee_reference.R
	Rscript tests/reference/make_separation_reference.R
	Rscript tests/reference/make_two_part_reference.R
	Rscript tests/reference/make_zero_random_reference.R
	Rscript tests/reference/make_parts_reference.R
	Rscript tests/reference/make_slopes_reference.R
	Rscript tests/reference/make_covariances_reference.R
	Rscript tests/reference/make_residuals_reference.R

lock: ## Write the locks from pyproject.toml (needs uv; ARGS=--upgrade: newest versions)
	sh tools/lock.sh $(ARGS)

# ---- the set-up ----------------------------------------------------------------------------------

# A lock with hashes cannot hold the package itself, hence the second installation, which takes
# nothing from the network. Drawing the list of fonts now keeps a message out of the first lesson.
$(READY): requirements.lock pyproject.toml tools/jupyterlab-overrides.json
ifdef NEW_VENV
	@python=$$(sh tools/find_python.sh $(if $(PYTHON),"$(PYTHON)")) || exit 1; \
	echo "Setting up .venv with $$("$$python" --version): a minute or two, once."; \
	"$$python" -m venv --clear $(VENV)
endif
	@$(PIP) --require-hashes --only-binary :all: --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@cp tools/jupyterlab-overrides.json $(VENV)/share/jupyter/lab/settings/overrides.json
	@$(PY) -c "import matplotlib.font_manager"
	@printf '%s' "$(CURDIR)" > $(READY)

$(SITE_READY): $(READY) requirements-site.lock
	@$(PIP) --require-hashes --only-binary :all: --requirement requirements-site.lock
	@touch $(SITE_READY)

# The environment of .venv comes first: where that is set up anew, in another folder, so is this one.
$(LOWEST)/.ready: $(READY) tools/make_lowest.py
	@echo "Setting up $(LOWEST): half a minute."
	@$(PY) tools/make_lowest.py
	@touch $@
