"""Elements of HTML and SVG. What comes from data is escaped, for only what `element` made is taken as markup."""

from collections.abc import Callable, Iterable
from html import escape

import attrs


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, *inside: str, **attributes: str | float | None) -> Markup:
    """``class_`` stands for ``class``, other underscores for hyphens; an attribute that is None is left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value if isinstance(value, str) else plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{told}>{joined(inside)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Markup as it is, and text escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def plain(number: float) -> str:
    """A coordinate, as short as a tenth of a pixel takes."""
    return f"{number:.1f}".removesuffix(".0")


@attrs.frozen
class Layout:
    """A size that a plot is drawn for, in CSS pixels: text is not to shrink on a phone."""

    name: str
    width: float

    @property
    def is_narrow(self) -> bool:
        return self.width < 600


WIDE, NARROW = Layout("wide", 920), Layout("narrow", 360)


def plot(layout: Layout, height: float, name: str, *inside: str) -> Markup:
    """A picture with a name for those who do not see it."""
    return element(
        "svg",
        element("title", name),
        *inside,
        role="img",
        viewBox=f"0 0 {plain(layout.width)} {plain(height)}",
        class_=layout.name,
    )


def in_both(draw: Callable[[Layout], Markup]) -> Markup:
    """For wide screens and narrow ones; the style shows one of them."""
    return joined(draw(layout) for layout in (WIDE, NARROW))


def text(x: float, y: float, words: str, anchor: str = "start", class_: str | None = None) -> Markup:
    return element("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)
