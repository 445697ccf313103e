"""Login: warm connections, the venue's clock, an onboarded account and a token, and all of them kept so."""

import difflib
import random
from collections.abc import Callable, Mapping

import attrs
import trio
from loguru import logger

from bot.core.errors import FatalError, RefusedError, RequestError, UnknownOutcomeError
from bot.core.market import Market
from bot.core.recovered import AccountClaim, NoClaim, Recovered
from bot.link.answer import Answer
from bot.link.clock import VenueClock, WallWatch
from bot.link.http import Http
from bot.link.secrets import Redactor, Secret
from bot.link.signer import Signer, open_signer
from bot.paradex import rest
from bot.paradex.answers import MarketsAnswer, SystemConfig, SystemTime
from bot.paradex.jwt import lifetime
from bot.session.capabilities import AuthedRest, Rest, Token, TokenKeeper, open_authed_rest, open_rest
from bot.session.supervise import Backoff, TaskStatus

REFRESH_AT = 0.6
"""The part of its life after which a token is renewed (`faults.md` section 2)."""

MEASURE_EVERY = 60.0
"""Seconds after which the venue's clock is measured again at the latest. Any two clocks drift apart, by seconds a
day, and how long the venue may accept an order is reckoned with this one."""

LEAST_INTERVAL = 1.0
"""Seconds between two requests that do nothing but measure it."""

SIGNATURE_LIFE_S = 600
"""How long the venue may take a login's signature for valid; it would allow a week (protocol reference 2.2)."""

CREDENTIAL_REFUSALS = frozenset(
    {
        "INVALID_STARKNET_SIGNATURE",
        "STARKNET_SIGNATURE_VERIFICATION_FAILED",
        "INVALID_STARKNET_ADDRESS",
        "PUBLIC_KEY_INVALID",
        "INVALID_SUBKEY",
        "ACCOUNT_NOT_FOUND",
        "IP_NOT_ALLOWED",
        "GEO_IP_BLOCK",
        "UNAUTHORIZED_ETHEREUM_ADDRESS",
        "ETHEREUM_ADDRESS_BLOCKED",
    }
)
"""Codes after which the same key will be refused again (protocol reference 3.7)."""


@attrs.frozen(kw_only=True)
class Identity:
    """Who logs in. ``address`` is empty where it follows from the key; a subkey names its main account's."""

    private_key: str = attrs.field(repr=False)
    address: str = ""
    ethereum_address: str = ""
    """What the account is onboarded with, where the venue does not know it yet; empty: it is not onboarded."""


@attrs.frozen
class LoggedIn:
    """What a login hands over."""

    authed: AuthedRest
    signer: Signer
    markets: Mapping[str, Market]
    """The rules of each market asked for, by symbol."""

    recovered: Recovered = attrs.field(factory=Recovered)
    """What earlier runs left open."""


@attrs.frozen(kw_only=True)
class Login:
    """One login, kept alive until it is cancelled."""

    http: Http
    identity: Identity
    markets: tuple[str, ...]
    clock: VenueClock
    rng: random.Random
    redactor: Redactor
    """Is told of every token, and whose account this is."""

    alarm: Callable[[str], None]
    claim: AccountClaim = attrs.field(factory=NoClaim)

    async def run(self, task_status: TaskStatus[LoggedIn]) -> None:
        """Log in, hand over, and keep token and connections fresh.

        Raises:
            FatalError: another bot has the account, or the venue refuses the credentials, has no such market, or is
                described in a way that cannot be read.
            NotSentError, RefusedError, UnknownOutcomeError: another try may succeed.
        """
        plain = open_rest(self.http)
        await plain.warm_up(rest.system_time())
        # The first answers took a handshake each, which says nothing of the way; this one measures.
        self.measure(await plain.call(rest.system_time()))
        logger.info("[INIT] Paradex HTTP connection pool warmed up")
        config = (await plain.call(rest.system_config())).value
        signer = self._signer(config)
        self.redactor.register_account(
            signer.account, signer.public_key, self.identity.address, self.identity.ethereum_address
        )
        recovered = await self.claim.take(signer.account)
        markets = read_markets((await plain.call(rest.markets())).value, self.markets)
        keeper = TokenKeeper(await self.first_token(plain, signer))
        logger.info(
            "[INIT] Paradex authenticated: account={}, token expires in {:.0f}s",
            signer.account,
            keeper.token.lifetime,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_token, self, plain, signer, keeper)
            nursery.start_soon(keep_warm, self, plain)
            nursery.start_soon(watch_wall, self, plain)
            task_status.started(LoggedIn(open_authed_rest(self.http, keeper), signer, markets, recovered))

    def measure(self, answer: Answer[SystemTime]) -> None:
        """Set the venue's clock, and raise an alarm when that shows that ours has become wrong; see `measure`."""
        was_wrong = self.clock.is_wall_wrong
        measure(self.clock, answer)
        if self.clock.is_wall_wrong and not was_wrong:
            self.alarm(f"our clock is wrong: the venue's is {self.clock.offset_ns / 1e9:+.3f} s from it")

    def _signer(self, config: SystemConfig) -> Signer:
        try:
            classes = config.account_classes
            return open_signer(
                private_key=self.identity.private_key,
                chain_id=config.starknet_chain_id,
                account=self.identity.address or classes,
                clock=self.clock.ours,
            )
        except ValueError as unusable:
            raise FatalError(f"no signer for this key and this venue: {unusable}") from unusable

    async def first_token(self, plain: Rest, signer: Signer) -> Token:
        """Ask for a token, and onboard the account for it where that is needed and possible.

        Raises:
            FatalError: the venue refuses the credentials, or does not know the account.
            NotSentError, RefusedError, UnknownOutcomeError: another try may succeed.
        """
        try:
            return await self.authenticate(plain, signer)
        except RefusedError as refused:
            _check_credentials(refused)
            if refused.code != "NOT_ONBOARDED":
                raise
        if not self.identity.ethereum_address:
            raise FatalError(
                f"the venue does not know the account {signer.account}: open it once on the venue's page, "
                "or name its Ethereum address in [account] ethereum_address"
            )
        try:
            await plain.call(
                rest.onboarding(
                    account=signer.account,
                    ethereum_account=self.identity.ethereum_address,
                    public_key=signer.public_key,
                    signature=signer.sign_onboarding().wire(),
                )
            )
            logger.info("[INIT] Paradex account onboarded: account={}", signer.account)
            return await self.authenticate(plain, signer)
        except RefusedError as refused:
            _check_credentials(refused)
            raise

    async def authenticate(self, plain: Rest, signer: Signer) -> Token:
        """Ask for a token. Raises what `Rest.call` does."""
        timestamp_s = self.clock.now_ms() // 1000
        expiration_s = timestamp_s + SIGNATURE_LIFE_S
        signature = signer.sign_auth(timestamp_s=timestamp_s, expiration_s=expiration_s)
        answer = await plain.call(
            rest.auth(
                account=signer.account,
                public_key=signer.public_key,
                signature=signature.wire(),
                timestamp_s=timestamp_s,
                expiration_s=expiration_s,
            )
        )
        self.redactor.register_token(Secret(answer.value.jwt_token))
        life = lifetime(answer.value.jwt_token)
        return Token(answer.value.jwt_token, trio.current_time() + life, life)


