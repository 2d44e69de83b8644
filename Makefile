# Two commands for a learner: `make lab` and `make test`. `make help` lists the others.
#
#   PYTHON=python3.12   use this Python (3.11 to 3.13); otherwise the first that is found
#   LAB_ARGS="..."      more options for JupyterLab, such as --ip=0.0.0.0
#   BOOK_ARGS="..."     more options for the book, such as --jobs 2
#   TESTS="..."         what `make test` runs; otherwise tests and notebooks

export PYTHON
VENV := .venv
RUN := $(VENV)/bin/python
FIRST := notebooks/00_start_here.ipynb
TESTS ?= tests $(shell ls -r notebooks/*.ipynb)

# JupyterLab itself reads JUPYTER_TOKEN and JUPYTER_PORT. Root (in a container) must be allowed
# by an option, and where there is no screen no browser is looked for.
LAB_OPTIONS := --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/$(FIRST)
ifeq ($(shell id -u),0)
LAB_OPTIONS += --allow-root
endif
ifeq ($(shell uname)$(DISPLAY)$(WAYLAND_DISPLAY),Linux)
LAB_OPTIONS += --no-browser
endif

.PHONY: help lab test environment bench notebooks format colab-check lock book book-check

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

lab: environment  ## make the environment (first time only) and open the course in JupyterLab
	@echo "JupyterLab prints its address below; Ctrl-C stops it."
	@exec $(RUN) -m jupyterlab $(LAB_OPTIONS) $(LAB_ARGS)

# One thread a worker, of BLAS and of TensorFlow's operations: threads that wait for the other
# worker's make it slower, BLAS's many times.
# A file stays on one worker. Files go out in the order of collection, the lectures last, and not
# those with few tests last, among which are the longest.
test: environment  ## run every test and every notebook, about half an hour; print the ten slowest
	@exec env OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 \
	    $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10 \
	    --nbval --nbval-current-env --nbval-cell-timeout=120 $(TESTS)

bench: environment  ## print genlib's speed beside what a learner would use instead
	@for script in benchmarks/[!_]*.py; do echo "== $$script"; $(RUN) $$script || exit 1; done

book: environment  ## build the static book, build/book/index.html, where explorers move without Python
	@sh book/environment.sh
	@build/venv/bin/python book/build.py $(BOOK_ARGS)

book-check:  ## open every page of the built book in Chromium and move every control
	@build/venv/bin/python book/check.py build/book

environment:
	@sh tools/environment.sh

# For maintainers

notebooks: environment  ## execute every notebook again and store its results
	@$(RUN) tools/run.py

format: environment  ## bring the notebooks and the code into their canonical form
	@$(RUN) tools/format.py
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

colab-check: environment  ## prove that genlib changes no package of Colab's, and runs there
	@$(RUN) tools/colab_check.py

lock: environment  ## choose anew the newest versions that pyproject.toml admits
	@$(RUN) tools/lock.py
