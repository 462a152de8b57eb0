"""The errors only the HTTP edge knows, leaves of the tree in `recsys.errors`.

RecsysError
├── Unauthorized       nobody knows who sends this: a key or token that holds is needed
├── Forbidden          the key is not for this: another one is needed
└── TooMany            the same may be sent again, later
InvalidInput
├── MalformedBody      the body is no JSON
├── BodyTooLarge       the body, or the number of events in it, is over the limit
├── WrongMediaType     the body is not plain JSON by its own headers
├── NotThere           what is asked for does not exist
└── InvalidEvent
    ├── LateEvent      it happened too long ago for this way in; an import takes it
    └── FutureEvent    it has not happened yet: the sender's clock is wrong
"""

from recsys.errors import InvalidEvent, InvalidInput, RecsysError


class Unauthorized(RecsysError):
    """A request without a key or token that holds."""

    code = "unauthorized"


class Forbidden(RecsysError):
    """A request of a key that is not for it."""

    code = "forbidden"


class TooMany(RecsysError):
    """A request over a limit of how many there may be in a minute.

    Parameters
    ----------
    retry_after_s
        When there is room again, if nothing else comes.
    """

    code = "too_many"

    def __init__(self, said: str, retry_after_s: int) -> None:
        super().__init__(said)
        self.retry_after_s = retry_after_s


class MalformedBody(InvalidInput):
    """A body that is no JSON."""

    code = "malformed_body"


class BodyTooLarge(InvalidInput):
    """A body, or a batch, over the limit."""

    code = "too_large"


class WrongMediaType(InvalidInput):
    """A body whose headers say it is something else than plain JSON."""

    code = "unsupported_media_type"


class NotThere(InvalidInput):
    """What is asked for does not exist."""

    code = "unknown"


class LateEvent(InvalidEvent):
    """An event that happened too long ago."""

    code = "late_event"


class FutureEvent(InvalidEvent):
    """An event that has not happened yet."""

    code = "future_event"
