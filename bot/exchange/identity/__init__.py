"""Who is who: accounts, keys, signatures and tokens."""
