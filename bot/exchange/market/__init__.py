"""What is traded here, what it is worth, who else trades it, and what was traded.

`listings`, `prices` and `events` know nothing of orders; the rest stands above `matching`.
"""
