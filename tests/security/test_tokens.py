"""S01, S09: forged tokens are refused, all of them; secrets change without a logout."""

import hmac
from base64 import b64encode, urlsafe_b64encode
from datetime import timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import ConfigError, InvalidInput
from serving import tokens
from serving.errors import Unauthorized
from serving.token_secrets import TokenSecrets, check_secrets, newest, rotate
from serving.tokens import mint, pseudonym, subject_of
from tests.planted import NOW
from tests.security.conftest import KID, LIFE, SECRET, bearer

OTHER = bytes(32)
GOOD = mint(SECRET, KID, "user-5001", audience="dapei", at=NOW, life=LIFE)
HEAD, SEAL = GOOD.rsplit(".", 1)
PAYLOAD = HEAD.split(".")[2]
CLAIMS = {"aud": "dapei", "exp": int(NOW.timestamp()) + 600, "iat": int(NOW.timestamp())}
CLAIMS["sub"] = "user-5001"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def other(one: str) -> str:
    """Another character, whose bytes differ."""
    return ALPHABET[ALPHABET.index(one) ^ 32]


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def sealed(payload: bytes, *, kid: str = KID, secret: bytes = SECRET, mark: str = "dpt1") -> str:
    """Whatever somebody says, with the right seal."""
    head = f"{mark}.{kid}.{text(payload)}"
    return f"{head}.{text(hmac.digest(secret, head.encode(), 'sha256'))}"


def saying(**more) -> str:
    return sealed(orjson.dumps({k: v for k, v in (CLAIMS | more).items() if v is not None}))


def jwt(algorithm: str, seal: str) -> str:
    return f"{text(orjson.dumps({'alg': algorithm, 'typ': 'JWT'}))}.{PAYLOAD}.{seal}"


NOW_S = int(NOW.timestamp())
# Sealed with the right secret, so each must fail by what it says.
SAYINGS = {
    "expired": saying(exp=NOW_S),
    "expired long ago": saying(iat=NOW_S - 9_000, exp=NOW_S - 1),
    "made in the future": saying(iat=NOW_S + 61, exp=NOW_S + 600),
    "too long": saying(exp=NOW_S + 7_201),
    "for ever": saying(exp=2**62),
    "ends before it begins": saying(exp=NOW_S - 5, iat=NOW_S - 2),
    "another shop's": saying(aud="other"),
    "audience in another case": saying(aud="Dapei"),
    "audience as a list": saying(aud=["dapei"]),
    "no audience": saying(aud=None),
    "no end": saying(exp=None),
    "no beginning": saying(iat=None),
    "no subject": saying(sub=None),
    "empty subject": saying(sub=""),
    "long subject": saying(sub="x" * 129),
    "subject with a line break": saying(sub="a\nb"),
    "subject that is a number": saying(sub=5),
    "subject that is a phone": saying(sub="13812345678"),
    "subject that is a phone with its country": saying(sub="+8613812345678"),
    "subject that is an openid": saying(sub="oABCD1234567890abcdefghijklm"),
    "end as text": saying(exp=str(NOW_S + 600)),
    "end as a fraction": saying(exp=NOW_S + 600.5),
    "end as truth": saying(exp=True),
    "beginning as text": saying(iat=str(NOW_S)),
    "more than it may": saying(scopes=["admin"]),
    "not before": saying(nbf=NOW_S),
    "a list": sealed(b"[1]"),
    "a text": sealed(b'"user-5001"'),
    "null": sealed(b"null"),
    "no JSON": sealed(b"aud=dapei"),
    "not a number": sealed(b'{"aud":"dapei","exp":NaN,"iat":1,"sub":"user-5001"}'),
    "endless": sealed(b'{"aud":"dapei","exp":Infinity,"iat":1,"sub":"user-5001"}'),
    "half a character": sealed(b'{"aud":"dapei","exp":9,"iat":1,"sub":"\xff"}'),
    "deep": sealed(b"[" * 700),
    "empty": sealed(b"x")[:14] + "." + SEAL,
}
KIDS = ["", "0", "../../etc", "..%2f..%2f", "00C0FFEE", "00c0ffe", "00c0ffee0", "deadbeef", "*"]
KIDS += ["00c0ffee\x00", "00c0ffee/", "null", "00c0ff e", "\u0660\u0660c0ffee", "a" * 5_000]
ALGORITHMS = ["none", "None", "NONE", "HS256", "HS512", "RS256", "ES256", "EdDSA"]
SHAPES = {
    "padded": GOOD + "=",
    "padded twice": GOOD + "==",
    "padded payload": f"dpt1.{KID}.{PAYLOAD}=.{SEAL}",
    "space before": " " + GOOD,
    "space behind": GOOD + " ",
    "line behind": GOOD + "\n",
    "two tokens": GOOD + " " + GOOD,
    "two with a comma": GOOD + "," + GOOD,
    "quoted": f'"{GOOD}"',
    "no seal": HEAD + ".",
    "no dot": HEAD,
    "one part more": GOOD + ".x",
    "another mark": GOOD.replace("dpt1", "dpt2"),
    "upper mark": GOOD.replace("dpt1", "DPT1"),
    "upper": GOOD.upper(),
    "seal of the other alphabet": HEAD + "." + b64encode(bytes(range(200, 232))).decode()[:43],
    "seal in hexadecimal": HEAD + "." + hmac.digest(SECRET, HEAD.encode(), "sha256").hex(),
    "seal of the payload alone": HEAD + "." + text(hmac.digest(SECRET, PAYLOAD.encode(), "sha256")),
    "another hash": HEAD + "." + text(hmac.digest(SECRET, HEAD.encode(), "sha512")[:32]),
    "another secret": sealed(orjson.dumps(CLAIMS), secret=OTHER),
    "an empty secret": sealed(orjson.dumps(CLAIMS), secret=b""),
    "the kid as secret": sealed(orjson.dumps(CLAIMS), secret=KID.encode()),
    "another's payload": f"dpt1.{KID}.{text(orjson.dumps(CLAIMS | {'sub': 'user-1'}))}.{SEAL}",
    "huge": "dpt1." + "A" * 100_000,
    "bare": "dpt1",
    "dots": "dpt1....",
    # The last character of 43 carries two bits that no byte shows.
    "same bytes, other text": GOOD[:-1] + ALPHABET[ALPHABET.index(GOOD[-1]) ^ 1],
    "same bytes, other payload": HEAD[:-1] + ALPHABET[ALPHABET.index(HEAD[-1]) ^ 1] + "." + SEAL,
}
CUTS = {f"seal cut to {n}": f"{HEAD}.{SEAL[:n]}" for n in range(1, 43)}
FLIPS = {
    f"character {at} of the seal": HEAD + "." + SEAL[:at] + other(one) + SEAL[at + 1 :]
    for at, one in enumerate(SEAL)
}
FORGED = (
    SAYINGS
    | SHAPES
    | CUTS
    | FLIPS
    | {f"kid {kid!r:.20}": sealed(orjson.dumps(CLAIMS), kid=kid) for kid in KIDS}
    | {f"JWT {one}": jwt(one, SEAL) for one in ALGORITHMS}
    | {f"JWT {one} without seal": jwt(one, "") for one in ALGORITHMS}
    | {f"mark {mark}": sealed(orjson.dumps(CLAIMS), mark=mark) for mark in ("", "jwt", "dpt0")}
    | {f"cut to {n}": GOOD[:n] for n in range(4, len(GOOD), 4)}
)


