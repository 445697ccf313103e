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
    grep -lrE 'async|trio' bot benchmarks tests --include='*.py' | xargs -n 8 -P {{num_cpus()}} .venv/bin/flake8-async --startable-in-context-manager=run,supervise,serve,_hold,_log_in,watch_signals,undergo
    .venv/bin/mypy

# Format, and mend what can be mended safely.
fmt: _env
    .venv/bin/ruff check --fix
    .venv/bin/ruff format

# Measure, each thing beside something it can be compared with: --json FILE, --only NAME, --quick.
bench *ARGS: _env
    @exec {{python}} -m benchmarks {{ARGS}}

# All that takes too long for `just test`, about an hour: two thousand seeds, the bugs, the sweep, the wire.
campaign: _env
    {{python}} -m bot simulate --seeds 1-2000
    {{python}} -m bot simulate --seeds 1-200 --bug all
    {{python}} -m bot.simulation.sweep
    {{python}} -m bot.lab.wire

# Cancel a scripted session at each of its checkpoints in turn, or show one of these sessions.
sweep *ARGS: _env
    @exec {{python}} -m bot.simulation.sweep {{ARGS}}

# The network's rows of the table of faults: real bots, a real exchange, and a proxy between them that is told to be bad.
wire *ARGS: _env
    @exec {{python}} -m bot.lab.wire {{ARGS}}

# That proxy by hand, between any client and its exchange: each line on stdin is a change.
proxy *ARGS: _env
    @exec {{python}} -m bot.lab.proxy {{ARGS}}

# 24 simulated hours of an order a second with the weekday release in them: is anything wrong, does anything grow?
day *ARGS: _env
    @exec {{python}} -m bot.lab.day {{ARGS}}

# Real clients against the embedded exchange: ccxt, and the venue's own SDK, each in an environment of its own.
clients *ARGS: _env
    #!/bin/sh
    set -eu
    failed=0
    sh clients/install.sh ccxt
    clients/.venv-ccxt/bin/python clients/ccxt_client.py {{ARGS}} || failed=1
    if sh clients/install.sh sdk; then
        clients/.venv-sdk/bin/python clients/sdk_client.py {{ARGS}} || failed=1
    elif [ $? = 3 ]; then
        echo "paradex-py is skipped"
    else
        failed=1
    fi
    exit $failed

# A minute of orders and cancels at an even pace: is every one confirmed, and what does it cost?
flow *ARGS: _env
    @exec {{python}} -m bot.lab.flow {{ARGS}}

# How many orders a second the embedded exchange takes, and what verifying them costs.
load *ARGS: _env
    @exec {{python}} -m benchmarks.load {{ARGS}}

# Record a session of the embedded exchange, for tests/replay/sessions/; without a name list those there are.
session *ARGS: _env
    @exec {{python}} -m bot.replay.scenarios {{ARGS}}

# Renew the pins: what pyproject.toml allows, newest, with hashes and without any host.
lock: _env
    .venv/bin/uv pip compile --quiet --universal --upgrade --generate-hashes --python-version 3.11 --extra dev --custom-compile-command "just lock" --output-file requirements.txt pyproject.toml
    .venv/bin/uv pip compile --quiet --universal --upgrade --generate-hashes --python-version 3.11 --custom-compile-command "just lock" --output-file clients/requirements-ccxt.txt clients/requirements-ccxt.in
    .venv/bin/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.10 --python-platform linux --custom-compile-command "just lock" --output-file clients/requirements-sdk.txt clients/requirements-sdk.in

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
