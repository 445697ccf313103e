"""Authority is an object that somebody handed over: it cannot be built from nothing."""

from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class Capability(type):
    """Metaclass of objects that carry authority: calling the class fails, and only its ``open_*`` mints one.

    After trio's ``NoPublicConstructor``. A leading underscore keeps `mint` to the module that defines the class.
    """

    def __call__(cls, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError(f"a {cls.__name__} cannot be constructed: it has to be handed over")

    def _mint(cls: type[T], *args: Any, **kwargs: Any) -> T:
        return type.__call__(cls, *args, **kwargs)  # type: ignore[no-any-return]
