"""The floors of the house: imports go down only, and each library of the outside world has one door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BOT = Path(__file__).resolve().parents[1] / "bot"

# Floor by floor, the lowest first. What is not named here stands on the top floor and runs the rest.
FLOORS = [
    {"core"},
    {"paradex"},
    {"link", "journal"},
    {"session", "latency"},
    {"trading"},
    {"app", "settings", "log", "alarm", "summary"},
]
TOP = len(FLOORS)

EXCHANGE_MAY_IMPORT = {"bot.core.fixed", "bot.core.clock", "bot.core.setting"}

EXCHANGE_FLOORS = [
    {"settings", "limits", "errors", "stamps", "event", "history", "counters", "peer", "agenda"},
    {"transport", "instruments", "bodies"},
    {"identity"},
    {"clearing"},
    {"matching"},
    {"market"},
    {"views"},
    {"faults"},
    {"stream"},
    {"requestlog", "release"},
    {"exchange"},
    {"rest", "websocket"},
    {"control"},
    {"server"},
    {"process"},
]
"""The exchange's own floors, the lowest first: a folder or module each."""

ONLY_IMPORTERS = {
    "httpx": {"link/http.py"},
    "httpcore": set[str](),
    "trio_websocket": {"link/websocket.py", "exchange/websocket.py"},
    "fast_stark_crypto": {"link/signer.py", "exchange/identity/stark.py"},
    "starknet_py": {"link/signer.py", "link/crosscheck.py"},
    "time": {"link/clock.py"},
    "uuid": set[str](),
}

MODULES = sorted(BOT.rglob("*.py"))


def imported(module: Path) -> Iterator[str]:
    """The modules that ``module`` imports, anywhere in it."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names if node.module == "bot")


def room(dotted: str) -> str:
    return [*dotted.split("."), ""][1]


def floor(name: str) -> int:
    return next((number for number, rooms in enumerate(FLOORS) if name in rooms), TOP)


def dotted(module: Path) -> str:
    return ".".join(("bot", *module.relative_to(BOT).with_suffix("").parts)).removesuffix(".__init__")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(BOT)))
def test_imports_go_down_only(module: Path) -> None:
    """A room imports from its own floor's room and from lower floors; the exchange from next to nothing."""
    here = room(dotted(module))
    for name in imported(module):
        if not name.startswith("bot.") or room(name) == here:
            continue
        if here == "exchange":
            assert name in EXCHANGE_MAY_IMPORT
        elif room(name) == "exchange":
            assert floor(here) == TOP or name == "bot.exchange.settings"
        elif floor(here) < TOP:
            assert floor(room(name)) < floor(here) or floor(here) == floor("app") == floor(room(name))


@pytest.mark.parametrize(
    "module", [module for module in MODULES if dotted(module).startswith("bot.exchange.")], ids=dotted
)
def test_the_exchange_has_floors_too(module: Path) -> None:
    """Within the exchange imports go down only as well: the floors are its architecture."""

    def level(name: str) -> int:
        place = name.split(".")[2]
        return next(number for number, places in enumerate(EXCHANGE_FLOORS) if place in places)

    here = dotted(module)
    for name in imported(module):
        if name.startswith("bot.exchange.") and name.split(".")[2] != here.split(".")[2]:
            assert level(name) < level(here), name


@pytest.mark.parametrize("library", ONLY_IMPORTERS)
def test_each_library_has_its_door(library: str) -> None:
    """The world enters through one module on the bot's side, and through one of the exchange."""
    importers = {
        str(module.relative_to(BOT))
        for module in MODULES
        if any(name == library or name.startswith(f"{library}.") for name in imported(module))
    }
    assert importers <= ONLY_IMPORTERS[library]


def test_the_bot_knows_nothing_of_what_measures_and_tests_it() -> None:
    """It is installed without its benchmarks and its tests."""
    for module in MODULES:
        assert not {"benchmarks", "tests"} & {name.split(".")[0] for name in imported(module)}, module


def test_core_and_paradex_do_no_io() -> None:
    """Values, rules and the venue's language know neither tasks nor logs nor files."""
    forbidden = {"trio", "loguru", "httpx", "ssl", "socket", "os", "pathlib"}
    for module in MODULES:
        if room(dotted(module)) in {"core", "paradex"}:
            assert not forbidden & {name.split(".")[0] for name in imported(module)}, module
