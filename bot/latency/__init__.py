"""Where the time of an order goes: its moments, whose time each part of it was, and distributions of that."""
