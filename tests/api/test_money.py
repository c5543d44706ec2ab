"""From prices to messages, against exact fractions."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diurnal_api.money import (
    billed_message_bytes,
    billed_request_bytes,
    format_usd,
    messages_for,
    messages_per_second,
    total_messages,
    usd_of,
)
from diurnal_api.spec import Budget

amounts = st.decimals("0.000001", "999999999", places=6).map(lambda amount: f"{amount:f}")


def test_a_message_is_billed_by_body_attributes_twenty_bytes_and_its_id() -> None:
    assert billed_message_bytes(400) == 440
    assert billed_message_bytes(400, {"country_code": "NOR", "né": "é"}) == 440 + 15 + 3 + 2


def test_a_request_is_billed_a_thousand_bytes_at_least() -> None:
    assert billed_request_bytes(440) == 1000
    assert billed_request_bytes(440_000) == 440_000


@given(amounts, amounts, st.integers(1, 10_000_000), st.integers(1, 1000))
@example(usd="0.000001", price="0.000001", largest=1, per_request=375)
def test_the_messages_of_a_budget_cost_no_more_and_one_more_would(
    usd: str, price: str, largest: int, per_request: int
) -> None:
    messages = messages_for(usd, price, largest, per_request)
    billed = max(Fraction(largest), Fraction(1000, per_request))
    assert messages * billed * Fraction(price) / 2**40 <= Fraction(usd)
    assert (messages + 1) * billed * Fraction(price) / 2**40 > Fraction(usd)


def test_the_tighter_of_two_limits_binds() -> None:
    # 2^40 bytes for 40 dollars: 1 dollar a day pays for 2^40 / 40 / 500 messages a day of 500 bytes.
    by_price = 2**40 / 40 / 500 / 86_400
    assert by_price == pytest.approx(636.3, rel=1e-3)
    assert messages_per_second(Budget(), 500, 1000) == 1000
    assert messages_per_second(Budget(max_usd_per_day="1"), 500, 1000) == pytest.approx(by_price)
    assert messages_per_second(Budget(max_usd_per_day="1", max_messages_per_second=5), 500, 1000) == 5
    assert messages_per_second(Budget(max_messages_per_second="Unlimited"), 500, 1000) is None
    assert total_messages(Budget(), 500, 1000) is None
    assert total_messages(Budget(max_messages=7), 500, 1000) == 7
    assert total_messages(Budget(max_messages=7, max_usd="25"), 500, 1000) == 7
    assert total_messages(Budget(max_usd="40"), 512, 1000) == 2**31


def test_a_thousand_messages_a_second_are_about_a_dollar_a_day() -> None:
    assert usd_of(86_400_000 * 400, "40") == pytest.approx(Decimal("1.257"), rel=Decimal("0.001"))


def test_dollars_are_written_rounded_up() -> None:
    assert format_usd(Decimal("0.0000001")) == "0.000001"
    assert format_usd(usd_of(2**40, "40")) == "40.000000"


@pytest.mark.parametrize(("largest", "per_request"), [(0, 1), (1, 0)])
def test_a_message_without_bytes_or_a_request_without_messages_is_refused(
    largest: int, per_request: int
) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        messages_for("1", "40", largest, per_request)
