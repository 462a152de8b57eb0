"""Bodies nobody should send, as bytes on a real socket: never an answer of 5xx."""

import orjson
import pytest

from tests.serving.running import raw_answer, running

EVENT = b'{"event_id":"e","user_id":"user-5001","item_id":"item-1","type":"play","at":%s}'
NUMBERS = [
    b"NaN",
    b"-NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"9" * 5_000,
    b"1" + b"0" * 400 + b".5",
    b"1e-999",
    b"-0",
    b"0x10",
    b"01",
    b"1_000",
    b"+1",
    b".5",
    b"true",
    b"null",
    b'"20"',
    b"[20]",
]
TEXTS = [
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"a\\u0000b"',
    b'"\x00"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\xc0\xaf"',
    b'"\xf4\x90\x80\x80"',
    b'"' + b"a" * 100_000 + b'"',
    b'"\\u202e\\u0007"',
    b'"../../etc/passwd"',
    b'"\' OR 1=1 --"',
    b'"a:b*\\r\\nX-Evil: 1"',
    b'"\\x41"',
    b'""',
    b"{}",
]
WHOLES = [
    b"",
    b" ",
    b"\x00",
    b"\xef\xbb\xbf{}",
    b"{",
    b"}",
    b"[]",
    b"null",
    b"0",
    b'"x"',
    b"{}{}",
    b"{,}",
    b'{"scene"}',
    b"{'scene': 'home'}",
    b'{"scene":"home",}',
    b'// comment\n{"scene":"home"}',
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"scene":"home","events":[]}',
    b'{"scene":"home","scene":5,"events":5,"events":[]}',
    b"\xff\xfe{\x00}\x00",
    bytes(range(256)),
    b'{"__proto__":{},"constructor":1}',
    b"scene=home",
    b"<scene>home</scene>",
]
BODIES = (
    WHOLES
    + [b'{"scene":"home","k":%s}' % number for number in NUMBERS]
    + [b'{"scene":"home","user_id":%s}' % text for text in TEXTS]
    + [b'{"scene":%s}' % text for text in TEXTS]
    + [b'{"scene":"home","exclude":[%s]}' % text for text in TEXTS]
    + [b'{"events":[' + EVENT % number + b"]}" for number in NUMBERS]
    + [b'{"events":[' + EVENT % text + b"]}" for text in TEXTS]
    + [b'{"events":[%s]}' % value for value in NUMBERS + TEXTS]
    + [b'{"events":[{"props":' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}]}"]
)
HEADERS = [
    b"content-type: application/json; charset=utf-16\r\ncontent-length: 2",
    b"content-type: multipart/form-data; boundary=x\r\ncontent-length: 2",
    b"content-type: \xff\xff\r\ncontent-length: 2",
    b"content-length: 2",
    b"content-type: application/json\r\ncontent-encoding: br\r\ncontent-length: 2",
    b"content-type: application/json\r\ncontent-length: 99999999999999999999",
    b"content-type: application/json\r\ncontent-length: 9999999999",
    b"content-type: application/json\r\ncontent-length: -1",
    b"content-type: application/json\r\ncontent-length: 2\r\ncontent-length: 3",
    b"content-type: application/json\r\ntransfer-encoding: chunked\r\nx: y",
    b"content-type: application/json\r\ncontent-length: 2\r\nx: " + b"y" * 65_536,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with running(tmp_path_factory.mktemp("served")) as served:
        yield served


def sent(served, path: bytes, headers: bytes, body: bytes) -> tuple[int, bytes]:
    head = b"POST %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n" % path
    answer = raw_answer(served.port, head + headers + b"\r\n\r\n" + body)
    first, _, rest = answer.partition(b"\r\n")
    return int(first.split()[1]), rest.partition(b"\r\n\r\n")[2]


def test_the_corpus_is_large_enough():
    assert len(set(BODIES)) >= 40


@pytest.mark.parametrize("path", [b"/v1/lists", b"/v1/events"])
@pytest.mark.parametrize("number", range(len(BODIES)))
def test_a_malformed_body_is_answered_and_never_with_5xx(served, path, number):
    body = BODIES[number]
    headers = b"content-type: application/json\r\ncontent-length: %d" % len(body)
    status, answer = sent(served, path, headers, body)
    said = orjson.loads(answer)
    if status in (200, 202):
        assert "list_id" in said or "rejected" in said
    else:
        assert 400 <= status < 500
        assert set(said) == {"error", "detail"}
        assert len(answer) < 2_000


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_malformed_headers_are_answered_and_never_with_5xx(served, number):
    body = b"2\r\n{}\r\n0\r\n\r\n" if b"chunked" in HEADERS[number] else b"{}"
    status, _ = sent(served, b"/v1/lists", HEADERS[number], body)
    assert 400 <= status < 500


def test_the_service_still_answers_afterwards(served):
    assert served.post("/v1/lists", {"scene": "home"})[0] == 200
