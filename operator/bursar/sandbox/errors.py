"""What can go wrong with a sandbox, said in one line that names what to look at."""

from __future__ import annotations

from bursar.errors import BursarError


class SandboxError(BursarError):
    """A sandbox cannot be started, stopped or found; the text says why and where to look.

    Attributes:
        exit_code: What the command line exits with.
    """

    exit_code: int = 1


class SandboxRunning(SandboxError):  # noqa: N818 - it is a state, and the caller's mistake
    """The directory already holds a sandbox that lives."""

    exit_code: int = 2
