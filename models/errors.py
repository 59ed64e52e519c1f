"""What `glaciolake.models` raises."""


class ModelError(Exception):
    """Base of what `glaciolake.models` raises; its text says what, with which values, and what to do."""
