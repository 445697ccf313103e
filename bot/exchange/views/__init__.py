"""What REST and WebSocket show alike: the venue's JSON objects, one module a subject."""