async def keep_token(login: Login, plain: Rest, signer: Signer, keeper: TokenKeeper) -> None:
    """Renew the token at 60 % of its life, or when the venue refuses it; try until that succeeds.

    While the old token lives a failure only costs another try. A refusal of the credentials is believed
    once there is no token left that contradicts it.
    """
    while True:
        token = keeper.token
        with trio.move_on_at(token.expires_at - (1 - REFRESH_AT) * token.lifetime):
            await keeper.wait_refused()
        backoff = Backoff(login.rng)
        while keeper.token is token:
            try:
                keeper.renewed(await login.authenticate(plain, signer))
                logger.debug("[AUTH] Paradex token renewed")
            except RequestError as failure:
                if isinstance(failure, RefusedError) and trio.current_time() >= token.expires_at:
                    _check_credentials(failure)
                delay = backoff.next_delay()
                logger.warning("[AUTH] Paradex token not renewed ({}), next try in {:.1f} s", failure, delay)
                await trio.sleep(delay)


async def keep_warm(login: Login, plain: Rest) -> None:
    """Touch each idle connection before the venue hangs up on it, one at a time, and reopen closed ones.

    What it is touched with measures the venue's clock, which has to be done now and then in any case.
    """
    clock, backoff = login.clock, Backoff(login.rng)
    while True:
        with trio.move_on_after(max(0.0, MEASURE_EVERY - clock.age())) as measure_next:
            await plain.connection_needs_warming()
        try:
            is_due = measure_next.cancelled_caught
            login.measure(await plain.call(rest.system_time(), gives_way=not is_due))
            backoff.succeeded()
            if is_due:
                # Should the connection have been a new one: it measured nothing.
                await trio.sleep(LEAST_INTERVAL)
        except RequestError as failure:
            delay = backoff.next_delay()
            logger.warning("[HTTP] Paradex connection not warmed ({}), next try in {:.1f} s", failure, delay)
            await trio.sleep(delay)


async def watch_wall(login: Login, plain: Rest) -> None:
    """When our clock jumps nothing is believed that was learnt before: not the venue's clock, nor the connections.

    A machine that slept, for one, does not know for how long, and the venue hung up on it meanwhile.
    """
    wall = WallWatch(login.clock.ours)
    while True:
        jump = await wall.jumped()
        logger.warning(
            "[TIME] Paradex connections and the venue's clock doubted: ours jumped by {:+.1f} s", jump
        )
        login.clock.doubt()
        plain.distrust_connections()


def read_markets(answer: MarketsAnswer, symbols: tuple[str, ...]) -> dict[str, Market]:
    """The rules of each market in ``symbols``. Raises FatalError for one that the venue does not have."""
    infos = {info.symbol: info for info in answer.results if info.symbol}
    for symbol in symbols:
        if symbol not in infos:
            near = difflib.get_close_matches(symbol, infos, n=1)
            hint = f", the nearest name is {near[0]}" if near else ""
            raise FatalError(f"[orders] markets: the venue has no market {symbol!r}{hint}")
    try:
        return {symbol: rest.read_market(infos[symbol]) for symbol in symbols}
    except ValueError as unreadable:
        raise FatalError(f"the rules of a market cannot be read: {unreadable}") from unreadable


def measure(clock: VenueClock, answer: Answer[SystemTime]) -> None:
    """Set the venue's clock by an answer, unless a handshake blurs how long it was on its way.

    Raises:
        UnknownOutcomeError: the answer is no time.
    """
    if not answer.reused:
        return
    try:
        server_time_ms = int(answer.value.server_time)
    except ValueError as unreadable:
        raise UnknownOutcomeError(f"GET /system/time: {unreadable}") from unreadable
    clock.measured(server_time_ms=server_time_ms, elapsed_ns=answer.elapsed_ns)


def _check_credentials(refused: RefusedError) -> None:
    if refused.code in CREDENTIAL_REFUSALS:
        raise FatalError(f"the venue refuses the credentials: {refused}") from refused
