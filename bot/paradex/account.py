"""Requests for what the account traded and holds (protocol reference 3.1, 3.6). No I/O."""

from bot.paradex.answers import AccountInfosAnswer, AccountSummary, FillPage, PositionsAnswer
from bot.paradex.request import Request, with_query


def fills(
    *,
    market: str | None = None,
    start_at: int | None = None,
    end_at: int | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
    cause: int = 0,
) -> Request[FillPage]:
    """Fills by time (unix ms), both ends included, the newest first.

    ``cursor`` is `FillPage.next` of the page before, which was asked for with the same other parameters; a page has
    up to 5000 fills, 100 unless told otherwise.
    """
    path = with_query(
        "/fills", market=market, start_at=start_at, end_at=end_at, page_size=page_size, cursor=cursor
    )
    return Request(method="GET", path=path, answer=FillPage, cause=cause)


def positions(*, cause: int = 0) -> Request[PositionsAnswer]:
    """All positions of the account; some of them may be closed ones."""
    return Request(method="GET", path="/positions", answer=PositionsAnswer, cause=cause)


def summary(*, cause: int = 0) -> Request[AccountSummary]:
    """Money and margin."""
    return Request(method="GET", path="/account", answer=AccountSummary, cause=cause)


def infos(*, cause: int = 0) -> Request[AccountInfosAnswer]:
    """What kind of account it is, and what it pays; those of its isolated markets are listed too."""
    return Request(method="GET", path="/account/info", answer=AccountInfosAnswer, cause=cause)
