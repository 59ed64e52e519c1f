"""Addresses as people may see them: without the logins and signatures that they can carry."""

from __future__ import annotations

import logging
import re

READERS_LOGS = ("rasterio._env", "rasterio._err", "odc.loader._rio")
"""Loggers of the libraries that read rasters; they repeat addresses as they were given."""
_USER = re.compile(
    r"""(?<![a-z0-9+.-])(?!file:)([a-z][a-z0-9+.-]*://)      # scheme; a file's name is no secret
        (?: [^\s/?#"<>]*@                                    # bob:hunter2@, bob@
          | [^\s/?#"<>@:\[]*:(?!\d{1,5}(?:[/?#\s"']|$))[^\s"<>]*@ )  # hunter/2@: not encoded, yet meant so
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TO_ITS_END = r"""(?:[^\s"'<>`]|'(?=[\w%]))*(?<![).,;:\]}])"""
"""Up to a blank or a closing quote; the text's own punctuation after it stays."""
_QUERY = re.compile(
    r"""(?<![a-z0-9+.-])(?!file:)([a-z][a-z0-9+.-]*://[^\s?#"'<>`]*)[?#]""" + _TO_ITS_END, re.IGNORECASE
)
_BARE_QUERY = re.compile(r"""(?<=[\w/.~%-])\?[\w.~%\[\]-]+=""" + _TO_ITS_END)
_BARE_PATH = re.compile(r"""(\burl: /[^\s?]*)\?""" + _TO_ITS_END)
"""HTTP libraries name host and path apart: ``Max retries exceeded with url: /catalog.json?token``."""


def without_secrets(text: str) -> str:
    """Take user, password, query and fragment out of every address in a text.

    Signed addresses carry their signature in the query, and some people write logins into theirs. What is
    left says which file of which server is meant. A text that was cut before may end inside a password;
    clean it first.

    Parameters
    ----------
    text
        Any text: an address, a message, a whole report. Addresses are those with a scheme (``https://``,
        ``s3://``, also behind ``/vsicurl/``), paths of this machine (``file://``) excepted.

    Returns
    -------
    str
        The text, all else as it was; cleaned twice it is the same.

    Examples
    --------
    >>> without_secrets("'/vsicurl/https://bob:hunter2@host/a.tif?sig=1' not recognized")
    "'/vsicurl/https://host/a.tif' not recognized"
    """
    text = _USER.sub(r"\1", text)
    text = _QUERY.sub(r"\1", text)
    return _BARE_QUERY.sub("", _BARE_PATH.sub(r"\1", text))


def hide_secrets_in_logs() -> None:
    """Pass what `READERS_LOGS` of this process say through `without_secrets`, from now on."""
    for name in READERS_LOGS:
        logger = logging.getLogger(name)
        if _hide not in logger.filters:
            logger.addFilter(_hide)


def _hide(record: logging.LogRecord) -> bool:
    record.msg, record.args = without_secrets(record.getMessage()), ()
    return True
