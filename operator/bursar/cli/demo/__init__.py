"""`bursar demo`: Bursar at work on a real API server, told in acts that each prove one thing.

Every figure shown is read back from the API server, the metrics endpoint or the read API; an act
waits for a condition with a deadline, and the demo fails where a claim does not hold. The fleet
and the pods' lives are faked by kwok, prices are list prices times 60, and no clock is faked.
"""

__all__ = ["play"]


def play(*, keep: bool) -> None:
    """Play all acts in a sandbox of their own.

    Args:
        keep: leave the sandbox running at the end, and say how to use and end it.

    Raises:
        DemoFailed: an act did not show what it claims; nothing is left running.
        SandboxError: the sandbox could not be started.
    """
    from bursar.cli.demo.theater import perform

    perform(keep=keep)
