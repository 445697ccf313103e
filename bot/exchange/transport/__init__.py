"""Bytes: HTTP/1.1, and a link that takes time."""
