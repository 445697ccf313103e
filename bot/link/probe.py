"""One step of the way to a venue at a time: its name, TCP, TLS; and in words what each of them fails of.

Trading does not come by here. httpx and the WebSocket take the same steps at once, and say less about them.
"""

import enum
import errno
import os
import socket
import ssl
from datetime import datetime
from urllib.parse import urlsplit

import attrs
import trio
from cryptography import x509

from bot.core.errors import BotError, leaves

CLOSE_DEADLINE = 1.0
"""Seconds that a goodbye may take."""


class Trouble(enum.StrEnum):
    """What kind of thing is wrong, for whoever knows how to mend it."""

    NO_SUCH_NAME = "no such name"
    NO_NAME_SERVER = "no name server"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    NOT_TLS = "not TLS"
    UNKNOWN_AUTHORITY = "unknown authority"
    WRONG_NAME = "wrong name"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    BROKEN = "broken off"


class ProbeError(BotError):
    """A step failed. The message says of what, in words."""

    def __init__(self, trouble: Trouble, words: str) -> None:
        self.trouble = trouble
        super().__init__(words)


@attrs.frozen
class Endpoint:
    """A host and port of a venue."""

    host: str
    port: int
    is_secure: bool

    @classmethod
    def of(cls, url: str) -> "Endpoint":
        """That of an ``https``, ``wss``, ``http`` or ``ws`` address."""
        parts = urlsplit(url)
        is_secure = parts.scheme in {"https", "wss"}
        return cls(parts.hostname or "", parts.port or (443 if is_secure else 80), is_secure)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@attrs.frozen
class Resolved:
    """The addresses that a name stands for, and how many seconds it took to learn them."""

    addresses: tuple[str, ...]
    seconds: float


@attrs.frozen
class Certificate:
    """What a server showed."""

    subject: str
    names: tuple[str, ...]
    """The names and addresses that it is for."""

    issuer: str
    not_before: datetime
    not_after: datetime


@attrs.frozen
class Handshake:
    """A TLS connection that came about."""

    version: str
    cipher: str
    certificate: Certificate
    seconds: float


async def resolve(end: Endpoint) -> Resolved:
    """Look the host up; an address stands for itself.

    Raises:
        ProbeError: it stands for no address.
    """
    began = trio.current_time()
    try:
        found = await trio.socket.getaddrinfo(end.host, end.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        trouble = Trouble.NO_NAME_SERVER if error.errno == socket.EAI_AGAIN else Trouble.NO_SUCH_NAME
        raise ProbeError(trouble, f"{end.host}: {error.strerror}") from error
    except UnicodeError as error:
        raise ProbeError(Trouble.NO_SUCH_NAME, f"{end.host}: no name that could be looked up") from error
    addresses = tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    return Resolved(addresses, trio.current_time() - began)


async def connect(end: Endpoint, address: str) -> float:
    """Open a connection to one ``address`` of the host, and close it. Returns the seconds that it took to open.

    Raises:
        ProbeError: it did not come about.
    """
    began = trio.current_time()
    stream = await _dial(end, address)
    seconds = trio.current_time() - began
    await stream.aclose()
    return seconds


async def shake_hands(end: Endpoint, address: str, tls: ssl.SSLContext) -> Handshake:
    """Open TLS to one ``address`` of the host, and close it.

    Raises:
        ProbeError: it did not come about; of an untrusted certificate with what the certificate says.
    """
    tcp = await _dial(end, address)
    began = trio.current_time()
    stream = trio.SSLStream(tcp, tls, server_hostname=end.host, https_compatible=True)
    try:
        await stream.do_handshake()
        version, cipher, shown = stream.version(), stream.cipher(), stream.getpeercert(binary_form=True)
    except (trio.BrokenResourceError, ssl.SSLError) as error:
        raise await _untrusted(end, address, error) from error
    finally:
        with trio.move_on_after(CLOSE_DEADLINE, shield=True):
            await trio.aclose_forcefully(stream)
    return Handshake(version, cipher[0], _read(shown), trio.current_time() - began)


async def _dial(end: Endpoint, address: str) -> trio.SocketStream:
    try:
        return await trio.open_tcp_stream(address, end.port)
    except OSError as error:
        # trio tells of every address that it tried; here it is one.
        cause = next(leaves(error.__cause__ or error))
        code = cause.errno if isinstance(cause, OSError) else None
        words = os.strerror(code) if code else str(cause)
        trouble = {errno.ECONNREFUSED: Trouble.REFUSED, errno.ETIMEDOUT: Trouble.SILENT}.get(
            code or 0, Trouble.UNREACHABLE
        )
        raise ProbeError(trouble, f"{address} port {end.port}: {words}") from error


# OpenSSL's X509_V_ERR_… (man 3 X509_STORE_CTX_get_error)
_VERIFY_TROUBLES = {
    9: Trouble.NOT_YET_VALID,
    10: Trouble.EXPIRED,
    62: Trouble.WRONG_NAME,  # of a host
    64: Trouble.WRONG_NAME,  # of an address
}


async def _untrusted(end: Endpoint, address: str, error: Exception) -> ProbeError:
    """Why a handshake failed."""
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    match cause:
        case ssl.SSLCertVerificationError():
            trouble = _VERIFY_TROUBLES.get(cause.verify_code, Trouble.UNKNOWN_AUTHORITY)
            shown = await _shown(end, address)
            return ProbeError(trouble, _mistrust(end, trouble, cause, shown))
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "HTTP_REQUEST" | "RECORD_LAYER_FAILURE"):
            return ProbeError(Trouble.NOT_TLS, f"{end} answers, and not in TLS")
        case ssl.SSLError() if not isinstance(cause, ssl.SSLEOFError):
            return ProbeError(Trouble.BROKEN, f"{end}: {cause.reason or cause}")
    return ProbeError(Trouble.BROKEN, f"{end} hung up during the handshake")


