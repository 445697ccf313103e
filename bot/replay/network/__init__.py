"""Replay on the virtual network: the whole bot, unchanged, against a venue that does what was recorded.

`stage.play` puts both on the network, `faulted.play_with_fault` adds a fault; a recording goes in, and what came of
it comes out. In between: `score` sorts the records, `question` says what each asked, by whichever way, `agenda` does
one thing at a time, `venue` matches questions with recorded ones, `answers`, `wording` and `sockets` say what the
venue says, `orders` knows what it has of each order, and `story` and `verdict` compare.
"""
