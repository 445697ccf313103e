"""Values and rules of trading: no I/O, no trio, no logging, no clock but the one that is passed in."""
