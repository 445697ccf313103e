import json
import re
import tomllib
from pathlib import Path

import pytest

from bot.settings import FIELDS, Settings, load
from bot.settings import verbs as config

EXAMPLE = Path(__file__).parents[2] / "settings.example.toml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_file_is_what_the_classes_say() -> None:
    """Whoever changes a setting writes the file anew: ``bot config init settings.example.toml --force``."""
    assert EXAMPLE.read_text(encoding="utf-8") == config.example()


def test_the_example_explains_every_key_and_loads_to_the_defaults(folder: Path) -> None:
    """As it stands, and with every default made active."""
    text = config.example()
    active = re.sub(r"(?m)^#(?! )", "", text)
    for name, content in (("as_it_is.toml", text), ("active.toml", active)):
        (folder / name).write_text(content, encoding="utf-8")
        assert load(folder / name, {}).settings == Settings()
    tables = tomllib.loads(active)
    keys = {"environment"} | {
        f"{name}.{key}" for name in tables if name != "environment" for key in tables[name]
    }
    assert keys == set(FIELDS)
    for key, field in FIELDS.items():
        assert field.metadata["help"] in text, key


def test_init_writes_the_example_and_never_overwrites_unasked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "settings.toml"
    assert config.init(path) == 0
    assert path.read_text(encoding="utf-8") == config.example()
    assert capsys.readouterr().out == f"wrote {path}\n"
    path.write_text("precious")
    assert config.init(path) == 2
    assert path.read_text() == "precious"
    assert "--force" in capsys.readouterr().err
    assert config.init(path, force=True) == 0
    assert path.read_text(encoding="utf-8") == config.example()


def test_init_says_why_a_file_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert config.init(folder / "no folder" / "settings.toml") == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_check_of_good_settings_prints_ok(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file too, and with the file of the current folder."""
    assert config.check(None, {}) == 0
    (folder / "settings.toml").write_text("[http]\nconnections = 8\n")
    assert config.check(None, {}) == 0
    assert config.check(folder / "settings.toml", {}, json=True) == 0
    assert capsys.readouterr().out == "ok\nok\n[]\n"


def test_check_prints_every_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, and one more where something was probably meant."""
    (folder / "settings.toml").write_text("[http]\nconnections = 1\n[lgo]\nlevel = 'INFO'\n")
    assert config.check(None, {"BOT__LOG__COLOUR": "no"}) == 2
    assert capsys.readouterr().out == (
        "settings.toml:2: http.connections = 1: must be a whole number, at least 2 and at most 100\n"
        "settings.toml:4: lgo.level = 'INFO': there is no such setting\n"
        "    did you mean log.level?\n"
        "BOT__LOG__COLOUR: log.colour = 'no': must be one of auto, always, never\n"
    )


def test_check_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "settings.toml").write_text("[http]\nconnections = 1\n")
    assert config.check(None, {}, json=True) == 2
    assert json.loads(capsys.readouterr().out) == [
        {
            "origin": {"name": "settings.toml", "line": 2},
            "key": "http.connections",
            "value": "1",
            "problem": "must be a whole number, at least 2 and at most 100",
            "hint": "",
        }
    ]


def test_show_prints_what_holds_and_where_it_comes_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Valid TOML, the origins as comments."""
    (folder / "settings.toml").write_text("environment = 'testnet'\n\n[http]\nconnections = 8\n")
    assert config.show(None, {"BOT__STRATEGY__SIZE": "0.5"}, origin=True) == 0
    text = capsys.readouterr().out
    for line in (
        'environment = "testnet"  # from settings.toml:1',
        "connections = 8  # from settings.toml:4",
        "idle_timeout = 60.0  # from default",
        'size = "0.5"  # from BOT__STRATEGY__SIZE',
    ):
        assert line in text.splitlines()
    assert config.show(None, {"BOT__STRATEGY__SIZE": "0.5"}) == 0
    plain = capsys.readouterr().out
    assert "#" not in plain
    assert tomllib.loads(plain) == tomllib.loads(text)


def test_show_as_json_has_settings_and_origins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "settings.toml").write_text("[http]\nconnections = 8\n")
    assert config.show(None, {}, json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["settings"]["http"]["connections"] == 8
    assert shown["settings"]["strategy"]["size"] == "0.01"
    assert shown["origins"]["http.connections"] == "settings.toml:2"
    assert shown["origins"]["strategy.size"] == "default"


def test_show_of_bad_settings_prints_the_faults_apart_from_the_data(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "settings.toml").write_text("[http]\nconnections = 1\n")
    assert config.show(None, {}) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "http.connections = 1" in printed.err
