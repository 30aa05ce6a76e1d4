# Needs Python 3.11 or newer and make; everything else is installed into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Servers besides SQLite are asked for by name: make test DATABASES="postgresql mariadb sqlite"
DATABASES ?= $(if $(REQUIRE_DATABASES),postgresql mariadb,) sqlite
ARGS ?=
# How many schedules make soak tries.
SCHEDULES ?= 10000

.DEFAULT_GOAL := help
.PHONY: help demo test soak check messages docs pictures bench bench-browser clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.demo ## the example shop with the sandbox beside it, on one port (PORT=8000)
	@export PORT=$${PORT:-$$($(BIN)/python -c "$$free_port")} DJANGO_RUNSERVER_HIDE_WARNING=true && \
	$(BIN)/python manage.py migrate --verbosity 0 && \
	printf "$$doors\n" "$$PORT" "$$PORT" && \
	exec $(BIN)/python manage.py runserver "127.0.0.1:$$PORT"

# FULL_PRODUCTS=1 runs every combination of parameters that tests/support/sampling.py thins out, and 200 schedules of
# tests/test_invariants.py on SQLite. Workers and the Pythons that tests start need what one of them has compiled. There are
# more workers than cores, because tests also wait.
test: $(VENV)/.test $(patsubst %,$(VENV)/.%,$(filter-out sqlite,$(DATABASES))) ## every test, on SQLite; the browser's where a Chromium is found
	@workers=$$($(BIN)/python -c 'import os; print(min(os.cpu_count() + 2, 4))'); products=$$FULL_PRODUCTS; \
	for database in $(DATABASES); do \
	  echo "== $$database"; \
	  if [ $$database = sqlite ]; then only=''; full=$$products; schedules=$${products:+200}; \
	  else only='database and not browser'; full=''; schedules=24; fi; \
	  export PYTHONDONTWRITEBYTECODE= TEST_DATABASE=$$database FULL_PRODUCTS=$$full INVARIANT_EXAMPLES=$$schedules; \
	  $(BIN)/python -m pytest -q -n $$workers --dist worksteal -m "$$only" $(ARGS) || exit; \
	done

soak: $(VENV)/.test ## thousands of random schedules of shoppers, crashes and staff (SCHEDULES=10000, SEED=...)
	@seed=$${SEED:-$$(date +%j%H%M)}; echo "SEED=$$seed SCHEDULES=$(SCHEDULES)"; \
	INVARIANT_SEED=$$seed INVARIANT_EXAMPLES=$(SCHEDULES) $(BIN)/python -m pytest -q -n auto --maxprocesses 8 -p no:logging \
	  $(ARGS) tests/test_invariants.py

check: $(VENV)/.check ## lint, format, types, migrations and translations
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python manage.py makemigrations --check --dry-run --verbosity 0
	@$(BIN)/python .ci/translations.py
	@echo "check: all is well"

messages: $(VENV)/.check ## collect the strings of the source into the translations, and compile them
	@$(BIN)/python .ci/translations.py collect

docs: $(VENV)/.docs ## build the documentation site in English and French into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

pictures: $(VENV)/.test ## take the README's pictures anew, from the example shop in a real browser
	@$(BIN)/python .ci/pictures.py

bench: $(VENV)/.test ## the page's speed beside a naive view's, against performance goals
	@$(BIN)/python -m bench $(ARGS)

bench-browser: $(VENV)/.test ## the time until Chromium shows the total, through a line with a delay
	@$(BIN)/python -m bench.browser $(ARGS)

clean: ## remove everything that was installed or built
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The first port from 8000 on that nobody listens on.
define free_port
import socket
def free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
print(next(filter(free, range(8000, 8100))))
endef
export free_port

define doors

  Open  http://127.0.0.1:%s/                    put a mug into the cart and pay for it
        http://127.0.0.1:%s/sandbox/dashboard/  then refund it, and see what was said

  No money moves. Ctrl+C stops the shop.

endef
export doors

# A stamp per set of dependencies: the second run installs nothing and needs no network.
$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ...")'
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "This Python has no venv module; on Debian: apt install python3-venv"; rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.demo: EXTRAS = demo
$(VENV)/.test: EXTRAS = test
$(VENV)/.check: EXTRAS = test,check
$(VENV)/.docs: EXTRAS = docs
$(VENV)/.postgresql: EXTRAS = postgres
$(VENV)/.mariadb: EXTRAS = mariadb

$(addprefix $(VENV)/.,demo test check docs postgresql mariadb): setup.cfg pyproject.toml $(VENV)/.venv
	@echo "Installing the packages for $(patsubst .%,%,$(notdir $@)) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@
