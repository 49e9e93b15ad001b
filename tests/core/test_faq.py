"""FAQ: the right entry, and none where none is right."""

import logging
import time

import pytest

from core.instance import FaqEntry
from core.knowledge.faq import FaqBook, check_pattern
from core.knowledge.faq_patterns import BadPattern

QUESTIONS = (
    "How do I pay for an item?",
    "How do I return an item?",
    "What are your opening hours?",
    "How much does delivery cost?",
    "How long does delivery take?",
    "Can I change the shipping address of my order?",
    "How do I cancel my order?",
    "Do you deliver?",
    "How do I reset my password?",
    "Who are you?",
    "Where is my order?",
    "Can I return an item without a receipt?",
    "How do I connect model 100?",
    "Сколько стоит доставка?",
    "Как вернуть товар?",
    "Как оплатить заказ картой?",
    "Где вы находитесь?",
    "Какие у вас часы работы?",
    "Как отменить подписку?",
    "Сколько времени занимает возврат денег?",
)


ENTRIES = [FaqEntry(str(n), question, "answer", "close") for n, question in enumerate(QUESTIONS)]


def book(*questions: str, match: str = "close") -> FaqBook:
    return FaqBook([FaqEntry(str(n), question, "answer", match) for n, question in enumerate(questions)])


def answered(faq: FaqBook, text: str) -> str | None:
    found = faq.find(text)
    return found and found.question


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        ("how do i PAY for an item ", "How do I pay for an item?"),
        ("How can I return items?", "How do I return an item?"),
        ("how do I retrun an item??", "How do I return an item?"),
        ("opening hours", "What are your opening hours?"),
        ("what are your openning hours today", "What are your opening hours?"),
        ("delivery cost?", None),
        ("what's the cost of delivery", None),
        ("how much is the cost of delivery", "How much does delivery cost?"),
        ("how long will delivery take", "How long does delivery take?"),
        ("Can I change the adress for shipping my order", "Can I change the shipping address of my order?"),
        ("how to cancel an order", "How do I cancel my order?"),
        ("I'd like to cancel the orders, please", "How do I cancel my order?"),
        ("forgot password how to reset it", "How do I reset my password?"),
        ("who are you", "Who are you?"),
        ("where's my order?", "Where is my order?"),
        ("скольк стоит доставка", None),
        ("сколько стоит дставка", "Сколько стоит доставка?"),
        ("Сколько будет стоить доставка???", "Сколько стоит доставка?"),
        ("как мне вернуть товары", "Как вернуть товар?"),
        ("КАК ВЕРНУТЬ ТОВАР", "Как вернуть товар?"),
        ("можно оплатить заказ картой", "Как оплатить заказ картой?"),
        ("где вы находитесь", "Где вы находитесь?"),
        ("часы работы", "Какие у вас часы работы?"),
        ("как отменить подпику", "Как отменить подписку?"),
        ("сколько времени занимает возврат", "Сколько времени занимает возврат денег?"),
    ],
)
def test_close_match_finds_the_same_question(asked: str, question: str | None) -> None:
    assert answered(book(*QUESTIONS), asked) == question


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("How do I pay for an item?", "how do I return an item"),
        ("How do I buy a car?", "how do I buy a cat"),
        ("How do I cancel my order?", "how do I change my order"),
        ("When do you deliver?", "where do you deliver"),
        ("Do you deliver?", "when do you deliver"),
        ("Can I pay in cash?", "can't I pay in cash"),
        ("How do I return an item?", "can I return an item without a receipt"),
        ("How do I connect model 100?", "how do I connect model 200"),
        ("How much does delivery cost?", "how long does delivery take"),
        ("How much does delivery cost?", "tell me a joke about delivery"),
        ("Who are you?", "how are you"),
        ("Как оплатить заказ?", "как отменить заказ"),
        ("Как вернуть товар?", "можно ли вернуть товар без чека"),
        ("Сколько стоит доставка?", "когда будет доставка"),
        ("Где купить билет?", "когда купить билет"),
    ],
)
def test_close_match_leaves_other_questions_alone(known: str, asked: str) -> None:
    assert answered(book(known), asked) is None


def test_exact_match_ignores_case_spacing_end_punctuation_and_yo() -> None:
    faq = book("Где  ёлка?", "What is it?", match="exact")
    assert answered(faq, " где ЕЛКА !!! ") == "Где  ёлка?"
    assert answered(faq, "«What is  it»") == "What is it?"
    assert answered(faq, "What is it now") is None


