"""The verb `doctor`: looks at everything that a run needs, one by one, and changes nothing."""
