"""How answers are recorded and put into words."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from aweigh.notifications.senders.failures import answer_failed, failed, receipt, retry_seconds


def test_only_the_first_kilobyte_of_an_answer_is_kept() -> None:
    assert receipt(200, b"x" * 70_000, 0.1234, []).response == "x" * 1024


@pytest.mark.parametrize("before", range(1010, 1026))
def test_secret_in_an_answer_is_hidden_also_where_it_is_cut(before: int) -> None:
    record = receipt(500, b"x " * (before // 2) + b"secret-token-1", 0, ["secret-token-1"])

    assert "secr" not in record.response


def test_answer_is_kept_without_control_characters() -> None:
    assert receipt(200, b"\x1b[31mred\x00\xff", 0, []).response.isprintable()


def test_message_is_one_masked_line() -> None:
    error = failed("a\r\nb secret-token-1", receipt(None, b"", 0, []), ["secret-token-1"])

    assert str(error) == "a b **********"


@pytest.mark.parametrize(
    ("status", "is_final", "is_gone"),
    [(400, False, False), (404, False, False), (410, True, True), (413, True, False),
     (429, False, False), (500, False, False), (301, False, False)],
)  # fmt: skip
def test_only_some_answers_are_final(status: int, is_final: bool, is_gone: bool) -> None:
    error = answer_failed("hooks.example.com", receipt(status, b"", 0, []), [])

    assert (error.is_final, error.is_gone) == (is_final, is_gone)
    assert str(status) in str(error)


def test_redirect_is_told_with_its_target_and_without_secrets() -> None:
    error = answer_failed(
        "hooks.example.com", receipt(302, b"", 0, []), ["token-123"],
        location="http://127.0.0.1/x?t=token-123",
    )  # fmt: skip

    assert "127.0.0.1" in str(error)
    assert "token-123" not in str(error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), (" 7 ", 7), ("0", 0), (None, None), ("", None), ("soon", None), ("-5", None),
     ("Fri, 01 Jan 1990 00:00:00 GMT", 0), ("9" * 400, 999_999_999)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_seconds(header) == seconds


def test_retry_after_counts_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    assert 3000 < (retry_seconds(date) or 0) <= 3600
