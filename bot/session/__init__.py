"""The connection's life: login, generations of the WebSocket, and the capabilities they hand over."""
