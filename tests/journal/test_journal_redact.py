"""What a record has lost when it is written, and that nothing else about it has changed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.tape import HIDDEN, Kind
from bot.journal.record import payload
from bot.journal.redact import KEY_NAME, Cleaner, UnusableKeyError, hashing_key
from bot.link.secrets import Redactor, Secret
from bot.paradex.address import from_hex

PRIVATE_KEY = 0x5BB9440E2767B2A1F2C4FFAE1A0B2B3C4D5E6F708192A3B4C5D6E7F8091A2B3
ACCOUNT = 0x13268751D4142CD29062468634BE202FD0EBE4F1DA87296C1C81032DB3A09E7
PUBLIC_KEY = 0x699E647CD14408DDB51BE16AF65193CC41D1850A6E8697607DC7052D1F46FDC
ETHEREUM = 0xD8DA6BF26964AF9D7EED9E03E53415D37AA96045
R = 3173428741972304172930471293847120934871209348712093487120934871209348712093
S = 871209348712093487120934871209348712093487120934871209348712093487120934871
TOKEN = "opaque/0a1B2c3D.4e5F6g7H~8i9J0k=="
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIweDEyMyJ9.c2lnbmF0dXJlLW9mLXRoZS12ZW51ZQ"


def redactor() -> Redactor:
    known = Redactor()
    known.register(Secret(hex(PRIVATE_KEY)))
    known.register_token(Secret(TOKEN))
    known.register_account(hex(ACCOUNT), f"0x{PUBLIC_KEY:064X}", f"0x{ETHEREUM:040x}", "")
    return known


HASHING = Cleaner(b"k" * 32, redactor())
KEEPING = Cleaner(b"k" * 32, redactor(), keeps_account=True)


def written(data: Any, cleaner: Cleaner = HASHING, kind: Kind = Kind.FRAME_IN) -> Any:
    """The data of a record, as somebody reads it again."""
    *place, read = msgspec.json.decode(cleaner.clean(payload(7, 8, 9, kind, data)))
    assert place == [7, 8, 9, kind]
    return read


def nested(value: object, depth: int) -> Any:
    """``value`` in a text of JSON in a text of JSON …"""
    for _ in range(depth):
        value = json.dumps({"text": value})
    return value


def unnested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = json.loads(value)["text"]
    return value


# Numbers.


@pytest.mark.parametrize("number", [ACCOUNT, PUBLIC_KEY, ETHEREUM, R], ids=range(4))
def test_a_number_becomes_a_hash_in_the_same_writing(number: int) -> None:
    """Padded or not, in capitals or not, decimal; as text or as a number. Whatever is hexadecimal gets one hash."""
    hashed = int(written(hex(number)), 16)
    assert hashed != number
    assert len(hex(hashed)) == len(hex(number))
    width = len(hex(number)) + 3
    assert written(f"0x{number:0{width}x}") == f"0x{hashed:0{width}x}"
    assert written(f"0x{number:0{width}X}") == f"0x{hashed:0{width}X}"
    assert written(f"0X{number:X}") == f"0X{hashed:X}"
    assert written(f"address_{number:#x}.") == f"address_{hashed:#x}."
    assert written(f"0{number:x} 0{number:X}") == f"0{hashed:x} 0{hashed:X}"
    assert written(f"0x{number:X}"[:10] + f"{number:x}"[8:]) == hex(
        hashed
    )  # in both: as a checksummed address


@pytest.mark.parametrize("number", [ACCOUNT, R, S, 10**39], ids=range(4))
def test_a_long_decimal_number_becomes_another_one_of_its_length(number: int) -> None:
    hashed = written(str(number))
    assert re.fullmatch(f"[1-9][0-9]{{{len(str(number)) - 1}}}", hashed)
    assert hashed != str(number)
    assert written(f"00{number}") == f"00{hashed}"
    assert written(f"[{number}]") == f"[{hashed}]"
    assert (
        written(f'{{"r": -{number}.5}}') == f'{{"r": -{hashed}.5}}'
    )  # in the place of a number it stays one


@given(st.integers(0, 2**251 - 1))
@example(2**251 - 1)
def test_an_element_of_the_field_stays_one(number: int) -> None:
    """So that whoever read the address from the frame can read its hash too, and is refused what was refused."""
    from_hex(written(hex(number)))


def test_no_other_number_is_touched() -> None:
    """Prices, times, ids of orders, digests, and zero: nobody is called that."""
    for text in (
        "1800000001450776328310000008",
        "42000.5",
        "ce5fb49851aba6d72c6c63b336f1b095",
        "0x" + "0" * 64,
        "0x2a",
    ):
        assert written(text) == text


def test_equal_numbers_stay_equal_wherever_they_are() -> None:
    """A path, a frame and what was made of them name the same order still."""
    digits = "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0"
    path = written({"path": f"/orders/0x{digits}"}, kind=Kind.REQUEST)["path"]
    frame = json.loads(written(json.dumps({"data": {"id": f"0x{digits}"}})))
    assert frame["data"]["id"] == path.removeprefix("/orders/") != f"0x{digits}"


def test_two_keys_give_two_hashes_and_one_key_one() -> None:
    other = Cleaner(b"K" * 32, redactor())
    assert written(hex(ACCOUNT), other) != written(hex(ACCOUNT))
    assert written(hex(ACCOUNT), Cleaner(b"k" * 32, Redactor())) == written(hex(ACCOUNT))


@pytest.mark.parametrize("number", [ACCOUNT, PUBLIC_KEY, ETHEREUM], ids=range(3))
def test_our_own_account_is_hashed_without_0x_too(number: int) -> None:
    """It gets the hash that it has with it."""
    assert written(f"account.{number:x}") == f"account.{written(hex(number))[2:]}"
    assert written(f"account.{number:X}") == f"account.{written(hex(number))[2:].upper()}"


@pytest.mark.parametrize("form", ["{:#x}", "0x{:064x}", "0x{:064X}", "{:x}", "{}"])
@pytest.mark.parametrize("number", [ACCOUNT, PUBLIC_KEY, ETHEREUM], ids=range(3))
def test_our_own_account_stays_where_it_is_kept(number: int, form: str) -> None:
    """And nothing else does."""
    assert written(f"account {form.format(number)}", KEEPING) == f"account {form.format(number)}"
    for other in (ACCOUNT + 1, PRIVATE_KEY)[form == "{:x}" :]:
        assert form.format(other) not in written(f"account {form.format(other)}", KEEPING)


def test_a_struct_hash_stays_and_a_message_hash_only_with_the_account() -> None:
    """Account and message hash are as good as each other to who tries all accounts."""
    data = {
        "struct_hash": hex(R),
        "message_hash": hex(S),
        "signature_digest": "ce5fb49851aba6d72c6c63b336f1b095",
    }
    assert written(data, kind=Kind.INTENT) == data | {"message_hash": written(hex(S))}
    assert written(data, KEEPING, kind=Kind.INTENT) == data


@pytest.mark.parametrize("depth", range(1, 4))
def test_the_venue_cannot_call_a_number_a_struct_hash(depth: int) -> None:
    """What it says stands in a text."""
    frame = nested({"struct_hash": hex(ACCOUNT)}, depth)
    assert unnested(written(frame), depth) == {"struct_hash": written(hex(ACCOUNT))}
    assert f"{ACCOUNT:x}" not in str(written({"struct_hash": f"of {ACCOUNT:#x}"}))


def test_the_class_hashes_stay() -> None:
    """From them and a key follows the account."""
    config = {"paraclear_account_hash": hex(R), "paraclear_account_proxy_hash": f"0x{S:064x}"}
    for text in (json.dumps(config), json.dumps(config, separators=(",", ":"))):
        assert written({"body": text}) == {"body": text}


def test_digits_of_an_escape_belong_to_no_number() -> None:
    """Neither in a record nor in a text in it."""
    for depth in range(3):
        text = f"\x01{R}\x1f{ACCOUNT:#x}\u20ac{S}\u0170{PRIVATE_KEY:x}"
        hashes = [written(str(R)), written(hex(ACCOUNT)), written(str(S))]
        assert unnested(written(nested(text, depth)), depth) == "\x01{}\x1f{}\u20ac{}\u0170{}".format(
            *hashes, HIDDEN
        )


def test_a_number_that_fills_a_frame_is_no_trouble() -> None:
    """Python refuses to read such a number."""
    for digits in ("7" * 100_000, "0x" + "7" * 100_000):
        assert len(written(digits)) == len(digits)
        assert "7" * 30 not in written(digits)


# Secrets.


@pytest.mark.parametrize("depth", range(4))
@pytest.mark.parametrize("name", ["signature", "PARADEX-STARKNET-SIGNATURE", "Signature"])
def test_a_signature_is_lost_in_any_nesting(name: str, depth: int) -> None:
    """Numbers become others, in the same form; what is no number is hidden whole."""
    for pair in (f'["{R}","{S}"]', f'["{R:#x}", "{S:#x}"]'):
        hashed = json.loads(unnested(written(nested({name: pair}, depth)), depth)[name])
        assert [len(part) for part in hashed] == [len(part) for part in json.loads(pair)]
        assert not {str(R), str(S), hex(R), hex(S)} & set(hashed)
        lists = unnested(written(nested({name: json.loads(pair)}, depth)), depth)[name]
        assert lists == hashed
    if name.isupper():
        return
    text = "MEUCIQDx+/zN8p\u00e9\n \\ z=="
    cleaned = unnested(written(nested({"a": 1, name: text, "b": [2]}, depth)), depth)
    assert cleaned == {"a": 1, name: HIDDEN, "b": [2]}


@pytest.mark.parametrize("depth", range(4))
@pytest.mark.parametrize("name", ["jwt_token", "bearer"])
def test_a_token_that_nobody_knows_is_hidden_by_its_name(name: str, depth: int) -> None:
    assert unnested(written(nested({name: "s3cr3t t0ken", "x": "y"}, depth)), depth) == {
        name: HIDDEN,
        "x": "y",
    }


@pytest.mark.parametrize(
    "text",
    [
        f"token {JWT} refused",
        f"{JWT}{JWT}",
        f"Authorization: Bearer {JWT[40:]}",
        f"bearer  {TOKEN[7:]}",
        f"{TOKEN} refused",
        TOKEN.replace("/", "\\/").replace("=", "\\u003D"),
        TOKEN.replace("/", "%2F").replace("~", "%7e").replace("=", "%253D"),
        f"the key {PRIVATE_KEY:x}",
        f"the key {PRIVATE_KEY:064X}",
        f"the key {PRIVATE_KEY:#x}",
        f"the key 0X{PRIVATE_KEY:064X}",
        f"the key {PRIVATE_KEY}",
    ],
)
def test_tokens_and_keys_are_hidden(text: str) -> None:
    """JWTs and bearers by their look; what is registered in every spelling; in bytes as in text."""
    for depth in range(3):
        assert HIDDEN in unnested(written(nested(text, depth)), depth)
    shown = json.dumps([written(text), written({"bytes": text}), written(json.dumps({"a": text}))])
    for secret in (*JWT.split("."), JWT[40:], TOKEN[10:20], f"{PRIVATE_KEY:x}"):
        assert secret.lower() not in shown.lower()


def test_what_is_hidden_leaves_its_surroundings_alone() -> None:
    assert (
        written(f'{{"error":"no {TOKEN}, sorry","code":1}}') == f'{{"error":"no {HIDDEN}, sorry","code":1}}'
    )
    assert written(f"Bearer {JWT[40:]} is late") == f"Bearer {HIDDEN} is late"


@pytest.mark.parametrize("token", ["1", "ws<", '","', "true", ":", '"', "\\", "0x"])
def test_a_secret_that_looks_like_json_breaks_none(token: str) -> None:
    """Then the record tells when something came, and what kind of thing."""
    known = Redactor()
    known.register_token(Secret(token))
    cleaned = Cleaner(b"k" * 32, known).clean(
        payload(1, 11, 1, Kind.FRAME_IN, {"a": [1, True, "1"], "b": "x"})
    )
    assert len(msgspec.json.decode(cleaned)) == 5


# Any record.

NAMES = [
    "signature",
    '"signature":',
    '\\"signature\\":\\"',
    "jwt_token",
    "bearer",
    "Bearer ",
    '"struct_hash":"0x',
]
NUMBERS = [hex(ACCOUNT), str(R), f" {R:X} ", f" {ACCOUNT:X} ", "0x", "0X", "0" * 40, "9" * 39, "a" * 33]
SECRETS = [JWT, TOKEN, f" {PRIVATE_KEY:x} ", "eyJ", HIDDEN]
ESCAPES = ["\\\\", '\\"', "\\u", "\\u0000"]
HOSTILE = st.sampled_from([*NAMES, *NUMBERS, *SECRETS, *ESCAPES, *'"\\{}[]:,x<e+=-_/. \n\x00\u20ac'])
TEXTS = st.lists(HOSTILE | st.characters(codec="utf-8"), max_size=12).map("".join)
DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | HOSTILE, inner, max_size=4),
    max_leaves=12,
)


def shape(document: Any) -> Any:
    """Everything but what texts say."""
    match document:
        case str():
            return "text"
        case Pairs():
            return [shape(value) for _, value in document]
        case list():
            return [shape(item) for item in document]
    return document


class Pairs(list[tuple[str, Any]]):
    """An object with its keys in order, those that occur twice included."""


def parsed(text: bytes | str) -> Any:
    return json.loads(text, object_pairs_hook=Pairs)


@pytest.mark.parametrize("clean", [HASHING.clean, KEEPING.clean], ids=["hashed", "kept"])
def test_any_record_stays_a_record_of_its_shape(clean: Callable[[bytes], bytes]) -> None:
    """JSON stays JSON, in texts too, with the same numbers, keys in the same order; cleaned again it is the same."""

    @given(DOCUMENTS, st.integers(0, 2))
    @example({"\b" + "3" * 77: None}, 0)  # an escape that ends in a digit
    @example({"\f" + "a" * 63: None}, 1)
    def hold(document: Any, depth: int) -> None:
        value: Any = document
        for _ in range(depth):
            value = json.dumps(value)
        record = payload(1, 2, 3, Kind.FRAME_IN, value)
        cleaned = clean(record)
        assert shape(parsed(cleaned)) == shape(parsed(record))
        assert clean(cleaned) == cleaned
        before, after = parsed(record)[4], parsed(cleaned)[4]
        for _ in range(depth):
            before, after = parsed(before), parsed(after)
        assert shape(after) == shape(before)
        for secret in (f"{ACCOUNT:x}", TOKEN, JWT, f"{PRIVATE_KEY:x}", str(R)):
            assert secret not in cleaned.decode() or clean == KEEPING.clean

    hold()


@given(st.text(st.sampled_from('abc{}[]:, 0123456789.\\"xyzABC\u20ac\n'), max_size=60))
def test_what_holds_no_secret_is_the_same_to_the_byte(text: str) -> None:
    record = payload(1, 2, 3, Kind.FRAME_IN, text)
    if not re.search(r"[0-9a-fA-F]{32}", text):
        assert HASHING.clean(record) == record


# The key.


def test_the_key_is_made_once_for_nobody_else(tmp_path: Path) -> None:
    key = hashing_key(tmp_path)
    assert len(key) == 32
    assert hashing_key(tmp_path) == key
    assert [file.name for file in tmp_path.iterdir()] == [KEY_NAME]
    assert (tmp_path / KEY_NAME).stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").mkdir()
    assert hashing_key(tmp_path / "other") != key


def test_of_two_who_make_it_at_once_one_is_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both get the same, and no draft is left behind."""
    key = hashing_key(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert hashing_key(tmp_path) == key
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.chmod(0o640), "chmod 600"),
        (lambda file: file.write_bytes(b"k" * 31), "no key of 32 bytes"),
        (lambda file: file.write_bytes(b"k" * 33), "no key of 32 bytes"),
        (lambda file: (file.unlink(), file.mkdir()), "Is a directory|not a regular file"),
        (lambda file: (file.unlink(), file.parent.rmdir()), "No such file"),
    ],
    ids=["readable", "short", "long", "folder", "nowhere"],
)
def test_a_key_that_is_none_of_ours_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    """By name, with what is wrong."""
    folder = tmp_path / "state"
    folder.mkdir()
    hashing_key(folder)
    spoil(folder / KEY_NAME)
    with pytest.raises(UnusableKeyError, match=words) as refused:
        hashing_key(folder)
    assert str(folder / KEY_NAME) in str(refused.value)


def test_a_key_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashing_key(tmp_path)
    owner = (tmp_path / KEY_NAME).stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(UnusableKeyError, match="chown"):
        hashing_key(tmp_path)
