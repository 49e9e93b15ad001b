"""What vendors' errors mean, and how long they ask to wait."""

import json
from pathlib import Path

import pytest

from providers.classify import LONGEST_MESSAGE, redact, to_error, to_stream_error
from providers.retry_after import retry_after
from tests.fakes.llm import FAULTS, Fault

ANSWERS = [(name, fault) for name, fault in FAULTS.items() if not fault.misbehaviour]


@pytest.mark.parametrize(("name", "fault"), ANSWERS)
def test_as_the_vendors_word_it(name: str, fault: Fault) -> None:
    error = to_error(fault.status, fault.body, fault.headers)
    assert (error.error_class, error.status) == (fault.expected, fault.status)


CASES = Path(__file__).with_name("vendor_errors.jsonl").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("line", CASES)
def test_the_body_comes_before_the_status(line: str) -> None:
    case = json.loads(line)
    assert to_error(case["status"], case["body"]).error_class == case["expected"]


@pytest.mark.parametrize(
    "body",
    [None, [], {}, "[" * 5000, {"error": []}, {"error": {"code": {}}}, [[[]]], 5],
)
def test_nonsense_is_classified_by_its_status(body: object) -> None:
    assert to_error(500, body).error_class == "transient"


def test_an_error_in_a_stream_that_says_nothing_is_a_cut() -> None:
    assert to_stream_error({"error": "boom"}, "").error_class == "truncated"
    assert to_stream_error({"error": {"code": "²"}}, "").error_class == "truncated"
    assert to_stream_error({"error": {"code": 429, "message": "slow"}}, "").error_class == "rate_limit"


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "message", "expected"),
    [
        ({"retry-after": "7"}, "", 7),
        ({"retry-after": "0.5"}, "", 0.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, "", 30),
        ({"retry-after": "-5"}, "", 0),
        ({"retry-after": "nonsense"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, "", 1.5),
        ({"x-ratelimit-reset": "1700000012"}, "", 12),
        ({"x-ratelimit-reset": "1700000012000"}, "", 12),
        ({"x-ratelimit-reset-requests": "2m59.5s", "x-ratelimit-remaining-requests": "0"}, "", 179.5),
        ({"x-ratelimit-reset-requests": "2m", "x-ratelimit-remaining-requests": "7"}, "", None),
        ({"x-ratelimit-reset-tokens": "6ms", "x-ratelimit-remaining-tokens": "0"}, "", 0.006),
        ({}, "Please try again in 1m26.4s. Visit", 86.4),
        ({}, "Please retry after 20 seconds.", 20),
        ({}, "no idea", None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], message: str, expected: float | None) -> None:
    seconds = retry_after(headers, None, message, NOW)
    assert seconds == (None if expected is None else pytest.approx(expected))


def test_an_aggregators_quoted_headers_count() -> None:
    body = {"error": {"metadata": {"headers": {"X-RateLimit-Reset": "1700000060000"}}}}
    assert retry_after({}, body, "", NOW) == pytest.approx(60)


def test_messages_can_be_stored() -> None:
    error = to_error(500, '{"error": {"message": "half \\ud800 and \\u0000 zero"}}')
    assert error.message == "half \ufffd and zero"


def test_messages_carry_no_key() -> None:
    said = "bad sk-abcDEF123456 or my own\nkey Bearer xyz at https://x/?key=AIzaSecretSecret "
    text = redact(said + "x" * 9000, "my own")
    assert "abcDEF" not in text and "my own" not in text and "xyz" not in text and "Secret" not in text
    assert "\n" not in text and len(text) <= LONGEST_MESSAGE
