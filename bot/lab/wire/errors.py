"""What a row of the table can end with besides success."""


class RowFailedError(Exception):
    """The bot did not do what is right; the text says what it did."""
