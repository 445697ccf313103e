"""What keeps a session from being run again."""


class UnusableRecordingError(ValueError):
    """A record is of a wrong shape, or one that is needed is missing. It says which, and what is wrong."""
