"""Where the private key is found, and the type that never shows one."""

import attrs

from bot.core.setting import setting


@attrs.frozen
class AccountSettings:
    """The ``[account]`` table: whose orders these are, and where the key is. Never the key itself."""

    address: str = setting(
        "", "account address, 0x…; empty to derive it from the key (a subkey must name it)"
    )
    key_name: str = setting("paradex-key", "file name looked for in $CREDENTIALS_DIRECTORY and /run/secrets")
    key_file: str = setting("", "file of mode 0600 that holds the private key; ~ is understood")
    key_env: str = setting("PARADEX_PRIVATE_KEY", "environment variable that holds the private key")
