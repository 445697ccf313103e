"""The network's faults outside virtual time: real bots, a real exchange, and the proxy between them."""
