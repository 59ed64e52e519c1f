"""What `glaciolake.pipeline` raises."""

from __future__ import annotations

from glaciolake.catalog.addresses import without_secrets


class PipelineError(Exception):
    """Base of what `glaciolake.pipeline` raises; its text says what, with which values, and what to do.

    Logins and signatures in the addresses that it names are taken out: errors are logged and stored.
    """

    def __init__(self, *texts: str) -> None:
        super().__init__(*(without_secrets(text) for text in texts))


LOGIN_REFUSED = "the login was refused"
"""How the reason begins of a granule that cannot be read because of the login."""


class LoginRefused(PipelineError):
    """The archive refuses the login again and again in mid-run: it has expired, or its terms have changed."""


class UnreadableGranule(PipelineError):
    """A granule whose file is missing, broken, or not what the catalogue says it is.

    Attributes
    ----------
    granule
        Name of the granule.
    href
        Address of the file, without login and query: passwords, signatures and tokens live there.
    reason
        What is wrong with it, without them as well: libraries repeat the address in their messages.
    """

    def __init__(self, granule: str, href: str, reason: str) -> None:
        shown = without_secrets(href.partition("?")[0])
        reason = reason.replace(href, shown)  # whole, also where a blank in it would end it for a reader
        super().__init__(granule, shown, reason)  # all of them, so that it survives pickling between workers
        self.granule, self.href, self.reason = self.args

    def __str__(self) -> str:
        return f"{self.granule}: {self.href}: {self.reason}"
