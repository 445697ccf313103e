"""Bytes: HTTP/1.1, WebSockets, and a link that takes time."""
