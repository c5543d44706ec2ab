"""What can go wrong at the API server, named by its remedy; api.py translates foreign errors into these."""

from __future__ import annotations


class ClusterError(Exception):
    """Something did not work. It is tried again, later and later; ``retry_after`` is the server's wish."""

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class ConflictError(ClusterError):
    """The object changed meanwhile: look again, at once."""


class MissingError(ClusterError):
    """The object is not there."""


class RefusedError(ClusterError):
    """The API server refuses the object or the access: a person has to change something."""

    reason = "Refused"


class ForeignObjectError(RefusedError):
    """An object of this name belongs to somebody else."""

    reason = "NameTaken"


class NotLeadingError(ClusterError):
    """This operator may not write: it is not, or no longer, the leader."""
