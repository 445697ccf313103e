"""The cancellation sweep: one scripted session, played once for each checkpoint in it, and cancelled there."""
