"""docs/security.md names the bounds that there are."""

from adapters.mailgun import multipart
from adapters.mandrill import MOST_FIELDS
from gateway.formats import nesting
from gateway.intake import body, proving
from gateway.runtime import collecting
from gateway.translation import form, json_body
from gateway.translation.registry import default_sample
from gateway.translation.signature import Reads
from tests.adapters.cases import ADAPTERS, options_of
from tests.cli.tryout import ROOT
from tests.docs.test_provider_pages import table_under, words_in

PAGE = (ROOT / "docs" / "security.md").read_text()


def test_what_each_adapter_reads_unproven_is_what_the_page_says() -> None:
    found = {}
    for adapter in ADAPTERS:
        told = adapter.scheme(options_of(adapter, default_sample(adapter.name))).unproven
        most = "`max_body_mb`" if told.most is None else f"{told.most / 1024 / 1024:g} MB"
        compressed = "no, 415" if told.reads is Reads.CONTENT else "yes"
        found[f"`{adapter.name}`"] = [told.reads.value, most, compressed]
    rows = [(f"`{name}`", rest) for names, *rest in table_under("| Adapters |", PAGE) for name in words_in(names)]
    assert sorted(rows) == sorted(found.items())


def test_the_bounds_are_those_of_the_page() -> None:
    assert [number for _, number, _ in table_under("| Bound |", PAGE)] == [
        f"{body.MOST_UNFOLDED}",
        f"{body.ALWAYS_UNFOLDED // 1024} KB",
        f"{form.MOST_FIELDS}, Mandrill's {MOST_FIELDS}",
        f"{multipart.MOST_PARTS}, none within another",
        f"{json_body.MOST_TOKENS}",
        f"{proving.AT_ONCE}",
        f"{proving.MOST_WAITING}",
        f"{proving.WAIT} s",
        f"{proving.LITTLE // 1024} KB",
        f"{collecting.PIECES}, and one for each {collecting.LEAST_PIECE} bytes",
        f"{nesting.DEEPEST}",
    ]
