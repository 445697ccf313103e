"""Somebody with a subkey, for the tests that need one."""

from typing import Any

from exchange_stage import HttpClient, Reply, Trader

SUBKEYS = "/v1/account/keys/subkeys"


class Subtrader(Trader):
    """Somebody with a key of their own who speaks for another's account."""

    def __init__(self, main: Trader, key: int = 0xABCDEF) -> None:
        super().__init__(key)
        self.address = main.address

    @property
    def body(self) -> dict[str, Any]:
        return {"name": "desk", "public_key": hex(self.public_key)}

    @property
    def path(self) -> str:
        return f"{SUBKEYS}/{self.public_key:#x}"

    async def authenticate(self, client: HttpClient, query: str = "") -> Reply:
        path = f"/v1/auth/{self.public_key:#x}{query}"
        reply = await client.request("POST", path, headers=self.auth_headers())
        if reply.status == 200:
            self.token = reply.json()["jwt_token"]
        return reply


def refused(reply: Reply) -> tuple[int, str]:
    """Status and code of a refusal, whose form is checked on the way."""
    body = reply.json()
    assert set(body) == {"error", "message", "data"}
    return reply.status, body["error"]
