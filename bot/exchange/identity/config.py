"""What ``GET /system/config`` says: the chain whose signatures the exchange accepts (protocol reference 1)."""

from typing import Any

CHAIN_ID = "PRIVATE_SN_POTC_SEPOLIA"
"""Testnet's. The official SDK knows four chain ids and refuses others (section 10, item 10)."""

PROXY_HASH = 0x3530CC4759D78042F1B543BF797F5F3D647CDE0388C33734CF91B7F7B9314A9
ACCOUNT_HASH = 0x41CB0280EBADAA75F996D8D92C6F265F6D040BB3BA442E5F86A554F1765244E

# Contracts of a chain that does not exist: well-formed, and nobody's.
_CONTRACT = "0x4638e3041366aa71720be63e32e53e1223316c7f0d56f7aa617542ed1e7554d"
USDC_ADDRESS = _CONTRACT
"""The settlement asset."""

_L1_CONTRACT = "0x63e762538C70442758Fd622116d817761c94FD6A"


def system_config() -> dict[str, Any]:
    """The SystemConfigResponse object, with every field of the specification."""
    return {
        "starknet_chain_id": CHAIN_ID,
        "starknet_fullnode_rpc_url": "https://rpc.api.testnet.paradex.trade/rpc/v0_10",
        "starknet_fullnode_rpc_base_url": "https://rpc.api.testnet.paradex.trade",
        "starknet_gateway_url": "",
        "block_explorer_url": "https://voyager.testnet.paradex.trade/",
        "environment": "embedded",
        "paraclear_address": _CONTRACT,
        "paraclear_decimals": 8,
        "paraclear_account_hash": hex(ACCOUNT_HASH),
        "paraclear_account_proxy_hash": hex(PROXY_HASH),
        "paraclear_evm_account_hash": hex(ACCOUNT_HASH),
        "oracle_address": _CONTRACT,
        "dime_staking_contract_address": _CONTRACT,
        "universal_deployer_address": "0x41a78e741e5af2fec34b695679bc6891742439f7afb8484ecd7766661ad02bf",
        "l1_chain_id": "11155111",
        "l1_core_contract_address": _L1_CONTRACT,
        "l1_operator_address": _L1_CONTRACT,
        "l1_relayer_address": _L1_CONTRACT,
        "l2_relayer_address": _CONTRACT,
        "liquidation_fee": "0.2",
        "partial_liquidation_buffer": "0.2",
        "partial_liquidation_share_increment": "0.05",
        "assets_limit_per_account": 550,
        "bridged_tokens": [
            {
                "name": "TEST USDC",
                "symbol": "USDC",
                "decimals": 6,
                "l1_token_address": _L1_CONTRACT,
                "l1_bridge_address": _L1_CONTRACT,
                "l2_token_address": USDC_ADDRESS,
                "l2_bridge_address": _CONTRACT,
            }
        ],
    }
