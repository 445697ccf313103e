"""The numbers the venue publishes about itself, and those it keeps to itself and we had to choose.

Seconds unless a name says otherwise. Sections are those of the protocol reference.
"""

JWT_LIFETIME = 300
"""Seconds a token lives; it cannot be extended (2.2)."""

AUTH_DEFAULT_EXPIRY = 30 * 60
AUTH_LONGEST_EXPIRY = 7 * 24 * 3600
"""How long after its timestamp an auth signature may be used: default and most (2.2)."""

AUTH_FUTURE_TOLERANCE = 60
"""How far ahead of the exchange's clock an auth timestamp may be. Undocumented; chosen."""

KEPT_TOKENS = 4096
"""Tokens held as checked; the oldest go first, and are checked again when they come back. Chosen."""

MOST_SUBKEYS = 100
KEPT_REVOKED_SUBKEYS = 100
"""Subkeys of an account that are not revoked, and revoked ones still listed. Undocumented; chosen."""

SHORTEST_TOKEN_LIFE = 60
LONGEST_TOKEN_LIFE = 365 * 24 * 3600
"""Of a read-only token: a minute to a year (openapi, CreateToken)."""

MOST_TOKENS = 50
KEPT_INVALID_TOKENS = 100
"""Valid read-only tokens of an account, and revoked and expired ones still listed. Undocumented; chosen."""

MOST_CIDRS = 50
"""Networks in an allow-list (openapi, CreateSubkey)."""

LONGEST_NAME = 100
LONGEST_ENCRYPTED_KEY = 1024
LONGEST_TOKEN_TYPE = 32
"""Characters. Undocumented; chosen."""

DEFAULT_RECV_WINDOW_MS = 300_000
SHORTEST_RECV_WINDOW_MS = 10
"""The receive window of an order (2.3)."""

LONGEST_CLIENT_ID = 64

RETAIL_SPEED_BUMP = 0.3
"""Orders and cancels of an ``interactive`` token reach the engine this much later (3.5)."""

RESTRICTED_BAND_BPS = 5
"""In restricted modes an order must be this close to the fair price on its aggressive side (1)."""

HTTP_IDLE = 60.0
"""A connection with no byte in this long is closed."""

HTTP_LARGEST_HEAD = 64 * 1024
HTTP_LARGEST_BODY = 1024 * 1024
"""Bytes. Undocumented; chosen."""

TLS_HANDSHAKE = 10.0
"""A client that has not finished its TLS handshake by then is forgotten. Chosen."""

HTTP_CLOSE = 5.0
"""How long a last answer may take to leave before the connection is closed under it. Chosen."""

WS_HANDSHAKE = 10.0
"""A client that has not finished its upgrade request by then is closed. Chosen."""

WS_PING_EVERY = 55.0
WS_PONG_WITHIN = 5.0
"""Protocol pings of the server, and how long the pong may take (4.1)."""

WS_UNREAD_MESSAGES = 2000
"""A socket with more messages than this waiting for it is hung up on (4.1)."""

WS_UNSENT_ANSWERS = WS_UNREAD_MESSAGES // 2
WS_ANSWER_WITHIN = 5.0
"""With so many answers on their way to it, a client's next call waits until one has left, at most this long.

Without that a client that reads, but asks much at once, would be taken for one that does not. Chosen.
"""

WS_LARGEST_MESSAGE = 256 * 1024
"""Bytes in one message of a client; more is answered with close code 1009. Chosen."""

WS_INBOX = 1024
"""Messages of a client read ahead of their handling, so that pongs are seen while it is busy."""

WS_CLOSE = 5.0
"""How long a closing handshake may take before the connection is cut. Chosen."""

LARGEST_PAGE = 5000
DEFAULT_PAGE = 100
"""``page_size`` of the paginated reads (3.1)."""

LARGEST_TRADES_PAGE = 1000
"""``page_size`` of /trades (3.1)."""

DEEPEST_BOOK = 1000
"""``depth`` of an order book. Undocumented; chosen."""

SYNTHETIC_ACCOUNTS = 1000
"""Account numbers below this are synthetic participants. No contract has such an address."""

INSURANCE_FUND = SYNTHETIC_ACCOUNTS - 1
"""The account that takes over what is liquidated. It pays no margin, and keeps what it has."""

KEPT_ACCOUNT_ROWS = 10_000
"""Funding payments, transfers, busts and liquidations that are kept of an account, of each kind. Chosen."""

HEALTH_CHECK_EVERY = 5.0
"""How often each account's margin is looked at (3.9)."""
