"""Authority cannot be built from nothing."""

import pytest

from bot.core.capability import Capability


class Key(metaclass=Capability):
    def __init__(self, door: str, *, turns: int) -> None:
        self.door = door
        self.turns = turns


class MasterKey(Key):
    """A subclass carries authority too."""


@pytest.mark.parametrize("kind", [Key, MasterKey])
def test_cannot_be_constructed(kind: type[Key]) -> None:
    """Not even with the right arguments."""
    with pytest.raises(TypeError, match=f"a {kind.__name__} cannot be constructed: it has to be handed over"):
        kind("front", turns=2)


@pytest.mark.parametrize("kind", [Key, MasterKey])
def test_the_defining_module_mints(kind: type[Key]) -> None:
    """Arguments reach the initializer, and the class stays what it is."""
    key = kind._mint("front", turns=2)
    assert type(key) is kind
    assert (key.door, key.turns) == ("front", 2)
