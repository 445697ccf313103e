"""The WebSocket interface: JSON-RPC calls, channels and who listens to them."""
