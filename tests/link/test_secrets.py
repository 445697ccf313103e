import copy
import json
import os
import pickle
import re
import traceback
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.tape import HIDDEN
from bot.link.secrets import (
    AccountSettings,
    KeyUnavailableError,
    Redactor,
    Secret,
    find_key,
    new_key,
)
from bot.link.signer import CURVE_ORDER

KEY = "0x5bb9440e2767b2a1f2c4ffae1a0b2b3c4d5e6f708192a3b4c5d6e7f8091a2b3"
OTHER_KEY = "0x123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIweDEyMyJ9.c2lnbmF0dXJlLW9mLXRoZS12ZW51ZQ"
SIGNATURE = '["1234567890123456789","987654321098765432"]'


# Secret


def test_nothing_but_reveal_shows_a_secret() -> None:
    """repr, str, format, %-format and JSON-ish prints of what holds it show that something is hidden."""
    secret = Secret(KEY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>30}",
        f"{secret:>30}",
        str([{"key": secret}]),
    ]
    assert all(HIDDEN in text and KEY[2:] not in text for text in shown)
    assert secret.reveal() == KEY


@pytest.mark.parametrize(
    "leak",
    [
        pickle.dumps,
        lambda secret: pickle.dumps(secret, protocol=0),
        copy.copy,
        copy.deepcopy,
        vars,
        json.dumps,
        msgspec.json.encode,
        msgspec.to_builtins,
        lambda secret: secret.__getstate__(),
    ],
)
def test_what_would_write_the_fields_of_a_secret_is_refused(leak: object) -> None:
    """Serialisers end with a TypeError that does not show it."""
    assert callable(leak)
    with pytest.raises(TypeError) as caught:
        leak(Secret(KEY))
    assert KEY[2:] not in str(caught.value)


def test_a_new_key_is_in_range_and_another_each_time() -> None:
    """1 … N-1, in the form that the signer takes."""
    keys = {new_key().reveal() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch("0x[0-9a-f]+", key) and 0 < int(key, 16) < CURVE_ORDER for key in keys)


# find_key


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A folder with a key in every place that is searched, each another one: 0x1 … 0x3; 0x4 is the variable's."""
    for number, folder in enumerate(["credentials", "run"], 1):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "paradex-key").write_text(f"0x{number}\n")
    private = tmp_path / "private"
    private.write_text("0x3\n")
    private.chmod(0o600)
    return tmp_path


def _account(places: Path) -> AccountSettings:
    return AccountSettings(key_file=str(places / "private"))


def _environ(places: Path) -> dict[str, str]:
    return {"CREDENTIALS_DIRECTORY": str(places / "credentials"), "PARADEX_PRIVATE_KEY": "0x4"}


def test_the_first_place_that_has_a_key_wins(places: Path) -> None:
    """$CREDENTIALS_DIRECTORY, /run/secrets, the file, the variable; and the words say which it was."""
    sources = [
        places / "credentials" / "paradex-key",
        places / "run" / "paradex-key",
        places / "private",
    ]
    account = _account(places)
    environ = _environ(places)
    for number, source in enumerate(sources, 1):
        found = find_key(account, environ, run_secrets=places / "run")
        assert (found.secret.reveal(), found.source) == (f"0x{number}", str(source))
        if source == places / "private":
            account = AccountSettings()
        else:
            source.unlink()
    found = find_key(account, environ, run_secrets=places / "run")
    assert (found.secret.reveal(), found.source) == ("0x4", "the environment variable PARADEX_PRIVATE_KEY")


def test_without_a_key_anywhere_the_error_names_every_place(tmp_path: Path) -> None:
    """An empty variable holds no key."""
    with pytest.raises(KeyUnavailableError) as caught:
        find_key(AccountSettings(), {"PARADEX_PRIVATE_KEY": ""}, run_secrets=tmp_path)
    for place in (
        "$CREDENTIALS_DIRECTORY/paradex-key",
        str(tmp_path),
        "account.key_file",
        "PARADEX_PRIVATE_KEY",
    ):
        assert place in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o777])
