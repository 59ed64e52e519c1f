"""What `glaciolake.cluster` raises."""


class ClusterError(Exception):
    """Base of what `glaciolake.cluster` raises; its text says what, with which values, and what to do."""
