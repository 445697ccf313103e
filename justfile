# What each recipe needs is installed by _env; only a python3 with its venv module has to be there.
# Recipes that start the bot exec it: a SIGTERM to just would otherwise orphan it.

python := ".venv/bin/python"

# Trade: on the embedded exchange until settings.toml says otherwise. Ctrl-C stops.
run *ARGS: _env
    @exec {{python}} -m bot run {{ARGS}}

# Every check of the project.
test *ARGS: lint
    {{python}} -m pytest {{ARGS}}

# Style, async mistakes, types.
lint: _env
    .venv/bin/ruff check
    .venv/bin/ruff format --check
    grep -lrE 'async|trio' bot tests --include='*.py' | xargs -n 8 -P {{num_cpus()}} .venv/bin/flake8-async --startable-in-context-manager=run,supervise,serve,_log_in,_watch_signals
    .venv/bin/mypy

# Format, and mend what can be mended safely.
fmt: _env
    .venv/bin/ruff check --fix
    .venv/bin/ruff format

# Hash and signature of an order, side by side with starknet-py in one run.
bench *ARGS: _env
    @exec {{python}} -m bot.lab.signing {{ARGS}}

# Renew the pins: what pyproject.toml allows, newest, with hashes and without any host.
lock: _env
    .venv/bin/uv pip compile --quiet --universal --upgrade --generate-hashes --python-version 3.11 --extra dev --custom-compile-command "just lock" --output-file requirements.txt pyproject.toml

# The environment, brought up to date when the pins or the project file changed.
_env:
    #!/bin/sh
    set -eu
    test -x .venv/bin/uv || { python3 -m venv .venv && .venv/bin/pip install --quiet uv; }
    cat requirements.txt pyproject.toml | cmp -s - .venv/.installed && exit
    {{python}} -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed, and .venv has %d.%d" % v)'
    .venv/bin/uv pip install --quiet --python {{python}} --require-hashes -r requirements.txt
    .venv/bin/uv pip install --quiet --python {{python}} --no-deps -e .
    cat requirements.txt pyproject.toml > .venv/.installed