def test_a_key_file_that_others_may_use_is_refused(places: Path, mode: int) -> None:
    """The message says how to mend it, and the next place is not tried."""
    (places / "private").chmod(mode)
    with pytest.raises(KeyUnavailableError, match=f"mode {mode:04o}.*: chmod 600 .*private"):
        find_key(_account(places), {"PARADEX_PRIVATE_KEY": "0x4"}, run_secrets=places)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_of_mode_0600_or_stricter_is_taken(places: Path, mode: int) -> None:
    (places / "private").chmod(mode)
    assert find_key(_account(places), {}, run_secrets=places).secret.reveal() == "0x3"


def test_a_key_file_of_somebody_else_is_refused(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns it may make it readable at any time."""
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(KeyUnavailableError, match=f"belongs to user {owner}"):
        find_key(_account(places), {}, run_secrets=places)


def test_a_mounted_credential_may_have_any_mode(places: Path) -> None:
    """Container runtimes mount secrets with mode 0444."""
    (places / "run" / "paradex-key").chmod(0o444)
    assert find_key(AccountSettings(), {}, run_secrets=places / "run").secret.reveal() == "0x2"


def test_a_named_key_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """Another place's key might be another account's."""
    account = AccountSettings(key_file=str(tmp_path / "nothing"))
    with pytest.raises(KeyUnavailableError, match=r"nothing \(account\.key_file\): No such file"):
        find_key(account, {"PARADEX_PRIVATE_KEY": "0x4"}, run_secrets=tmp_path)


def test_the_home_folder_is_understood(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(places))
    account = AccountSettings(key_file="~/private")
    assert find_key(account, {}, run_secrets=places).secret.reveal() == "0x3"


def test_a_home_folder_of_nobody_is_an_error(tmp_path: Path) -> None:
    account = AccountSettings(key_file="~nobody-of-this-name/key")
    with pytest.raises(KeyUnavailableError, match=r"account\.key_file"):
        find_key(account, {}, run_secrets=tmp_path)


def test_a_fifo_or_a_folder_is_no_key_file(tmp_path: Path) -> None:
    """Opening a FIFO must not hang the start."""
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name in ("fifo", "."):
        with pytest.raises(KeyUnavailableError, match=r"not a regular file|Is a directory"):
            find_key(AccountSettings(key_file=str(tmp_path / name)), {}, run_secrets=tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        KEY[2:],
        KEY[2:] + "00",
        "0x",
        "0x" + "1" * 65,
        KEY + " " + KEY,
        '"' + KEY + '"',
        "1234567890123456789",
        "ключ",
    ],
)
def test_what_is_no_hex_key_is_refused_without_being_shown(places: Path, text: str) -> None:
    """In a file and in the variable alike; the error says where it stands and what belongs there."""
    (places / "private").write_text(text)
    for account, environ in ((_account(places), {}), (AccountSettings(), {"PARADEX_PRIVATE_KEY": text})):
        with pytest.raises(KeyUnavailableError, match="0x and 1 to 64 hex digits") as caught:
            find_key(account, environ, run_secrets=places)
        assert (
            text[2:] not in "".join(traceback.format_exception(caught.value)).replace("0x and 1 to 64", "")
            or text == "0x"
        )


def test_white_space_around_a_key_is_not_part_of_it(places: Path) -> None:
    (places / "private").write_text(f"\r\n  {KEY}\r\n")
    assert find_key(_account(places), {}, run_secrets=places).secret.reveal() == KEY


# Redactor


@given(
    key=st.integers(16**16, CURVE_ORDER - 1),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    upper=st.booleans(),
    padding=st.integers(0, 64),
)
def test_a_registered_key_is_hidden_in_every_form(
    key: int, before: str, after: str, *, upper: bool, padding: int
) -> None:
    """Hex with and without 0x, padded or not, in capitals or not, and decimal, wherever they stand."""
    redactor = Redactor()
    redactor.register(Secret(hex(key)))
    digits = f"{key:x}"
    for form in (digits, digits.zfill(padding), f"0x{digits}", f"0x{digits.zfill(padding)}", str(key)):
        text = redactor.redact(before + (form.upper() if upper else form) + after)
        assert digits not in text.lower()
        assert str(key) not in text
        assert HIDDEN in text


@given(st.lists(st.integers(16**40, CURVE_ORDER - 1), min_size=1, max_size=5))
def test_many_registered_keys_are_all_hidden(keys: list[int]) -> None:
    """Side by side too, registered twice too."""
    redactor = Redactor()
    for key in keys + keys:
        redactor.register(Secret(f"0x{key:064x}"))
    assert redactor.redact("".join(f"0x{key:x} " for key in keys)) == f"{HIDDEN} " * len(keys)


def test_a_short_key_is_hidden_where_it_stands_alone() -> None:
    """Keys of tests are short; hiding each digit of theirs would make the log unreadable."""
    redactor = Redactor()
    redactor.register(Secret("0x2a"))
    assert redactor.redact("0x2a 2A 42 0x002a 0x2ab 142") == f"{HIDDEN} {HIDDEN} {HIDDEN} {HIDDEN} 0x2ab 142"


def test_a_registered_text_that_is_no_key_is_hidden_literally() -> None:
    """Characters with a meaning in patterns, blanks and quotes have none here; nothing hides nothing."""
    redactor = Redactor()
    redactor.register(Secret('p.+(w "d'))
    redactor.register(Secret(""))
    assert (
        redactor.redact('Authorization: Bearer p.+(w "d, p..+(w') == f"Authorization: Bearer {HIDDEN}, p..+(w"
    )


def test_a_secret_that_begins_like_another_is_hidden_to_its_end() -> None:
    """Whichever of the two was registered first."""
    for words in (["open", "open sesame"], ["open sesame", "open"]):
        redactor = Redactor()
        for word in words:
            redactor.register(Secret(word))
        assert redactor.redact("say open sesame, say open") == f"say {HIDDEN}, say {HIDDEN}"


@pytest.mark.parametrize(
    "text",
    [
        f"token {JWT} refused",
        f"Authorization: Bearer {JWT}",
        f"authorization: bearer {JWT[40:]}",
        f"{{'Authorization': 'Bearer {JWT[40:]}'}}",
        f'{{"Authorization":"Bearer {JWT[40:]}"}}',
        f'"{{\\"Authorization\\": \\"Bearer {JWT[40:]}\\"}}"',
        f"[(b'Authorization', b'Bearer {JWT[40:]}')]",
        f"Authorization: Basic {JWT[40:]}",
        f"authorization={JWT[40:]}",
        f"sent Bearer {JWT[40:]} to the venue",
        f"PARADEX-STARKNET-SIGNATURE: {SIGNATURE}",
        f"paradex-starknet-signature={SIGNATURE}",
        f"{{'PARADEX-STARKNET-SIGNATURE': '{SIGNATURE}'}}",
        json.dumps({"PARADEX-STARKNET-SIGNATURE": SIGNATURE}),
        json.dumps(json.dumps({"PARADEX-STARKNET-SIGNATURE": SIGNATURE})),
        f"[(b'PARADEX-STARKNET-SIGNATURE', b'{SIGNATURE}')]",
        f"PARADEX-STARKNET-SIGNATURE: {SIGNATURE[:-3]}",
        f"PARADEX_STARKNET_SIGNATURE: {SIGNATURE[2:12]}",
    ],
)
def test_tokens_and_signatures_are_hidden_without_being_registered(text: str) -> None:
    """In the forms that messages, JSON and the reprs of headers give them; what is around them stays."""
    redacted = Redactor().redact(text)
    assert HIDDEN in redacted
    for part in (*JWT.split("."), JWT[40:], "1234567890", "987654321"):
        assert part not in redacted
    assert redacted[:4] == text[:4] or text.startswith(JWT[:3])


@pytest.mark.parametrize(
    "text",
    [
        "Authorization failed for account 0x49d36570d4e46f48e99674bd3fcc84644ddd6b96f7c741b1562b82f9e004dc7",
        "bearer token expired",
        "[INIT] Paradex HTTP connection pool warmed up",
        "KeyJar greyJacket eyJ",
        "order 20261122-000001 filled 0.01 at 42000.5",
        "INVALID_STARKNET_SIGNATURE: signature: verification failed",
        "order 1800000001450776328310000008, signature_timestamp=1800000001400",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Addresses, hashes, order ids and prose are what the log is for."""
    redactor = Redactor()
    redactor.register(Secret(KEY))
    assert redactor.redact(text) == text


OPAQUE = "0a1B/2c3D+4e5F~6g7H=="


@pytest.mark.parametrize(
    "text",
    [
        f"the token {OPAQUE} is late",
        json.dumps({"error": OPAQUE}),
        json.dumps({"error": OPAQUE}).replace("/", "\\/"),
        json.dumps(json.dumps({"error": OPAQUE}).replace("=", "\\u003d")),
        f"GET /v1/me?token={OPAQUE.replace('/', '%2F').replace('+', '%2b').replace('=', '%253D')}",
    ],
)
def test_a_registered_token_is_hidden_in_every_spelling(text: str) -> None:
    """As JSON, in any nesting, and URLs write it; no other token is as opaque."""
    redactor = Redactor()
    assert "4e5F" in redactor.redact(text)
    redactor.register_token(Secret(OPAQUE))
    assert HIDDEN in redactor.redact(text)
    assert "4e5F" not in redactor.redact(text)
    assert redactor.redact(f"{OPAQUE[:-3]}G==") == f"{OPAQUE[:-3]}G=="


def test_only_the_last_tokens_are_remembered() -> None:
    """The others have expired, or were refused; what a run remembers does not grow with its length. Keys stay."""
    redactor = Redactor()
    redactor.register(Secret(KEY))
    tokens = [f"opaque-token-number-{number}" for number in range(1000)]
    for token in tokens:
        redactor.register_token(Secret(token))
    assert [redactor.redact(token) for token in tokens] == tokens[:-4] + [HIDDEN] * 4
    assert redactor.redact(KEY) == HIDDEN


@pytest.mark.parametrize(
    "text",
    [
        f"signature {'7' * 75} is wrong",
        '{"signature": "MEUCIQDx+/zN8pQ0123456789=="}',
        f"signature: ['0x{'a7' * 31}', '0x1']",
        '{"jwt_token":"0a1B2c3D4e5F6g7H8i9J"}',
        "bearer='0a1B2c3D4e5F6g7H8i9J'",
    ],
)
def test_what_is_called_a_signature_or_a_token_is_hidden(text: str) -> None:
    """And a number as long as those that signatures are made of."""
    assert HIDDEN in Redactor().redact(text)
    assert not re.search("[0-9a-zA-Z]{10}", Redactor().redact(text).replace("signature", ""))


def test_the_account_is_no_secret_in_the_log() -> None:
    """It is registered for the journal: without 0x, padding and capitals, and not where there is none."""
    redactor = Redactor()
    redactor.register_account("0x00ABCDEF0123456789", "", "0x" + "0" * 40)
    assert redactor.account == {b"abcdef0123456789"}
    assert redactor.redact("0xabcdef0123456789") == "0xabcdef0123456789"


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor()
    redactor.register(Secret(KEY))
    once = redactor.redact(text)
    assert redactor.redact(once) == once


def test_a_whole_traceback_is_cleaned() -> None:
    """Causes, notes and groups included: all of it is text."""
    redactor = Redactor()
    redactor.register(Secret(KEY))
    error = ValueError(f"bad key {int(KEY, 16)}")
    error.add_note(f"sent with Authorization: Bearer {JWT}")
    group = ExceptionGroup("several", [error])
    group.__cause__ = KeyError(KEY)
    text = redactor.redact("".join(traceback.format_exception(group)))
    for secret in (KEY[2:], str(int(KEY, 16)), JWT):
        assert secret not in text
    assert text.count(HIDDEN) == 3
