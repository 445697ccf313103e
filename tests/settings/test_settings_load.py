import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.core.fixed import SCALE, Fixed
from bot.core.setting import setting
from bot.core.tape import HIDDEN
from bot.settings import FIELDS, SECTIONS, Loaded, Settings, load, require_live
from bot.settings.fault import Fault, Origin, SettingsError
from bot.settings.source import variable
from bot.settings.value import convert
from bot.settings.verbs import as_toml

KEY = "0x5bb9440e2767b2a1f2c4ffae1a0b2b3c4d5e6f708192a3b4c5d6e7f8091a2b3"

# One folder for all examples of a test: nothing in it outlives an example but the one file, written anew.
in_one_folder = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes ``settings.toml`` in the current folder, which is otherwise empty."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = Path("settings.toml")
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return write


def _faults(path: Path | None, environ: dict[str, str] | None = None) -> list[Fault]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ or {})
    return list(caught.value.faults)


def _faults_if_any(path: Path | None, environ: dict[str, str]) -> tuple[Fault, ...]:
    try:
        load(path, environ)
    except SettingsError as error:
        return error.faults
    return ()


def _lines(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    return [str(fault) for fault in _faults(path, environ)]


# Where values come from


@pytest.mark.usefixtures("write")
def test_without_a_file_everything_is_default_and_embedded() -> None:
    """No account and no network are needed to start."""
    loaded = load(None, {"PATH": "/bin"})
    assert loaded.settings == Settings()
    assert loaded.settings.environment == "embedded"
    assert loaded.origins == dict.fromkeys(FIELDS, Origin("default"))


def test_variable_over_file_over_default(write: Write) -> None:
    """And each value knows where it comes from."""
    write('environment = "testnet"\n[http]\nconnections = 8\nidle_timeout = 30\n')
    loaded = load(None, {"BOT__HTTP__CONNECTIONS": "9", "BOT__ENVIRONMENT": "prod"})
    assert loaded.settings.environment == "prod"
    assert loaded.settings.http.connections == 9
    assert loaded.settings.http.idle_timeout == 30.0
    assert loaded.settings.http.tcp_keepalive == 30.0
    assert {key: str(loaded.origins[key]) for key in loaded.origins if key.startswith(("env", "http"))} == {
        "environment": "BOT__ENVIRONMENT",
        "http.connections": "BOT__HTTP__CONNECTIONS",
        "http.idle_timeout": "settings.toml:4",
        "http.tcp_keepalive": "default",
        "http.connect_timeout": "default",
        "http.request_timeout": "default",
    }


def test_a_named_file_is_read_instead_of_the_default_one(write: Write) -> None:
    write("[http]\nconnections = 8\n").rename("other.toml")
    write("[http]\nconnections = 9\n")
    assert load(Path("other.toml"), {}).settings.http.connections == 8


@pytest.mark.usefixtures("write")
def test_a_named_file_that_is_missing_is_a_fault() -> None:
    assert _lines(Path("other.toml")) == ["other.toml: there is no such file"]


@pytest.mark.usefixtures("write")
def test_a_folder_is_no_settings_file() -> None:
    assert _lines(Path()) == [".: cannot be read: Is a directory"]


def test_a_huge_file_is_refused(write: Write) -> None:
    assert _lines(write("#" * 300_000)) == ["settings.toml: is too large for a settings file"]


def test_text_that_is_not_utf_8_is_refused_with_its_line(write: Write) -> None:
    path = write("")
    path.write_bytes(b"[http]\n# caf\xe9\n")
    assert _lines(path) == ["settings.toml:2: not valid TOML: not UTF-8"]


def test_a_byte_order_mark_is_no_fault(write: Write) -> None:
    assert load(write("\ufeff[http]\nconnections = 8\n"), {}).settings.http.connections == 8


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("http.connections", "8", 8),
        ("http.idle_timeout", "8", 8.0),
        ("http.idle_timeout", "8.5", 8.5),
        ("strategy.size", "0.5", SCALE // 2),
        ("strategy.size", '"0.5"', SCALE // 2),
        ("strategy.size", "2", 2 * SCALE),
        ("orders.markets", '["ETH-USD-PERP"]', ("ETH-USD-PERP",)),
        ("log.level", "DEBUG", "DEBUG"),
        ("log.level", '"DEBUG"', "DEBUG"),
        ("account.key_name", "12", "12"),
        ("account.key_name", "true", "true"),
        ("account.key_name", "", ""),
        ("account.key_name", "key = of mine", "key = of mine"),
        ("account.address", "0x12", "0x12"),
    ],
)
@pytest.mark.usefixtures("write")
def test_a_variable_is_toml_where_it_can_be_and_text_where_text_is_wanted(
    key: str, text: str, value: object
) -> None:
    section, name = key.split(".")
    settings = load(None, {variable(key): text}).settings
    assert getattr(getattr(settings, section), name) == value


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("BOT__HTTP__CONNECTION", "http.connections"),
        ("BOT__HTPP__CONNECTIONS", "http.connections"),
        ("BOT__CONNECTIONS", "http.connections"),
        ("BOT__HTTP", ""),
        ("BOT__", ""),
        ("BOT__http__connections", ""),
        ("BOT__HTTP.CONNECTIONS", ""),
    ],
)
@pytest.mark.usefixtures("write")
def test_an_unknown_variable_is_a_fault(name: str, hint: str) -> None:
    [fault] = _faults(None, {name: "4"})
    assert fault.origin == Origin(name)
    assert hint in fault.hint


