"""What the catalogue raises."""

from __future__ import annotations

from glaciolake.catalog.addresses import without_secrets


class CatalogError(Exception):
    """Base of what `glaciolake.catalog` raises; its text says what, with which values, and what to do.

    Logins and signatures in the addresses that it names are taken out: errors are logged and stored.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(without_secrets(text))


class UnknownName(CatalogError):
    """A file or granule name that fits no grammar we know."""


class SearchFailed(CatalogError):
    """A search that failed or ended early; never to be read as "nothing found"."""


class UnknownLake(CatalogError):
    """A lake that the registry does not hold."""


class LakeInvalid(CatalogError):
    """A registry entry that contradicts itself."""


class CredentialsMissing(CatalogError):
    """No Earthdata token or netrc entry where one is needed."""


class StoreError(CatalogError):
    """A store that cannot be opened, read or written as asked."""
