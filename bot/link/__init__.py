"""The only modules that touch the outside: HTTP, WebSocket, keys, clocks."""