@pytest.mark.usefixtures("write")
def test_every_key_has_a_variable_of_its_own() -> None:
    assert len({variable(key) for key in FIELDS}) == len(FIELDS)


# Faults


def test_every_fault_is_told_at_once(write: Write) -> None:
    """With file, line, key, value, what is allowed, and what was probably meant."""
    path = write(
        """\
environment = "Prod"
connections = 3
[htpp]
connections = 4
[http]
connections = 1
idle_timeout = true
conect_timeout = 5.0
request_timeout.x = 3

[orders]
markets = [
  "BTC-USD-PERP",
  "BTC",
]
recv_window = 1
[strategy]
size = "0.000000001"
distance = 0.51
[alarm]
command = "ls"
[wallet]
"""
    )
    error = str(SettingsError(_faults(path, {"BOT__LOG__LEVEL": "debug", "BOT__STREAM": "{}"})))
    assert (
        error
        == """\
settings.toml:1: environment = 'Prod': must be one of embedded, testnet, prod
    did you mean prod?
settings.toml:2: connections = 3: there is no such setting
    did you mean http.connections?
settings.toml:4: htpp.connections = 4: there is no such setting
    did you mean http.connections?
settings.toml:6: http.connections = 1: must be a whole number, at least 2 and at most 100
settings.toml:7: http.idle_timeout = true: must be a number, at least 1 and at most 3600, in seconds
settings.toml:8: http.conect_timeout = 5.0: there is no such setting
    did you mean http.connect_timeout?
settings.toml:9: http.request_timeout = a table: must be a number, at least 0.1 and at most 60, in seconds
settings.toml:12: orders.markets = ['BTC-USD-PERP', 'BTC']: 'BTC' is no perpetual market; \
they are named like BTC-USD-PERP
settings.toml:16: orders.recv_window = 1: must be a whole number, at least 2000 and at most 60000, in milliseconds
settings.toml:18: strategy.size = '0.000000001': must be a decimal number such as "0.01", \
of at most 8 decimals, at least 0.00000001
settings.toml:19: strategy.distance = 0.51: must be a decimal number such as "0.01", \
of at most 8 decimals, at least 0 and at most 0.5
settings.toml:21: alarm.command = 'ls': must be an array of strings such as ["one", "two"]
settings.toml:22: wallet = a table: there is no such setting
BOT__LOG__LEVEL: log.level = 'debug': must be one of TRACE, DEBUG, INFO, SUCCESS, WARNING, ERROR, CRITICAL
    did you mean DEBUG?"""
    )


def test_a_fault_in_the_file_does_not_hide_one_in_the_environment(write: Write) -> None:
    assert _lines(write("[http\n"), {"BOT__HTTP__CONNECTIONS": "1"}) == [
        "settings.toml:1: not valid TOML: Expected ']' at the end of a table declaration",
        "BOT__HTTP__CONNECTIONS: http.connections = 1: must be a whole number, at least 2 and at most 100",
    ]


