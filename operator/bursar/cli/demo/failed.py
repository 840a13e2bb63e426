"""How an act fails."""

from bursar.errors import BursarError


class DemoFailed(BursarError):  # noqa: N818 - named after what happened, as callers read it
    """The cluster did not do what an act claims; the text says what was found instead."""
