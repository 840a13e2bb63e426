"""What every act needs: the cluster, the screen, waiting for a condition, and how to fail."""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bursar.cli.demo.cluster import Cluster
from bursar.cli.demo.failed import DemoFailed
from bursar.cli.demo.screen import Screen
from bursar.cli.demo.view import Snapshot
from bursar.domain.time import Ms

Found = TypeVar("Found")

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Stage:
    """The demo in progress.

    Attributes:
        accepted: names of the pods that the API server took while the operator was dead.
        until: end of the window (ms, a whole second) that the proof and the report share.
    """

    cluster: Cluster
    screen: Screen
    accepted: list[str] = field(default_factory=list)
    until: Ms = 0

    def wait(self, what: str, seconds: float, look: Callable[[], Found | None]) -> Found:
        """Show the cluster until something is there.

        Args:
            what: what is waited for, in words.
            seconds: how long at most.
            look: gives it; None while it is not there.

        Raises:
            DemoFailed: it did not come in time.
        """
        deadline = time.monotonic() + seconds
        shown = 0.0
        with self.screen.live(what) as show:
            while True:
                found = look()
                if found is not None:
                    return found
                if time.monotonic() > deadline:
                    raise DemoFailed(f"waited {seconds:.0f} s in vain for {what}")
                if time.monotonic() - shown > _LOOK_SECONDS:
                    show(Snapshot.read(self.cluster))
                    shown = time.monotonic()
                time.sleep(_POLL_SECONDS)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl and show the command and all that it said.

        Returns:
            What it said on standard error: warnings.

        Raises:
            DemoFailed: it failed.
        """
        done = self.cluster.kubectl(*arguments)
        self.screen.quote(shlex.join(["kubectl", *arguments]), done.stdout + done.stderr)
        if done.returncode:
            raise DemoFailed(f"kubectl {arguments[0]} failed with {done.returncode}")
        return done.stderr


def need(holds: bool, otherwise: str) -> None:
    """Fail the demo where a claim does not hold.

    Raises:
        DemoFailed: it does not; the text says what was found.
    """
    if not holds:
        raise DemoFailed(otherwise)
