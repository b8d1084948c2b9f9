"""What ties a child process to its parent: it does not live longer, whatever happens to either."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TypeVar

from msgspec import Struct, json

S = TypeVar("S", bound=Struct)

_PR_SET_PDEATHSIG = 1


class Lifeline:
    """A child's standard input and output, which are pipes from and to its parent, taken out of reach of the model.

    One line of settings comes in, one line of news goes out. The parent keeps the pipe open while it
    lives: the end of the input says that it is gone, or that the child should end.
    """

    def __init__(self) -> None:
        self._input = os.fdopen(os.dup(0), "rb")
        self._output = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def settings(self, kind: type[S]) -> S:
        """The line of settings. Ends the process if there is none: the parent is gone."""
        line = self._input.readline()
        if not line:
            sys.exit(1)
        return json.decode(line, type=kind)

    def tell(self, news: str) -> None:
        """Send a line to the parent, which reads no more than one."""
        self._output.write(json.encode(news) + b"\n")
        self._output.close()

    def fileno(self) -> int:
        """Readable when the parent is gone."""
        return self._input.fileno()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, even if it hangs by then or is stopped.

    Ctrl-C in a terminal reaches all processes; what it means is for the topmost alone to decide.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)