def test_a_bad_value_is_a_fault_although_a_variable_overrides_it(write: Write) -> None:
    """The file is wrong all the same, and shows it only when the variable is gone."""
    assert len(_faults(write("[http]\nconnections = 1\n"), {"BOT__HTTP__CONNECTIONS": "4"})) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("http = 4", "settings.toml:1: http = 4: must be a table"),
        ("[[http]]\nconnections = 4", "settings.toml:1: http = an array: must be a table"),
        ("[environment]\nx = 1", "settings.toml:1: environment = a table: must be one of"),
        ('"http.connections" = 4', 'settings.toml:1: "http.connections" = 4: there is no such setting'),
        ("[htp]", "settings.toml:1: htp = a table: there is no such setting\n    did you mean http?"),
        (
            "[[order]]",
            "settings.toml:1: order = an array: there is no such setting\n    did you mean orders?",
        ),
        ('"\\u001b[2J" = 1', r'settings.toml:1: "\u001b[2J" = 1: there is no such setting'),
    ],
)
def test_what_has_the_wrong_shape_is_refused(write: Write, text: str, line: str) -> None:
    """A value for a table, a table for a value, a key above the tables that looks like one inside."""
    [found] = _lines(write(text))
    assert found.startswith(line)


@pytest.mark.parametrize("text", ["[http]", "[http]\n[log]", "log = {}", "http.connections = 4", "# nothing"])
def test_an_empty_table_is_no_fault(write: Write, text: str) -> None:
    assert load(write(text), {}).settings == Settings()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("http.connections", "true"),
        ("exchange.seed", "true"),
        ("http.connections", "4.0"),
        ("http.connections", '"4"'),
        ("http.connections", "[4]"),
        ("http.connections", "101"),
        ("http.connections", "-1"),
        ("http.connections", "2024-01-01"),
        ("http.idle_timeout", "nan"),
        ("http.idle_timeout", "inf"),
        ("http.idle_timeout", "-inf"),
        ("http.idle_timeout", "1e400"),
        ("http.idle_timeout", "1e99999999999999999999"),
        ("http.idle_timeout", "9" * 40),
        ("http.idle_timeout", "true"),
        ("http.idle_timeout", '"5"'),
        ("http.idle_timeout", "0.999"),
        ("strategy.size", "true"),
        ("strategy.size", "nan"),
        ("strategy.size", "1e30"),
        ("strategy.size", "1e-99999999999999"),
        ("strategy.size", "1e99999999999999"),
        ("strategy.size", "9" * 45),
        ("strategy.size", '"1e-3"'),
        ("strategy.size", '"0"'),
        ("strategy.size", "[1]"),
        ("strategy.distance", '"-0.1"'),
        ("log.level", "1"),
        ("log.level", '["INFO"]'),
        ("log.level", '"I\\u0000NFO"'),
        ("account.key_file", '"a\\u0000b"'),
        ("account.key_file", '"a\\nb"'),
        ("orders.markets", '"BTC-USD-PERP"'),
        ("orders.markets", "[1]"),
        ("orders.markets", '[["BTC-USD-PERP"]]'),
        ("orders.markets", "[]"),
        ("orders.markets", '["BTC-USD-PERP", "BTC-USD-PERP"]'),
        ("orders.markets", '["btc-usd-perp"]'),
        ("orders.markets", '["BTC-USD-PERP\\n"]'),
        ("account.address", '"0x"'),
        ("account.address", '"0x0"'),
        ("account.address", '"12"'),
        ("account.address", '"0xzz"'),
        ("account.address", f'"0x8{"0" * 62}"'),
        ("account.address", "0x12"),
        ("account.ethereum_address", '"0x12"'),
        ("account.ethereum_address", f'"{"1" * 40}"'),
        ("account.key_name", '"../key"'),
        ("account.key_name", '".."'),
        ("venue.ca_file", '"no such file"'),
        ("venue.ca_file", '"."'),
        ("alarm.command", '["no-program-of-this-name"]'),
        ("alarm.command", '[""]'),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(write: Write, key: str, value: str) -> None:
    """Type, range and rule; bool is no number, and no number is so large that it breaks the check."""
    [fault] = _faults(write(f"\n{key} = {value}"))
    assert (fault.key, fault.origin) == (key, Origin("settings.toml", 2))
    assert fault.value
    assert len(fault.value) < 100


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("http.idle_timeout", "5", 5.0),
        ("strategy.size", '"0.00000001"', 1),
        ("strategy.size", "0.1", SCALE // 10),
        ("strategy.size", "1e-3", SCALE // 1000),
        ("strategy.size", "1.50", 3 * SCALE // 2),
        ("strategy.size", "3", 3 * SCALE),
        ("strategy.distance", '"0.5"', SCALE // 2),
        ("orders.markets", '["BTC-USD-PERP", "kPEPE-USD-PERP"]', ("BTC-USD-PERP", "kPEPE-USD-PERP")),
        ("account.address", f'"0x7{"f" * 62}"', f"0x7{'f' * 62}"),
        ("account.key_file", '"~/Schlüssel"', "~/Schlüssel"),
        ("alarm.command", '["sh", "-c", "true"]', ("sh", "-c", "true")),
        ("venue.ca_file", '"settings.toml"', "settings.toml"),
    ],
)
def test_a_value_that_is_allowed_is_taken_exactly(write: Write, key: str, text: str, value: object) -> None:
    """Decimals are never floats on their way."""
    section, name = key.split(".")
    settings = load(write(f"{key} = {text}"), {}).settings
    assert getattr(getattr(settings, section), name) == value


@attrs.frozen
class _Unbounded:
    part: float = setting(0.5, "any number")


@pytest.mark.parametrize("raw", ["nan", "inf", "-inf", "1e400"])
def test_no_number_is_infinite_where_none_is_too_large(raw: str) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        convert(attrs.fields(_Unbounded).part, Decimal(raw))


def test_a_file_of_authorities_that_may_not_be_read_is_a_fault(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, who reads everything: so the refusal is made up."""
    path = write('venue.ca_file = "ca.pem"')

    def refuse(self: Path, *_: object, **__: object) -> object:
        if self.name == "ca.pem":
            raise PermissionError(13, "Permission denied")
        return opened(self, "rb")

    opened = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    assert _lines(path) == ["settings.toml:1: venue.ca_file = 'ca.pem': cannot be read: Permission denied"]


# The venue's addresses


@pytest.mark.parametrize(
    ("rest", "stream"),
    [
        ("https://api.example.org/v1", "wss://ws.example.org/v1"),
        ("https://api.example.org:8443/some/v1", "wss://ws.example.org:1/v1"),
        ("http://127.0.0.1:8080/v1", "ws://localhost:8081/v1"),
        ("http://[::1]:8080/v1", "ws://127.1.2.3/v1"),
        ("", ""),
    ],
)
def test_venue_addresses(write: Write, rest: str, stream: str) -> None:
    venue = load(write(f'[venue]\nrest_url = "{rest}"\nws_url = "{stream}"'), {}).settings.venue
    assert (venue.rest_url, venue.ws_url) == (rest, stream)


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("http://api.example.org/v1", "must begin with https://"),
        ("http://0.0.0.0/v1", "must begin with https://"),
        ("http://localhost.example.org/v1", "must begin with https://"),
        ("wss://api.example.org/v1", "must begin with https://"),
        ("https:///v1", "must begin with https:// and a host"),
        ("api.example.org/v1", "must begin with https:// and a host"),
        ("https://api.example.org", "must end in /v1"),
        ("https://api.example.org/v1/", "must end in /v1"),
        ("https://api.example.org/v1?x=/v1", "query"),
        ("https://api.example.org/#/v1", "fragment"),
        ("https://user:sesame@api.example.org/v1", "without user, password"),
        ("https://@api.example.org/v1", "without user, password"),
        ("https://api.example.org:99999/v1", "is no address"),
        ("https://api.example.org:x/v1", "is no address"),
        ("https://[::1/v1", "is no address"),
    ],
)
def test_a_bad_venue_address_is_refused(write: Write, rest: str, problem: str) -> None:
    """With one fault, although the other address is then alone; without showing a password."""
    [fault] = _faults(write(f'[venue]\nrest_url = "{rest}"\nws_url = "wss://ws.example.org/v1"'))
    assert fault.key == "venue.rest_url"
    assert problem in fault.problem
    assert "sesame" not in str(fault)


@pytest.mark.parametrize(
    ("given_key", "missing", "url"),
    [
        ("venue.rest_url", "venue.ws_url", "https://a.example.org/v1"),
        ("venue.ws_url", "venue.rest_url", "wss://a.example.org/v1"),
    ],
)
def test_one_venue_address_needs_the_other(write: Write, given_key: str, missing: str, url: str) -> None:
    assert _lines(write(f'\n{given_key} = "{url}"')) == [
        f"settings.toml:2: {given_key} = '{url}': needs {missing} too"
    ]


# Secrets


@pytest.mark.parametrize(
    "text",
    [
        f'account.private_key = "{KEY}"',
        f'account.key_file = "{KEY}"',
        f'account.key_env = "{KEY}"',
        f'account.key_name = "{KEY[2:]}"',
        f'key = "{KEY}"',
        f"account.key_file = {KEY}",
        f"http.connections = {int(KEY, 16)}",
        f"http.connections = {KEY}",
        f"http.idle_timeout = {int(KEY, 16)}.5",
        f'strategy.size = "{int(KEY, 16)}"',
        f'environment = "{KEY}"',
        f'orders.markets = ["BTC-USD-PERP", "{KEY}"]',
        f'[[wallet]]\nx = "{KEY}"',
        f'[wallet.deep]\nx = ["{KEY}"]',
        f'"{KEY}" = 1',
        f"{KEY} = 1",
        f'[account."{KEY}"]',
        f"{KEY} = 1\n{KEY} = 2",
        f"[{KEY}]\n[{KEY}]",
        f"[{KEY}]\nx = 1\n[{KEY}.x]",
        f'account.address = "{KEY}00"',
        f"account.address = {KEY}",
        f'account.address = ["{KEY}"]',
        f'venue.rest_url = "https://{KEY}@example.org/v1"',
        f'venue.ca_file = "{KEY}"',
        f'alarm.command = ["{KEY}"]',
    ],
)
def test_a_private_key_in_the_file_is_refused_and_never_shown(write: Write, text: str) -> None:
    """Whatever the key it is given for, in the messages and in the fields of the faults."""
    faults = _faults(write(text))
    for fault in faults:
        for shown in (str(fault), repr(fault), repr(attrs.asdict(fault))):
            for form in (KEY[2:], KEY[2:40], str(int(KEY, 16)), str(int(KEY, 16))[:40]):
                assert form not in shown


@pytest.mark.parametrize(
    "key", ["account.private_key", "account.key", "api_secret", "wallet.token", "log.jwt", "venue.password"]
)
def test_a_key_named_like_a_secret_is_refused_with_where_it_belongs(write: Write, key: str) -> None:
    """However short its value is, in a file and in a variable."""
    for path, environ in ((write(f'{key} = "sesame"'), {}), (None, {variable(key): "sesame"})):
        if path is None:
            write("")
        [fault] = _faults(path, environ)
        assert (fault.key, fault.value) == (key, HIDDEN)
        assert "account.key_file" in fault.hint
        assert "sesame" not in repr(fault)


def test_a_private_key_for_a_known_key_is_told_where_it_belongs(write: Write) -> None:
    [fault] = _faults(write(f'\naccount.key_file = "{KEY}"'))
    assert fault.problem == "looks like a private key"
    assert "a file of mode 0600" in fault.hint


@pytest.mark.usefixtures("write")
def test_a_private_key_in_a_variable_is_refused_and_never_shown() -> None:
    [fault] = _faults(None, {"BOT__ACCOUNT__KEY_FILE": KEY})
    assert KEY[2:] not in repr(fault)


def test_tokens_in_values_are_hidden(write: Write) -> None:
    jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIweDEyMyJ9.c2lnbmF0dXJl"
    [fault] = _faults(write(f'environment = "{jwt}"'))
    assert jwt[:20] not in repr(fault)


def test_a_long_value_is_cut(write: Write) -> None:
    [fault] = _faults(write(f'environment = "{"no " * 1000}"'))
    assert len(fault.value) < 100


# Live


def test_only_prod_needs_live() -> None:
    """Real money is traded when file and command line both say so."""
    for environment in ("embedded", "testnet"):
        require_live(Settings(environment), live=False)
    require_live(Settings("prod"), live=True)
    with pytest.raises(SettingsError, match=r"command line: environment = prod: .*--live"):
        require_live(Settings("prod"), live=False)


# Anything at all


def _values(key: str) -> st.SearchStrategy[Any]:
    """What may stand for a key, the rules of `bot.settings.rules` included."""
    field = FIELDS[key]
    if key in _SPECIAL:
        return _SPECIAL[key]
    if field.metadata["choices"]:
        return st.sampled_from(field.metadata["choices"])
    least, most = field.metadata["at_least"], field.metadata["at_most"]
    of_type: dict[object, Callable[[], st.SearchStrategy[Any]]] = {
        bool: st.booleans,
        float: lambda: st.floats(least, most),
    }
    if field.type in of_type:
        return of_type[field.type]()
    if field.type is str:
        return st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"), max_size=40)
    return st.integers(least, 10**27 if most is None else most).map(Fixed)


_MARKETS = st.from_regex(r"[A-Z0-9]{1,9}-[A-Z]{1,9}-PERP", fullmatch=True)
_SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "account.address": st.just("") | st.integers(1, 2**251 - 1).map(hex),
    "account.ethereum_address": st.just("")
    | st.integers(0, 2**160 - 1).map(lambda number: f"0x{number:040x}"),
    "account.key_name": st.sampled_from(["", "key", 'k"e\\y', "é #"]),
    "orders.markets": st.lists(_MARKETS, min_size=1, max_size=4, unique=True).map(tuple),
    "exchange.seed": st.integers(0, 10**49),
    "venue.rest_url": st.just("https://a.example.org/v1"),
    "venue.ws_url": st.just("wss://a.example.org/v1"),
    "venue.ca_file": st.sampled_from(["", "settings.toml"]),
    "alarm.command": st.lists(st.just("sh"), max_size=2).map(tuple),
}


@st.composite
def _settings(draw: st.DrawFn) -> Settings:
    sections: dict[str, Any] = {
        name: cls(**{field.name: draw(_values(f"{name}.{field.name}")) for field in attrs.fields(cls)})
        for name, cls in SECTIONS.items()
    }
    return Settings(draw(_values("environment")), **sections)


@given(settings=_settings(), origin=st.booleans())
@hypothesis_settings(in_one_folder, max_examples=40)
def test_settings_written_as_toml_load_to_the_same(write: Write, settings: Settings, *, origin: bool) -> None:
    """What ``bot config show`` prints is a file with the same meaning, with comments and without."""
    text = as_toml(Loaded(settings, dict.fromkeys(FIELDS, Origin("any\nwhere", 7))), origin=origin)
    loaded = load(write(text), {})
    assert loaded.settings == settings
    for key, where in loaded.origins.items():
        assert where.line is not None
        assert text.split("\n")[where.line - 1].startswith(key.rpartition(".")[2] + " = ")


@given(st.text() | st.text(alphabet=st.sampled_from("htp.connections=[]{}\"'#\\\n 1e-_0")))
@in_one_folder
def test_any_file_loads_or_is_refused(write: Write, text: str) -> None:
    """With nothing but a SettingsError, whose every line can be printed."""
    for fault in _faults_if_any(write(text), {}):
        assert str(fault).replace("\n", "").isprintable()


@given(st.binary())
@in_one_folder
def test_any_bytes_load_or_are_refused(write: Write, content: bytes) -> None:
    """As above."""
    path = write("")
    path.write_bytes(content)
    for fault in _faults_if_any(path, {}):
        assert str(fault).replace("\n", "").isprintable()


_SCALARS = st.sampled_from(
    ["1", "-1", "1e999", "nan", '"x"', "true", "2024-01-01", "12:00:00", "0x" + "f" * 5000]
)
_ANY_TOML = st.recursive(
    _SCALARS,
    lambda inside: (
        st.lists(inside, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | inside.map(lambda value: f"{{ connections = {value}, x.y = {value} }}")
    ),
    max_leaves=6,
)


@given(st.sampled_from([*FIELDS, *SECTIONS, "x", "http.x", "http.connections.x"]), _ANY_TOML)
@in_one_folder
def test_any_value_for_any_key_loads_or_is_refused(write: Write, key: str, value: str) -> None:
    """In the file, where every fault has its line, and in the variable."""
    for fault in _faults_if_any(write(f"\n{key} = {value}\n"), {}):
        assert fault.origin == Origin("settings.toml", 2)
    for fault in _faults_if_any(write(""), {variable(key): value}):
        assert fault.origin == Origin(variable(key))


@given(st.dictionaries(st.sampled_from([variable(key) for key in FIELDS]) | st.text(), st.text()))
@pytest.mark.usefixtures("write")
@in_one_folder
def test_any_environment_loads_or_is_refused(environ: dict[str, str]) -> None:
    """A fault names the variable that it stands in."""
    for fault in _faults_if_any(None, environ):
        assert fault.origin.name.startswith("BOT__")


@pytest.mark.usefixtures("write")
def test_names_that_are_no_text_can_still_be_printed() -> None:
    """Names and values of the environment are bytes; those that are no UTF-8 arrive as lone surrogates."""
    name = os.fsdecode(b"BOT__\xff")
    [line] = _lines(None, {name: os.fsdecode(b"\xff")})
    assert line.isprintable()
    [line] = _lines(Path(os.fsdecode(b"\xff.toml")))
    assert line.isprintable()
    [line] = _lines(None, {"BOT__ACCOUNT__KEY_NAME": os.fsdecode(b"\xff")})
    assert line.isprintable()
