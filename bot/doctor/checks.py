"""Every check there is, in the order in which they are made, and why each matters."""

from bot.doctor import account, machine, venue, way
from bot.doctor.examination import Check
from bot.doctor.finding import SETTINGS
from bot.embedded import START_DEADLINE

CHECKS = (
    Check(name=SETTINGS, look=machine.settings, why="without them no run begins"),
    Check(name="key", look=machine.key, why="it signs every login and order, and whoever has it can trade"),
    Check(
        name="signer",
        look=machine.signer,
        why="each order waits for its signature, and everything else with it",
    ),
    Check(
        name="signature",
        look=machine.signature,
        why="a wrong signature is an order refused; two libraries rarely err in the same way",
    ),
    Check(
        name="state directory",
        look=machine.state_directory,
        why="there a session is recorded, and there a run finds what the one before left open",
    ),
    Check(
        name="disk",
        look=machine.disk,
        why="when it is full new orders are refused: their intent has to be recorded",
    ),
    Check(
        name="hashing key",
        look=machine.account_hash_key,
        why="accounts stand in recorded sessions as a hash under it, and so does the lock",
    ),
    Check(
        name="open files",
        look=machine.open_files,
        why="each connection and each file of the journal takes one",
    ),
    Check(
        name="venue",
        look=way.venue,
        why="the address and the environment decide with whose money is traded",
        deadline=START_DEADLINE + 2,
    ),
    Check(name="dns", look=way.dns, why="every connection begins with the name"),
    Check(
        name="tcp",
        look=way.tcp,
        why="a firewall, or nobody on that port, prevents every connection",
        deadline=65,
    ),
    Check(
        name="tls",
        look=way.tls,
        why="it proves that the venue answers and nobody else, and nobody reads along",
        deadline=65,
    ),
    Check(
        name="round trip",
        look=venue.round_trip,
        why="an order takes a warm one; a cold one is what it would take on a new connection",
        deadline=30,
    ),
    Check(
        name="clock",
        look=venue.clock,
        why="signatures carry venue time; a clock that is far off makes orders late, or their end uncertain",
    ),
    Check(name="state", look=venue.state, why="outside of ok the venue refuses orders"),
    Check(name="markets", look=venue.markets, why="they are subscribed to, and traded"),
    Check(
        name="address",
        look=account.address,
        why="every message is signed for it; for a wrong one all of them are refused",
    ),
    Check(
        name="lock",
        look=account.lock,
        why="one bot per account: two would each take the other's orders for foreign ones",
    ),
    Check(name="account", look=account.account, why="the venue lets in whom it knows"),
    Check(name="auth", look=account.auth, why="each private request and each WebSocket needs a token"),
    Check(name="token", look=account.token, why="an interactive one slows every order and cancel by 300 ms"),
    Check(
        name="websocket",
        look=account.websocket,
        why="only there an order is confirmed, and without it none is sent",
        deadline=20,
    ),
)
