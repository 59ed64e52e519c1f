"""What `glaciolake.pipeline` raises."""


class PipelineError(Exception):
    """Base of what `glaciolake.pipeline` raises; its text says what, with which values, and what to do."""


class UnreadableGranule(PipelineError):
    """A granule whose file is missing, broken, or not what the catalogue says it is.

    Attributes
    ----------
    granule
        Name of the granule.
    href
        Address of the file, without a query: signatures and tokens live there.
    reason
        What is wrong with it.
    """

    def __init__(self, granule: str, href: str, reason: str) -> None:
        href = href.partition("?")[0]
        super().__init__(granule, href, reason)  # all of them, so that it survives pickling between workers
        self.granule = granule
        self.href = href
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.granule}: {self.href}: {self.reason}"