def _mistrust(
    end: Endpoint, trouble: Trouble, error: ssl.SSLCertVerificationError, shown: Certificate | None
) -> str:
    if shown is None:
        return f"{end}: {error.verify_message}"
    match trouble:
        case Trouble.EXPIRED:
            return f"{end}: the certificate expired on {day(shown.not_after)} (issued by {shown.issuer})"
        case Trouble.NOT_YET_VALID:
            return (
                f"{end}: the certificate is valid from {day(shown.not_before)} on (issued by {shown.issuer})"
            )
        case Trouble.WRONG_NAME:
            return f"{end}: the certificate is for {', '.join(shown.names) or 'no host'}, not for {end.host}"
    return (
        f"{end}: the certificate is issued by {shown.issuer}, which is not trusted ({error.verify_message})"
    )


def day(moment: datetime) -> str:
    """As people write it, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


async def _shown(end: Endpoint, address: str) -> Certificate | None:
    """What the certificate says that was not trusted: Python tells only of trusted ones.

    So the handshake is made again without trust. Nothing is sent over it, and nobody is handed the connection.
    """
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    try:
        tcp = await _dial(end, address)
        stream = trio.SSLStream(tcp, blind, server_hostname=end.host, https_compatible=True)
        try:
            await stream.do_handshake()
            return _read(stream.getpeercert(binary_form=True))
        finally:
            await trio.aclose_forcefully(stream)
    except (ProbeError, trio.BrokenResourceError, ssl.SSLError, ValueError):
        return None


def _read(der: bytes) -> Certificate:
    """Raises ValueError for what is no certificate."""
    certificate = x509.load_der_x509_certificate(der)
    return Certificate(
        subject=_called(certificate.subject),
        names=_names(certificate),
        issuer=_called(certificate.issuer),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = map(str, alternative.get_values_for_type(x509.IPAddress))
    return (*alternative.get_values_for_type(x509.DNSName), *addresses)


def _called(name: x509.Name) -> str:
    """Organisation and common name, or whatever there is."""
    parts = [
        str(attribute.value)
        for kind in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME)
        for attribute in name.get_attributes_for_oid(kind)
    ]
    return ", ".join(dict.fromkeys(parts)) or name.rfc4514_string() or "nobody"