def test_wildcards_match_the_whole_message() -> None:
    faq = book("*refund*", "colo?r", "how do I pay?", "price (*)", match="wildcard")
    assert answered(faq, "I want a REFUND now!") == "*refund*"
    assert answered(faq, "Color?") is None
    assert answered(faq, "colo-r") == "colo?r"
    assert answered(faq, "How do I pay??") == "how do I pay?"
    assert answered(faq, "nothing") is None


def test_regex_is_searched_anywhere_and_without_case() -> None:
    faq = book(r"\b(refund|money back)\b", r"^пароль$", match="regex")
    assert answered(faq, "may I have my Money  Back?") == r"\b(refund|money back)\b"
    assert answered(faq, "Пароль") == "^пароль$"
    assert answered(faq, "мой пароль") is None


def test_exact_then_wildcard_then_regex_then_close() -> None:
    entries = [
        FaqEntry("close", "my order status", "", "close"),
        FaqEntry("regex", "order", "", "regex"),
        FaqEntry("wildcard", "*my order*", "", "wildcard"),
        FaqEntry("exact", "where is my order", "", "exact"),
    ]
    faq = FaqBook(entries)
    asked = ("Where is my order?", "my order is late", "order late", "my order status")
    assert [found and found.id for found in map(faq.find, asked)] == ["exact", "wildcard", "regex", "close"]
    assert (found := faq.find("status of mine")) is None or found.id == "close"


@pytest.mark.parametrize(
    ("match", "question", "key"),
    [
        ("regex", "(unclosed", "does_not_compile"),
        ("regex", r"(a)\1", "does_not_compile"),
        ("regex", "(?=ahead)", "does_not_compile"),
        ("regex", "((a{100}){100}){10}", "does_not_compile"),
        ("regex", "x*", "matches_all"),
        ("regex", ".*", "matches_all"),
        ("regex", "a" * 501, "too_long"),
        ("regex", "a\ud800", "not_text"),
        ("regex", "  ", "empty"),
        ("wildcard", "*", "matches_all"),
        ("wildcard", "?*?", "matches_all"),
        ("exact", "?!", "empty"),
        ("sideways", "a", "unknown_match"),
    ],
)
def test_bad_patterns_are_refused_when_saved(match: str, question: str, key: str) -> None:
    with pytest.raises(BadPattern) as caught:
        check_pattern(match, question)
    assert caught.value.key == key
    assert caught.value.text("en") != caught.value.text("ru")


@pytest.mark.parametrize("match", ["exact", "wildcard", "regex", "close"])
def test_good_patterns_are_accepted(match: str) -> None:
    check_pattern(match, "(what|where) is this?")


def test_a_bad_pattern_is_left_out_when_loaded(caplog: pytest.LogCaptureFixture) -> None:
    entries = [FaqEntry("bad", "(", "", "regex"), FaqEntry("good", "order", "", "regex")]
    with caplog.at_level(logging.WARNING):
        found = FaqBook(entries).find("my order")
    assert found is not None and found.id == "good"
    assert "bad" in caplog.text


def test_a_pattern_that_would_run_for_ever_elsewhere_is_quick() -> None:
    faq = FaqBook(
        [FaqEntry("1", "(a+)+$b", "", "regex"), FaqEntry("2", "*a*a*a*a*a*a*a*a*a*b", "", "wildcard")]
    )
    started = time.perf_counter()
    assert faq.find("a" * 2000) is None
    assert time.perf_counter() - started < 0.2


@pytest.mark.parametrize("text", ["", "?", "\ud800", "🙂", "a" * 1_000_000, "\x00", " " * 5000, "%s {x}"])
def test_odd_messages_find_nothing(text: str) -> None:
    faq = FaqBook([FaqEntry("1", "order [a-z]+", "", "regex"), *ENTRIES])
    assert faq.find(text) is None


def test_a_long_text_is_found_only_when_it_is_the_very_question() -> None:
    long = "why " * 700
    assert answered(book(long, "why*"), long + "?") == long
    assert answered(book("*why*", match="wildcard"), long) is None


def test_an_empty_book_finds_nothing() -> None:
    assert FaqBook([]).find("anything") is None


def test_two_hundred_entries_are_looked_through_quickly() -> None:
    faq = book(*(f"How do I use feature{n} of product{n % 20}?" for n in range(200)))
    asked = "please tell me what the weather will be like in London tomorrow"
    assert faq.find(asked) is None
    started = time.perf_counter()
    for _ in range(50):
        faq.find(asked)
    assert (time.perf_counter() - started) / 50 < 0.002
