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
# Redis is waited for as long as it takes.
PATIENT_OF_REDIS = with_defect("""
import serving.hot_redis as h
h.CONNECT_S = h.FORGET_S = 60.0
h.RedisHot.__init__.__kwdefaults__["read_s"] = 60.0
""")
# Events are acknowledged a while before they are written.
EAGER = with_defect("""
import time
import data.writer as w
from data.record import Outcome
honest = w.Writer._commit
def hasty(self, waiting, lists):
    for one in waiting:
        one.answer.set_result([Outcome.ACCEPTED] * len(one.batch.events))
    time.sleep(0.4)
    self._record.write([one.batch for one in waiting], lists)
w.Writer._commit = hasty
""")
# Events for which there is no room are acknowledged like any others.
FORGETFUL = with_defect("""
import data.writer as w
from data.record import Outcome
from recsys.errors import StoreUnavailable
honest = w.Writer.submit
async def submit(self, events, received_at):
    try:
        return await honest(self, events, received_at)
    except StoreUnavailable:
        return [Outcome.ACCEPTED] * len(events)
w.Writer.submit = submit
""")
# The loop itself waits until events are written.
HELD_LOOP = with_defect("""
from types import SimpleNamespace
import data.writer as w
async def answered(future):
    return future.result()
w.asyncio = SimpleNamespace(wrap_future=answered)
""")
# Bundles that were in use are never let go of.
KEEPING = with_defect("""
import serving.bundles as b
kept, honest = [], b.Watcher._swap
def keep(self, made):
    kept.append(made)
    honest(self, made)
b.Watcher._swap = keep
""")
# A clock that has gone back is none.
FORWARD_ONLY = with_defect("""
import serving.service as s
from recsys.errors import StoreUnavailable
honest, latest = s.utc_now, [s.utc_now()]
def forward():
    now = honest()
    if now < latest[0]:
        raise StoreUnavailable("the clock went back")
    latest[0] = now
    return now
s.Service.of.__func__.__globals__["utc_now"] = forward
s.Service.__init__.__kwdefaults__["now"] = forward
""")
# Every list leaves a file open.
LEAKING = with_defect("""
import os
import serving.service as s
honest = s.Service.recommend
def leaky(self, *said, **more):
    os.open(os.devnull, os.O_RDONLY)
    return honest(self, *said, **more)
s.Service.recommend = leaky
""")


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skips a test, aloud, where a program is missing."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"NOT TESTED: {missing} not installed")
