"""Servers that a benchmark starts end with it, however it ends."""

import ctypes
import signal
import sys

# From Linux's <sys/prctl.h>: which signal a process gets when the thread that started it is gone.
PR_SET_PDEATHSIG = 1

# Loaded before any fork: between fork and exec nothing may be imported.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def leashed() -> None:
    """For a child between fork and exec: SIGTERM when who started it is gone; else no change."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
