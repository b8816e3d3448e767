"""Amounts of money: minor units and texts become Decimal in major units.

Decimals by currency: https://docs.stripe.com/currencies#minor-units
"""

import re
from decimal import Decimal

from gateway.errors import PayloadError

# Decimals as Stripe sends them. UGX and ISK have none by ISO 4217 but are sent with two, always 00.
_WITHOUT_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_WITH_THREE = "BHD JOD KWD OMR TND"
_ISO_WITH_THREE = "IQD LYD"  # Stripe does not offer these: decimals by ISO 4217
_ISO_WITH_FOUR = "CLF UYW"
_DECIMALS = (
    dict.fromkeys(_WITHOUT_DECIMALS.split(), 0)
    | dict.fromkeys((_WITH_THREE + " " + _ISO_WITH_THREE).split(), 3)
    | dict.fromkeys(_ISO_WITH_FOUR.split(), 4)
)
_USUAL_DECIMALS = 2

_LIMIT = 10**15  # what a JSON number carries exactly
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_AMOUNT = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?", re.ASCII)


def currency_code(value: object) -> str:
    """The ISO 4217 code in capitals. Raises PayloadError for what has not its form."""
    code = value.strip().upper() if isinstance(value, str) else ""
    if not _CODE.fullmatch(code):
        raise PayloadError("not a currency code")
    return code


def major_units(minor: int, currency: str) -> Decimal:
    """4999 in EUR is 49.99, 4999 in JPY is 4999. Raises PayloadError for what is no amount."""
    if isinstance(minor, bool) or not isinstance(minor, int) or abs(minor) >= _LIMIT:
        raise PayloadError("not an amount in minor units")
    return Decimal(minor).scaleb(-_DECIMALS.get(currency_code(currency), _USUAL_DECIMALS))


def amount(value: object) -> Decimal:
    """An amount told in major units, as text ("49.99") or as a JSON number. Raises PayloadError."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise PayloadError("not an amount")
    text = value.strip() if isinstance(value, str) else format(value, "f")
    if not _AMOUNT.fullmatch(text):
        raise PayloadError("not an amount")
    exact = Decimal(text)
    if len(exact.normalize().as_tuple().digits) > 15:
        raise PayloadError("an amount with more digits than JSON's numbers carry")
    return exact
