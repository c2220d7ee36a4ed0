"""Entry point of `python -m mockvoice` and of the script `mockvoice`."""

import os
import signal
import sys
from types import FrameType


def _exit(signum: int, frame: FrameType | None) -> None:
    is_stopped = signum == signal.SIGTERM and "serve" in sys.argv
    os._exit(0 if is_stopped else 128 + signum)


def main() -> int:
    """Run the command line; a signal during imports ends it without a traceback.

    The kernel drops signals to PID 1 of a container that it does not handle.
    """
    before = {signum: signal.signal(signum, _exit) for signum in (signal.SIGINT, signal.SIGTERM)}
    from .cli import main as run

    for signum, handler in before.items():
        if signum == signal.SIGINT or "serve" not in sys.argv:  # `serve` handles SIGTERM itself
            signal.signal(signum, handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
