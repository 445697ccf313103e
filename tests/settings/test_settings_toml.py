import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.settings.toml import Names, TomlError, dotted, parse, parse_value, written

# Each name's value is its own line number, so that the text says what must be found.
STORY = '''\
# a comment with " and [ and """
top = 2
"quoted name" = 3
'literal "name' = 4

dotted.inner.deep = 6
a_string = "# no comment [ { \\" still" # line 7
many = [ # 8
  "]", # bracket in a string
  [ "nested # no comment", """
] = 5
""" ],
]
text = """ # 14
[no.header]
no = "key"
\\""" ""\\
""""
raw = \'\'\' # 19
[no.header]
\\\'\'\'\'
inline = { one = 22, "two # three" = [ # 22
], four.five = 22 } # its own line is 23, its statement's 22
[ table . "sub.table" ] # 24
key = 25
\tspaced   =   26
[[array]] # 27
item = 28
[[array]]
item = 28
second = 31
[table.other] # 32
last = 33\
'''


def test_every_name_is_found_on_the_line_of_its_statement() -> None:
    """Strings, comments, arrays and inline tables over many lines do not confuse the count."""
    document = parse(STORY)
    expected: dict[Names, int] = {
        ("top",): 2,
        ("quoted name",): 3,
        ('literal "name',): 4,
        ("dotted", "inner", "deep"): 6,
        ("dotted",): 6,
        ("a_string",): 7,
        ("many",): 8,
        ("text",): 14,
        ("raw",): 19,
        ("inline",): 22,
        ("inline", "two # three"): 22,
        ("inline", "four", "five"): 22,
        ("table",): 24,
        ("table", "sub.table"): 24,
        ("table", "sub.table", "key"): 25,
        ("table", "sub.table", "spaced"): 26,
        ("array",): 27,
        ("array", "item"): 28,
        ("array", "second"): 31,
        ("table", "other"): 32,
        ("table", "other", "last"): 33,
    }
    assert {names: document.line(names) for names in expected} == expected


def test_windows_line_ends_count_once() -> None:
    assert parse("a = 1\r\n\r\n[b]\r\nc = 4\r\n").line(("b", "c")) == 4


def test_an_unknown_name_has_the_line_of_the_table_around_it() -> None:
    document = parse("\n\n[a]\nb = [1]\n")
    assert document.line(("a", "x", "y")) == 3
    assert document.line(("a", "b", "0")) == 4
    assert document.line(("x",)) == 1


_NAMES = st.text(min_size=1, max_size=5) | st.sampled_from(["a", "b", "c-d", "[", '"""', "#", "é"])
_VALUES = st.recursive(
    st.integers(-9, 9) | st.booleans() | st.text(max_size=9) | st.sampled_from(['"""', "'''", "# [", "]"]),
    lambda inside: st.lists(inside, max_size=3),
    max_leaves=5,
)


@st.composite
def _documents(draw: st.DrawFn) -> tuple[str, dict[Names, int]]:
    """TOML text of many shapes, and the line on which each name was written."""
    text = ""
    lines: dict[Names, int] = {}
    for table, values in draw(
        st.dictionaries(_NAMES, st.dictionaries(_NAMES, _VALUES, max_size=4), max_size=4)
    ).items():
        text += draw(st.sampled_from(["", "\n", "# ' \" [ comment\n", " \t\r\n"]))
        lines[table,] = text.count("\n") + 1
        text += f"[{_name(draw, table)}]{draw(st.sampled_from(['', ' # [x]']))}\n"
        for name, value in values.items():
            lines[table, name] = text.count("\n") + 1
            text += f"{_name(draw, name)} = {_value(draw, value)}{draw(st.sampled_from(['', ' # = [']))}\n"
    return text, lines


def _name(draw: st.DrawFn, name: str) -> str:
    if "'" not in name and all(letter.isprintable() for letter in name) and draw(st.booleans()):
        return f"'{name}'"
    return _basic(name)


def _basic(text: str) -> str:
    return '"' + "".join(letter if letter.isalnum() else f"\\U{ord(letter):08x}" for letter in text) + '"'


def _value(draw: st.DrawFn, value: object) -> str:
    if isinstance(value, list):
        separator = draw(st.sampled_from([",", ",\n", ", # ]\n"]))
        return "[" + "".join(_value(draw, item) + separator for item in value) + "]"
    if not isinstance(value, str):
        return str(value).lower()
    if draw(st.booleans()):
        return '""' + _basic(value).replace("\\U0000000a", "\n") + '""'
    return _basic(value)


@given(_documents())
@settings(max_examples=50)
def test_lines_are_right_for_documents_of_any_shape(story: tuple[str, dict[Names, int]]) -> None:
    """What was written on a line is found on it."""
    text, expected = story
    document = parse(text)
    assert {names: document.line(names) for names in expected} == expected


@given(st.text(alphabet=st.sampled_from("ab=.,[]{}\"'#\\\n 1e-_x0tfinu")))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """What tomllib takes is taken, what it refuses is refused, with a line of the text."""
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(TomlError) as caught:
            parse(text)
        assert caught.value.line is None or 1 <= caught.value.line <= text.count("\n") + 1
    else:
        document = parse(text)
        assert document.tables.keys() == expected.keys()
        for names in _all_names(expected):
            assert names in document.lines


def _all_names(tables: dict[str, object]) -> Iterator[Names]:
    for name, value in tables.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, *below) for below in _all_names(value))


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a = 1\nb = \n", "Invalid value", 2),
        ("a = 1\na = 2\n", "Cannot overwrite a value", 2),
        ("a = [1,\n2,\n", "Invalid value", 2),
        ('a = "x', "Unterminated string", 1),
        ("a = " + "[" * 5000, "nested too deeply", None),
        ("a = " + "[" * 20 + "]" * 20, "nested too deeply", None),
        (".".join("a" * 999) + " = 1", "nested too deeply", None),
        ("a = " + "9" * 5000, "a number has too many digits", None),
    ],
)
def test_what_is_no_toml_is_refused_with_its_line(text: str, problem: str, line: int | None) -> None:
    with pytest.raises(TomlError, match=problem) as caught:
        parse(text)
    assert caught.value.line == line


def test_floats_are_exact() -> None:
    """An exponent beyond every number leaves no number, not an exception."""
    assert str(parse_value("0.1000")) == "0.1000"
    assert str(parse_value("1e99999999999999999999")) == "NaN"


@pytest.mark.parametrize("text", ["", "abc", "1\nother = 2", "1\n[table]", "[1"])
def test_what_is_not_one_value_is_no_value(text: str) -> None:
    with pytest.raises(TomlError):
        parse_value(text)


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]))))
def test_written_values_read_the_same(value: list[str]) -> None:
    assert parse_value(written(value)) == value


def test_odd_names_are_quoted() -> None:
    """So that no key above the tables can pass for one inside."""
    assert dotted(("http", "connections")) == "http.connections"
    assert dotted(("http.connections",)) == '"http.connections"'
    assert dotted(("", "\n")) == '"".' + r'"\n"'
