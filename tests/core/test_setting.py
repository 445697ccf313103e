"""How a room declares a setting: what is allowed is refused or kept, and the words stay beside it."""

from typing import Any

import attrs
import pytest

from bot.core.setting import setting


@attrs.frozen
class Room:
    heat: float = setting(20, "how warm", at_least=5, at_most=30, unit="degrees")
    light: str = setting("on", "whether one sees", choices=["on", "off"])
    name: str = setting("", "anything")


@pytest.mark.parametrize("given", [{"heat": 5}, {"heat": 30}, {"light": "off"}, {"name": "\0"}, {}])
def test_allowed(given: dict[str, Any]) -> None:
    """Bounds belong to what is allowed."""
    assert attrs.asdict(Room(**given)) == {"heat": 20, "light": "on", "name": ""} | given


@pytest.mark.parametrize("given", [{"heat": 4.999}, {"heat": 30.001}, {"light": "dim"}])
def test_refused(given: dict[str, Any]) -> None:
    """With the name of the setting."""
    with pytest.raises(ValueError, match=next(iter(given))):
        Room(**given)


def test_what_explains_it_is_kept() -> None:
    """The file that explains every key, and each refusal, is written from this."""
    fields = attrs.fields(Room)
    assert fields.heat.metadata == {
        "help": "how warm",
        "at_least": 5,
        "at_most": 30,
        "choices": (),
        "unit": "degrees",
    }
    assert fields.light.metadata["choices"] == ("on", "off")
