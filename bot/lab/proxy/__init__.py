"""The network's faults on real sockets: a TCP proxy between a client and its server."""
