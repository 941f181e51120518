from __future__ import annotations

import pytest

from tests.support.load.answer import LINE_LIMIT, Answer, MalformedAnswerError

HEAD = b"HTTP/1.1 200 OK\r\nx-name: demo\r\nX-Version: v1\r\n"
FIXED = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\n"


def fed(data: bytes) -> Answer:
    answer = Answer()
    answer.feed(data)
    return answer


@pytest.mark.parametrize(
    "data",
    [
        FIXED,
        CHUNKED + b"\r\n",
        CHUNKED + b"Expires: never\r\n\r\n",
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD.replace(b"200", b"204") + b"\r\n",
    ],
)
def test_an_answer_is_complete_with_its_last_byte_however_it_is_cut(data: bytes) -> None:
    whole, in_bytes = fed(data), Answer()
    for index in range(len(data)):
        assert not in_bytes.complete
        in_bytes.feed(data[index : index + 1])

    for answer in (whole, in_bytes):
        assert answer.complete
        assert answer.keep_alive
        assert (answer.name, answer.version) == ("demo", "v1")


def test_an_answer_to_a_head_request_has_no_body() -> None:
    answer = Answer(is_to_head=True)

    answer.feed(FIXED.removesuffix(b"hello"))

    assert answer.complete


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    answer = fed(HEAD + b"\r\nhello")

    assert not answer.complete
    assert answer.ends_at_close
    assert not answer.keep_alive


def test_an_answer_may_ask_to_close() -> None:
    assert not fed(FIXED.replace(b"x-name: demo", b"Connection: Close")).keep_alive


def test_a_connection_that_says_more_than_was_asked_is_not_kept() -> None:
    answer = fed(FIXED + b"HTTP/1.1 200 OK")

    assert answer.complete
    assert not answer.keep_alive


def test_nothing_has_begun_before_the_first_byte() -> None:
    assert not Answer().begun
    assert fed(b"H").begun
    assert fed(FIXED[:-1]).begun


@pytest.mark.parametrize(
    "data",
    [
        b"220 smtp.example.org ESMTP\r\n\r\n",
        b"HTTP/1.1 twohundred\r\n\r\n",
        HEAD + b"Content-Length: five\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
        HEAD + b"X-Endless: " + b"x" * LINE_LIMIT,
    ],
)
def test_what_is_not_http_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        fed(data)
