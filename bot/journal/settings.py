"""What can be set of the journal."""

import attrs

from bot.core.setting import setting


@attrs.frozen
class JournalSettings:
    """The ``[journal]`` table: where sessions are recorded, and how."""

    directory: str = setting(
        "", "folder of the recorded sessions; empty for paradex-bot in $XDG_STATE_HOME or in ~/.local/state"
    )
    account: str = setting(
        "hashed",
        "how our account stands in them; hashed: as a hash under a key that stays in that folder",
        choices=("hashed", "kept"),
    )
    fsync_interval: float = setting(
        1.0,
        "how long what is written may stay where a power cut takes it; 0 leaves that to the system",
        at_least=0,
        at_most=60,
        unit="seconds",
    )
    part_size: int = setting(
        64,
        "a session goes on in another file when one has grown so large, and the full one is compressed",
        at_least=1,
        at_most=4096,
        unit="MiB",
    )
