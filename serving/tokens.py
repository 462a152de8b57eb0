"""User tokens: short-lived, of one fixed form, made by the shop's backend for one person.

`dpt1.KID.PAYLOAD.SEAL`: PAYLOAD is the JSON object {"aud", "exp", "iat", "sub"} in base64url, SEAL
the HMAC-SHA-256 of everything before its dot, both without padding. There is nothing to negotiate.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from recsys.errors import InvalidInput
from recsys.events import TEXT_LIMITS, check_text
from serving.errors import Unauthorized

FORM = re.compile(r"(dpt1\.([0-9a-f]{8})\.([A-Za-z0-9_-]{1,1024}))\.([A-Za-z0-9_-]{43})", re.ASCII)
CLAIMS = {"aud": str, "exp": int, "iat": int, "sub": str}
# What two machines' clocks may be apart.
AHEAD_S = 60
# A person's number or the platform's id for them, instead of a pseudonym made of it.
_RAW = re.compile(r"(\+?86)?1[3-9]\d{9}|o[A-Za-z0-9_-]{27}", re.ASCII)


def pseudonym(secret: bytes, app_id: str, open_id: str) -> str:
    """A person's id for the recommender, which nobody without the secret makes or undoes.

    The shop's backend calls this with a secret of its own, which never comes here.
    """
    said = f"{app_id}\n{open_id}".encode()
    return _text(hmac.digest(secret, said, "sha256"))


def mint(secret: bytes, kid: str, sub: str, *, audience: str, at: datetime, life: timedelta) -> str:
    """A token for one person, as a shop's backend makes it.

    Parameters
    ----------
    kid
        Which of the shop's secrets this is.
    sub
        The person's pseudonym.

    Raises
    ------
    InvalidInput
        The subject is no id, or says a phone number or a platform's id openly.
    """
    _check_subject(sub)
    iat = int(at.timestamp())
    claims = {"aud": audience, "exp": iat + int(life.total_seconds()), "iat": iat, "sub": sub}
    sealed = f"dpt1.{kid}.{_text(orjson.dumps(claims))}"
    return f"{sealed}.{_text(_seal(secret, sealed))}"


def subject_of(
    token: str, secrets: Mapping[str, bytes], *, audience: str, at: datetime, longest_s: int
) -> str:
    """Whom a token speaks for.

    Parameters
    ----------
    secrets
        Those that hold now, by kid.
    longest_s
        Seconds that a token may be good for.

    Raises
    ------
    Unauthorized
        It is none of ours, not for this shop, or not good now; which of these is not told.
    """
    found = FORM.fullmatch(token)
    secret = secrets.get(found[2]) if found else None
    if found is None or secret is None:
        raise _refused()
    # Compared as text: the last of 43 characters has bits that bytes would not show.
    if not hmac.compare_digest(_text(_seal(secret, found[1])), found[4]):
        raise _refused()
    claims = _claims(found[3])
    now = at.timestamp()
    is_good = (
        claims["aud"] == audience
        and claims["iat"] <= now + AHEAD_S
        and claims["iat"] < claims["exp"] <= claims["iat"] + longest_s
        and now < claims["exp"]
    )
    if not is_good:
        raise _refused()
    sub: str = claims["sub"]
    return sub


def _claims(payload: str) -> dict[str, Any]:
    try:
        raw = urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        claims = orjson.loads(raw)
    except ValueError as cause:
        raise _refused() from cause
    if type(claims) is not dict or claims.keys() != CLAIMS.keys():
        raise _refused()
    if any(type(claims[name]) is not kind for name, kind in CLAIMS.items()):
        raise _refused()
    try:
        _check_subject(claims["sub"])
    except InvalidInput as cause:
        raise _refused() from cause
    return claims


def _check_subject(sub: str) -> None:
    check_text("sub", sub, limit=TEXT_LIMITS["user_id"], error=InvalidInput)
    if _RAW.fullmatch(sub):
        raise InvalidInput(
            "sub says a phone number or a platform's id openly; allowed: a pseudonym made of it"
        )


def _refused() -> Unauthorized:
    return Unauthorized("the user token is not valid; allowed: a new one from the shop's backend")


def _seal(secret: bytes, sealed: str) -> bytes:
    return hmac.digest(secret, sealed.encode("ascii"), "sha256")


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
