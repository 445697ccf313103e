#!/bin/sh
# Make clients/.venv-NAME as clients/requirements-NAME.txt has it, unless it is so already. NAME: ccxt, or sdk.
# Exit code 3: the Python that it needs is not here. The SDK's signing library has a wheel for Python 3.10 only;
# PYTHON310 names one that uv does not find by itself.
set -eu
venv=clients/.venv-$1
pins=clients/requirements-$1.txt
cmp -s "$pins" "$venv/.installed" && exit
python=.venv/bin/python
if [ "$1" = sdk ]; then
    python=$(.venv/bin/uv python find --no-project --no-python-downloads "${PYTHON310:-3.10}" 2>/dev/null) || {
        echo "paradex-py needs Python 3.10 for its signing library, and uv finds none (set PYTHON310)" >&2
        exit 3
    }
fi
.venv/bin/uv venv --quiet --no-project --clear --python "$python" "$venv"
.venv/bin/uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$pins"
cp "$pins" "$venv/.installed"
