"""Defects put back into the service, for negative controls: programs that patch, then serve."""

import shutil
import sys

import pytest

SERVE = "\nimport dapei; dapei.main()"


def with_defect(patch: str) -> tuple[str, ...]:
    """The command with a line of code run before it."""
    return (sys.executable, "-c", patch + SERVE)


# uvicorn as it comes: idle and accepted connections are closed at once when it is told to stop.
PLAIN_STOP = with_defect(
    "import uvicorn, serving.draining as d; d.Server.shutdown = uvicorn.Server.shutdown"
)
# Acknowledges what could not be written.
EARLY_ANSWER = with_defect("""
import data.writer as w
from data.record import Outcome
def lie(waiting, failure):
    for one in waiting:
        one.answer.set_result([Outcome.ACCEPTED] * len(one.batch.events))
w._fail = lie
""")
# A failed fsync is tried again: the second succeeds without the pages that the first one lost.
FSYNC_AGAIN = with_defect("import data.record_store as r; r._disk_failure = lambda cause: None")
# Requests may take as long as they like to arrive.
PATIENT = with_defect("import serving.draining as d; d.ARRIVE_S = 3_600.0")
# The bundle of a request is read twice: from before a swap and from after it.
TWO_READS = with_defect("""
import serving.service as s, serving.bundles as b
first = []
honest = b.Watcher.look_for_bundle
def look(self):
    honest(self)
    if self.current is not None:
        first.append(self.current.shelf)
b.Watcher.look_for_bundle = look
encoded = s.encoded
s.encoded = lambda answer, shelf, *more: encoded(answer, first[0], *more)
""")


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skips a test, aloud, where a program is missing."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"NOT TESTED: {missing} not installed")
