"""An order's round trip to an exchange in another process: by this bot, by a bare socket, by other clients."""