def read(token: str, **more) -> str:
    said = {"audience": "dapei", "at": NOW, "longest_s": 7_200} | more
    return subject_of(token, {KID: SECRET}, **said)


def accepted(forged) -> list[str]:
    """Which of them are taken for somebody's."""
    taken = []
    for name, token in forged.items():
        try:
            read(token)
        except Unauthorized:
            continue
        taken.append(name)
    return taken


def test_a_token_says_who_it_is_of():
    assert read(GOOD) == "user-5001"


def test_of_200_forged_tokens_none_is_taken():
    assert len(set(FORGED.values()) - {GOOD}) >= 200
    assert accepted(FORGED) == []


def test_without_comparing_seals_forged_ones_would_be_taken(monkeypatch):
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda _a, _b: True)
    assert len(accepted(FORGED)) > 40


def test_without_one_fixed_form_of_text_another_text_would_be_taken(monkeypatch):
    def as_bytes(said: str, sent: str) -> bool:
        return tokens.urlsafe_b64decode(said + "=") == tokens.urlsafe_b64decode(sent + "=")

    monkeypatch.setattr(tokens.hmac, "compare_digest", as_bytes)
    assert accepted(SHAPES) == ["same bytes, other text"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"), st.sampled_from("ird"))
def test_no_change_of_one_character_is_taken(at, other, how):
    put = {"i": other + GOOD[at], "r": other, "d": ""}[how]
    changed = GOOD[:at] + put + GOOD[at + 1 :]
    if changed == GOOD:
        return
    with pytest.raises(Unauthorized):
        read(changed)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=300))
def test_no_text_is_taken(said):
    with pytest.raises(Unauthorized):
        read(said)


SENDABLE = sorted(name for name, one in FORGED.items() if one.isprintable() and one.isascii())


@pytest.mark.parametrize("name", SENDABLE)
def test_over_http_a_forged_token_is_401_and_never_echoed(still_keyed, name):
    forged = FORGED[name]
    answer = still_keyed.client.post("/v1/lists", json={"scene": "home"}, headers=bearer(forged))
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert len(forged) < 20 or forged[5:] not in answer.text


