"""What `glaciolake.pipeline` raises."""


class PipelineError(Exception):
    """Base of what `glaciolake.pipeline` raises; its text says what, with which values, and what to do."""
