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
    grep -lrE 'async|trio' bot tests --include='*.py' | xargs -n 8 -P {{num_cpus()}} .venv/bin/flake8-async --startable-in-context-manager=run,supervise,serve,_hold,_log_in,watch_signals,undergo
    .venv/bin/mypy

# Format, and mend what can be mended safely.
fmt: _env
    .venv/bin/ruff check --fix
    .venv/bin/ruff format

# Hash and signature of an order, side by side with starknet-py in one run; then what a simulated hour costs.
bench *ARGS: _env
    @exec {{python}} -m bot.lab.bench {{ARGS}}

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

# The SDK's signing wheel exists for Python 3.10 only; PYTHON310 names one that uv does not find by itself.
# Real clients against the embedded exchange: ccxt, and the venue's own SDK, each in an environment of its own.
clients *ARGS: _env
    #!/bin/sh
    set -eu
    client() {
        venv=clients/.venv-$1
        cmp -s clients/requirements-$1.txt $venv/.installed && return
        .venv/bin/uv venv --quiet --no-project --clear --python "$2" $venv
        .venv/bin/uv pip install --quiet --python $venv/bin/python --require-hashes -r clients/requirements-$1.txt
        cp clients/requirements-$1.txt $venv/.installed
    }
    failed=0
    client ccxt {{python}}
    clients/.venv-ccxt/bin/python clients/ccxt_client.py {{ARGS}} || failed=1
    if python310=$(.venv/bin/uv python find --no-project --no-python-downloads "${PYTHON310:-3.10}" 2>/dev/null); then
        client sdk "$python310"
        clients/.venv-sdk/bin/python clients/sdk_client.py {{ARGS}} || failed=1
    else
        echo "paradex-py is skipped: its signing library has no wheel but for Python 3.10, and uv finds none (set PYTHON310)"
    fi
    exit $failed

# How many orders a second the embedded exchange takes, and what verifying them costs.
load *ARGS: _env
    @exec {{python}} -m bot.lab.load {{ARGS}}

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