HEADERS = {
    "two": lambda token: [("authorization", f"Bearer {token}")] * 2,
    "key and token": lambda token: [
        ("authorization", f"Bearer {token}"),
        ("authorization", "Bearer dpk_00000000_" + "A" * 43),
    ],
    "no scheme": lambda token: [("authorization", token)],
    "basic": lambda token: [("authorization", f"Basic {token}")],
    "two spaces": lambda token: [("authorization", f"Bearer  {token}")],
    "a tab": lambda token: [("authorization", f"Bearer\t{token}")],
    "nothing": lambda _token: [("authorization", "Bearer")],
    "empty": lambda _token: [("authorization", "")],
    "elsewhere": lambda token: [("x-authorization", f"Bearer {token}"), ("cookie", f"t={token}")],
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_token_counts_only_in_one_header_of_one_form(still_keyed, name):
    sent = HEADERS[name](still_keyed.token())
    answer = still_keyed.client.post("/v1/lists", json={"scene": "home"}, headers=sent)
    assert answer.status_code == 401


def test_a_token_in_the_query_is_none(still_keyed):
    said = {"token": still_keyed.token(), "access_token": still_keyed.token()}
    assert still_keyed.client.get("/v1/prefetch/home", params=said).status_code == 401


def asked(keyed, token) -> int:
    return keyed.client.post("/v1/lists", json={"scene": "home"}, headers=bearer(token)).status_code


def test_a_new_secret_logs_nobody_out_and_ends_the_old_one_after_its_grace(keyed, wait_for):
    old = keyed.token(life=timedelta(hours=2))
    keyed.secret = rotate(keyed.shop.home.keys, at=NOW, grace=timedelta(minutes=30))
    wait_for(lambda: asked(keyed, keyed.token()) == 200)
    assert asked(keyed, old) == 200
    keyed.shop.clock.move(minutes=29)
    assert asked(keyed, old) == 200
    keyed.shop.clock.move(minutes=1)
    assert asked(keyed, old) == 401
    assert asked(keyed, keyed.token()) == 200


def test_a_secret_that_never_ends_would_be_seen(keyed, wait_for, monkeypatch):
    """The negative control of S09."""
    monkeypatch.setattr(
        TokenSecrets, "good_at", lambda self, _at: {one.kid: one.secret for one in self._all}
    )
    old = keyed.token(life=timedelta(hours=2))
    keyed.secret = rotate(keyed.shop.home.keys, at=NOW, grace=timedelta(minutes=30))
    wait_for(lambda: asked(keyed, keyed.token()) == 200)
    keyed.shop.clock.move(minutes=30)
    assert asked(keyed, old) == 200


def test_grace_is_not_given_anew_by_a_second_rotation(tmp_path):
    first = rotate(tmp_path, at=NOW, grace=LIFE)
    rotate(tmp_path, at=NOW, grace=timedelta(minutes=1))
    third = rotate(tmp_path, at=NOW, grace=LIFE)
    secrets = TokenSecrets(tmp_path)
    secrets.look()
    assert first.kid in secrets.good_at(NOW)
    later = secrets.good_at(NOW + timedelta(minutes=2))
    assert first.kid not in later
    assert third.kid in later
    assert newest(tmp_path) == third


def test_secrets_lie_where_their_owner_alone_reads_them(tmp_path):
    rotate(tmp_path, at=NOW, grace=LIFE)
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600


def held(folder) -> set[str]:
    secrets = TokenSecrets(folder)
    secrets.look()
    return set(secrets.good_at(NOW))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"[{}]", b"null", b'[{"kid":"00c0ffee","secret":"","until_ms":null}]'],
)
def test_a_damaged_file_of_secrets_holds_nothing(tmp_path, content):
    rotate(tmp_path, at=NOW, grace=LIFE)
    (tmp_path / "tokens.json").write_bytes(content)
    assert held(tmp_path) == set()
    with pytest.raises(ConfigError):
        check_secrets(tmp_path)


def test_secrets_that_others_can_read_hold_nothing(tmp_path):
    made = rotate(tmp_path, at=NOW, grace=LIFE)
    assert held(tmp_path) == {made.kid}
    (tmp_path / "tokens.json").chmod(0o644)
    assert held(tmp_path) == set()


def test_when_the_secrets_go_their_tokens_go_with_them(keyed, wait_for):
    token = keyed.token()
    assert asked(keyed, token) == 200
    (keyed.shop.home.keys / "tokens.json").unlink()
    wait_for(lambda: asked(keyed, token) == 401)


@pytest.mark.parametrize("raw", ["13812345678", "8613912345678", "oABCD1234567890abcdefghijklm"])
def test_nobody_is_given_a_token_in_their_plain_name(raw):
    with pytest.raises(InvalidInput, match="allowed: a pseudonym"):
        mint(SECRET, KID, raw, audience="dapei", at=NOW, life=LIFE)


def test_a_pseudonym_is_the_same_for_the_same_person_and_app_only():
    one = pseudonym(SECRET, "wx01", "open-1")
    assert one == pseudonym(SECRET, "wx01", "open-1")
    others = {pseudonym(SECRET, "wx02", "open-1"), pseudonym(OTHER, "wx01", "open-1")}
    assert len(others | {one}) == 3
    assert read(mint(SECRET, KID, one, audience="dapei", at=NOW, life=LIFE)) == one
