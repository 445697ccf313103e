"""Results as tables for people, and as JSON for programs."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec

from benchmarks.figures import Comparison, Ratio, Result, Table
from benchmarks.machine import Machine


def as_json(machine: Machine, results: Mapping[str, Result]) -> bytes:
    """One object with everything."""
    told: dict[str, Any] = {"machine": attrs.asdict(machine)}
    told["benchmarks"] = {name: attrs.asdict(result) for name, result in results.items()}
    return msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n"


def as_text(result: Result) -> str:
    """A table for each comparison, and what else there is to say."""
    parts = [*map(_comparison, result.comparisons), *map(_table, result.tables)]
    parts += [f"{side} is skipped: {why}" for side, why in result.skipped.items()]
    parts += [f"WRONG: {what}" for what in result.wrong]
    return "\n\n".join(parts)


def machine_as_text(machine: Machine) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    load = ", ".join(f"{each:.2f}" for each in machine.load)
    return "\n".join(
        (
            f"{machine.cpu}, {machine.cores} cores, load {load}",
            f"{machine.system}; {machine.python}; {machine.openssl}",
            libraries,
        )
    )


def _comparison(comparison: Comparison) -> str:
    is_compared = any(row.ratio for row in comparison.rows)
    rows = [["", "n", "median", "p10 to p90", *(["ratio", "95 %"] * is_compared)]]
    rows += [
        [
            row.name,
            str(row.count),
            f"{_number(row.median)} {comparison.unit}",
            f"{_number(row.p10)} to {_number(row.p90)}",
            *(_ratio(row.ratio) if is_compared else ()),
        ]
        for row in comparison.rows
    ]
    return "\n".join((comparison.title, *_aligned(rows)))


def _table(table: Table) -> str:
    columns = list(dict.fromkeys(column for row in table.rows.values() for column in row))
    rows = [["", *columns]]
    rows += [
        [name, *(_number(row[column]) if column in row else "" for column in columns)]
        for name, row in table.rows.items()
    ]
    return "\n".join((table.title, *_aligned(rows)))


def _ratio(ratio: Ratio | None) -> tuple[str, str]:
    if ratio is None:
        return "", ""
    return f"{_number(ratio.value)} x", f"{_number(ratio.low)} to {_number(ratio.high)}"


def _number(value: float) -> str:
    """Three digits that count, and no more than that but for whole numbers."""
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.{max(0, 3 - len(str(int(abs(value))))) if abs(value) >= 1 else 3}f}"


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    """The first column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells)).rstrip()
