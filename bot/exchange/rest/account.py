"""What an account is told of itself: money, positions, margin, and what became of them (protocol reference 3.6)."""

import attrs
import msgspec

from bot.exchange.bodies import read_body
from bot.exchange.clearing.events import Busted, FundingPaid
from bot.exchange.clearing.reports import PositionReport, Summary, Transfer
from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.identity.stark import names
from bot.exchange.instruments.markets import check_market
from bot.exchange.matching.caller import Caller
from bot.exchange.rest.access import Access
from bot.exchange.rest.pages import Field, Listed, Listing, Pager
from bot.exchange.rest.parameters import LATEST_MS, required_market, whole_number
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request, json_answer
from bot.exchange.views import account as views

PAYMENTS = Listing[FundingPaid](
    "funding-payments", lambda paid: paid.created_at_ms, {"market": Field(lambda paid: paid.market)}
)
BUSTS = Listing[Busted]("tradebusts", lambda bust: bust.created_at_ms)
TRANSFERS = Listing[Transfer](
    "transfers",
    lambda transfer: transfer.created_at_ms,
    {
        "status": Field(
            lambda _transfer: "COMPLETED", frozenset({"PENDING", "AVAILABLE", "COMPLETED", "FAILED"})
        )
    },
)
TRANSACTIONS = Listing[Transfer]("transactions", lambda transfer: transfer.created_at_ms)


class _MarginRequest(msgspec.Struct):
    leverage: int
    margin_type: str
    on_behalf_of_account: str | None = None


_MARGIN = msgspec.json.Decoder(_MarginRequest)


@attrs.frozen
class AccountRoutes:
    """Reads of an account, and its leverage. There are main accounts only: no subaccounts, no isolated margin."""

    exchange: Exchange
    access: Access
    pager: Pager

    def routes(self) -> list[Route]:
        route = self.access.route
        return [
            route("GET", "/v1/account", self._account),
            route("GET", "/v1/account/info", self._info),
            route("GET", "/v1/account/summary", self._summary),
            route("GET", "/v1/account/subaccounts", lambda _request, _caller: json_answer({"results": []})),
            route("GET", "/v1/account/margin", self._margin),
            route("POST", "/v1/account/margin/{market}", self._set_margin),
            route("GET", "/v1/balance", self._balance),
            route("GET", "/v1/positions", self._positions),
            route("GET", "/v1/funding/payments", self._payments),
            route("GET", "/v1/tradebusts", self._busts),
            route("GET", "/v1/transfers", self._transfers),
            route("GET", "/v1/transactions", self._transactions),
            route("GET", "/v1/liquidations", self._liquidations),
        ]

    def _account(self, request: Request, caller: Caller) -> Answer:
        wanted = request.query.get("subaccount_address", "")
        if wanted and not names(wanted, caller.account.address):
            raise VenueError("ACCOUNT_NOT_FOUND", f"the account has no subaccount {wanted[:80]!r}")
        return json_answer(self._view(self._summary_of(caller)))

    def _summary(self, _request: Request, caller: Caller) -> Answer:
        return json_answer({"results": [self._view(self._summary_of(caller))]})

    def _info(self, _request: Request, caller: Caller) -> Answer:
        fees = self.exchange.clearing.fees(caller.account.address)
        return json_answer({"results": [views.account_info_view(caller.account, fees)]})

    def _margin(self, request: Request, caller: Caller) -> Answer:
        symbol, address = required_market(request, self.exchange.markets), caller.account.address
        leverage = self.exchange.clearing.leverage(address, symbol)
        return json_answer(views.margin_configs_view(address, [(symbol, leverage)]))

    def _set_margin(self, request: Request, caller: Caller) -> Answer:
        symbol, address = (
            check_market(request.params["market"], self.exchange.markets),
            caller.account.address,
        )
        wanted = read_body(request.body, _MARGIN)
        owner = wanted.on_behalf_of_account
        if owner and not names(owner, address):
            raise VenueError("REQUEST_NOT_ALLOWED", "there is no other account whose margin could be set")
        self.exchange.clearing.set_leverage(address, symbol, wanted.leverage, wanted.margin_type)
        return json_answer(views.margin_set_view(address, symbol, wanted.leverage))

    def _balance(self, _request: Request, caller: Caller) -> Answer:
        return json_answer({"results": [views.balance_view(self._summary_of(caller))]})

    def _positions(self, _request: Request, caller: Caller) -> Answer:
        reports = self.exchange.clearing.position_reports(caller.account.address)
        return json_answer({"results": [self._position(report) for report in reports]})

    def _payments(self, request: Request, caller: Caller) -> Answer:
        required_market(request, self.exchange.markets)
        address = caller.account.address
        rows = self.exchange.clearing.holdings(address).payments
        page = self.pager.page(PAYMENTS, address, rows, request.query)
        return json_answer(page.view(views.funding_payment_view))

    def _busts(self, request: Request, caller: Caller) -> Answer:
        address = caller.account.address
        rows = self.exchange.clearing.holdings(address).busts
        return json_answer(self.pager.page(BUSTS, address, rows, request.query).view(views.tradebust_view))

    def _transfers(self, request: Request, caller: Caller) -> Answer:
        address = caller.account.address
        rows = self.exchange.clearing.holdings(address).transfers
        return json_answer(self.pager.page(TRANSFERS, address, rows, request.query).view(views.transfer_view))

    def _transactions(self, request: Request, caller: Caller) -> Answer:
        # There is no chain here that could have any.
        page = self.pager.page(TRANSACTIONS, caller.account.address, Listed[Transfer](()), request.query)
        return json_answer(page.view(views.transfer_view))

    def _liquidations(self, request: Request, caller: Caller) -> Answer:
        start_ms = whole_number(request.query, "from", 0, 0, LATEST_MS)
        end_ms = whole_number(request.query, "to", LATEST_MS, 0, LATEST_MS)
        newest_first = self.exchange.clearing.holdings(caller.account.address).liquidations.backward()
        return json_answer(
            {
                "results": [
                    views.liquidation_view(liquidated)
                    for _, liquidated in newest_first
                    if start_ms <= liquidated.created_at_ms <= end_ms
                ]
            }
        )

    def _summary_of(self, caller: Caller) -> Summary:
        return self.exchange.clearing.summary(caller.account.address)

    def _view(self, summary: Summary) -> dict[str, object]:
        return views.summary_view(summary, seq_no=self.exchange.stamps.rest_seq.next())

    def _position(self, report: PositionReport) -> dict[str, object]:
        return views.position_view(report, seq_no=self.exchange.stamps.rest_seq.next())
