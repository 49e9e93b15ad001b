"""Prices: from the lists, by names as vendors write them, and what an answer costs."""

import json
import subprocess
import sys

import pytest
from genai_prices import Usage, calc_price

from core.routing.facts import facts_of
from providers.catalog import find_vendor, vendors
from providers.prices import LISTS, Price, price_of
from providers.types import ProviderConfig


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_list_belongs_to_a_vendor_and_can_be_read(path: object) -> None:
    kind = path.stem  # type: ignore[attr-defined]
    assert kind in vendors()
    for name in json.loads(path.read_text()):  # type: ignore[attr-defined]
        price = price_of(kind, name)
        assert price is not None and price.input >= 0 and price.output >= 0


def test_models_of_the_catalogue_that_cost_money_have_prices() -> None:
    unknown = [
        f"{kind}:{model.name}"
        for kind, vendor in vendors().items()
        for model in vendor.models
        if price_of(kind, model.name) is None and not model.name.endswith(":free")
    ]
    assert unknown == ["qwen:qwen-max", "qwen:qwen-plus", "qwen:qwen-flash"]  # genai-prices lacks them


def test_a_date_in_a_name_is_overlooked_and_the_unknown_stays_unknown() -> None:
    assert price_of("openai", "gpt-4o-mini-2024-07-18") == price_of("openai", "gpt-4o-mini") is not None
    assert price_of("openai", "gpt-unheard-of") is None
    assert price_of("ollama", "gemma") is None


def test_cached_input_is_cheaper_and_much_input_dearer() -> None:
    price = Price(2.0, 8.0, 0.5, 1000, Price(4.0, 12.0, 1.0))
    assert price.cost(1000, 100) == pytest.approx((1000 * 2 + 100 * 8) / 1e6)
    assert price.cost(1000, 100, 400) == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 8) / 1e6)
    assert price.cost(1001, 100, 1001) == pytest.approx((1001 * 1 + 100 * 12) / 1e6)
    assert Price(2.0, 8.0).cost(1000, 0, 400) == pytest.approx(1000 * 2 / 1e6)


def test_an_operators_price_counts_before_the_lists_and_a_billed_account_is_not_free() -> None:
    own = {"name": "openai/gpt-oss-120b", "price_in": 1, "price_out": 2}
    groq = find_vendor("groq")
    plain = facts_of(ProviderConfig("g", "groq"), groq, "openai/gpt-oss-120b")
    assert plain.free and plain.price == price_of("groq", "openai/gpt-oss-120b")
    billed = ProviderConfig("g", "groq", options={"billed": True, "models": [own]})
    facts = facts_of(billed, groq, "openai/gpt-oss-120b")
    assert not facts.free and facts.price == Price(1.0, 2.0)
    anything = facts_of(ProviderConfig("o", "openrouter"), find_vendor("openrouter"), "some/new-model:free")
    assert anything.free and anything.price is None


def test_the_lists_are_what_genai_prices_gives_for_undated_prices() -> None:

    wanted = calc_price(
        Usage(input_tokens=1000, output_tokens=100), model_ref="gpt-4.1", provider_id="openai"
    )
    price = price_of("openai", "gpt-4.1")
    assert price is not None and price.cost(1000, 100) == pytest.approx(float(wanted.total_price))


def test_the_price_library_is_never_imported_at_runtime() -> None:
    code = "import providers.prices, sys; providers.prices.price_of('openai', 'gpt-4.1'); "
    code += "print('genai_prices' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
