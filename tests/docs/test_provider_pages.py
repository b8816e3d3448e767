"""docs/providers/<adapter>.md and docs/bounces.md say what the adapters do."""

import importlib
import inspect
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from gateway.config import Flags
from gateway.errors import PayloadError
from gateway.events import EventType
from gateway.startup import configured
from gateway.translation import bounce
from gateway.translation.adapter import Adapter, Context, SourceEvent, Translation, split, translate
from gateway.translation.mail import Bounce
from gateway.translation.registry import samples
from tests.adapters.cases import ADAPTERS, NOW, Remembered, options_of, tell, verified

DOCS = Path(__file__).parents[2] / "docs"
KINDS = (bounce.HARD, bounce.SOFT, bounce.UNDETERMINED)
STAGES = ("sent", "blocked", "rejected")
LUMAIL_TYPE = re.compile(rf"\b({'|'.join(sorted(EventType, key=len, reverse=True))})\b")
DESTINATION = "destinations:\n  main:\n    api_token: ${LUMAIL_API_TOKEN}\n"

each_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


def page_of(adapter: Adapter) -> str:
    return (DOCS / "providers" / f"{adapter.name}.md").read_text()


def table_under(heading: str, page: str) -> list[list[str]]:
    """The cells of each row of the table whose head begins with `heading`."""
    lines = page.splitlines()
    head = next((number for number, line in enumerate(lines) if line.startswith(heading)), None)
    assert head is not None, f"no table {heading}"
    rows = []
    for line in lines[head + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def words_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def documented(adapter: Adapter) -> list[tuple[list[str], str]]:
    """The rows of a page's table: source event types, and what they become."""
    rows = table_under(f"| {adapter.title} says | becomes |", page_of(adapter))
    return [(words_in(said), becomes) for said, becomes in rows]


def translations(adapter: Adapter) -> Iterator[tuple[SourceEvent, Translation]]:
    """What each source event of each fixture becomes, but for those that are not understood."""
    for sample in samples(adapter.name).values():
        memory = Remembered()
        for earlier in sample.after:
            tell(adapter, samples(adapter.name)[earlier], memory)
        context = Context(adapter.name, NOW, memory, options_of(adapter, sample))
        try:
            items = split(adapter, verified(adapter, sample))
        except PayloadError:
            continue
        for item in items:
            try:
                if isinstance(item, SourceEvent):
                    yield item, translate(adapter, item, context)
            except PayloadError:
                continue


def made_of(adapter: Adapter) -> Mapping[str, set[str]]:
    """Which Lumail types the fixtures of each source event type make."""
    made: dict[str, set[str]] = defaultdict(set)
    for event, translation in translations(adapter):
        made[event.type] |= {one.type.value for one in translation.events}
    return made


@each_adapter
def test_a_page_names_every_type_that_is_translated_or_ignored_once(adapter: Adapter) -> None:
    named = [name for names, _ in documented(adapter) for name in names]
    assert sorted(named) == sorted([*adapter.handlers, *adapter.ignored])


@each_adapter
def test_a_page_says_what_becomes_of_a_type(adapter: Adapter) -> None:
    made = made_of(adapter)
    for names, becomes in documented(adapter):
        translated = [name for name in names if name in adapter.handlers]
        if translated:
            assert set(LUMAIL_TYPE.findall(becomes)) == set().union(*(made[name] for name in translated)), names
            assert LUMAIL_TYPE.search(becomes) or "teaches" in becomes, names


@each_adapter
def test_a_page_says_why_a_type_is_ignored(adapter: Adapter) -> None:
    for names, becomes in documented(adapter):
        reasons = {f"ignored: {adapter.ignored[name]}" for name in names if name in adapter.ignored}
        assert {reason.replace("`", "") for reason in reasons} <= {becomes.replace("`", "")}, names


@each_adapter
def test_the_configuration_on_a_page_is_right(adapter: Adapter, tmp_path: Path) -> None:
    example = page_of(adapter).split("```yaml\n")[1].split("```")[0]
    file = tmp_path / "gateway.yaml"
    file.write_text((DESTINATION if "destinations:" not in example else "") + example)
    config = configured(Flags(file=file, data=tmp_path / "var", sandbox=True), {})
    assert {source.adapter for source in config.sources.values()} == {adapter.name}


@each_adapter
def test_a_page_is_short_and_says_what_it_was_checked_against(adapter: Adapter) -> None:
    page = page_of(adapter)
    assert page.startswith(f"# {adapter.title}")
    assert len(page.splitlines()) <= 100
    [checked] = re.findall(r"Documented event types checked on \d{4}-\d\d-\d\d against(.*)", page, flags=re.DOTALL)
    assert {adapter.docs.events, adapter.docs.security} & set(re.findall(r"<(https://[^>]+)>", checked))
    assert "`lumail-gateway send " in page


def modules_of(adapter: Adapter) -> Sequence[ModuleType]:
    """The modules that an adapter is written in."""
    if find_spec(f"adapters.{adapter.name}") is None:
        return []
    module = importlib.import_module(f"adapters.{adapter.name}")
    inner = pkgutil.iter_modules(getattr(module, "__path__", []), f"{module.__name__}.")
    return [module, *(importlib.import_module(found.name) for found in inner)]


def bounce_words(adapter: Adapter) -> Iterator[tuple[str, str, str]]:
    """The provider's words for bounces in an adapter's tables: word, kind and stage."""
    for module in modules_of(adapter):
        for table in vars(module).values():
            for word, act in table.items() if isinstance(table, dict) else ():
                if isinstance(act, Bounce):
                    yield word.removeprefix("Bounce."), act.kind, act.stage


def bounce_rows(adapter: Adapter) -> list[tuple[list[str], str, str]]:
    """What a page says of the provider's words for bounces: words, kind and stage."""
    section = page_of(adapter).partition("\n## Bounces\n")[2].partition("\n## ")[0]
    rows = table_under("| word | `bounceType` | `bounceStage` |", section) if section else []
    return [(words_in(said), kind.strip("`"), stage.strip("`")) for said, kind, stage in rows]


@each_adapter
def test_every_word_for_a_bounce_is_documented(adapter: Adapter) -> None:
    rows = bounce_rows(adapter)
    missing = [
        (word, kind, stage)
        for word, kind, stage in bounce_words(adapter)
        if not any(word in words and (kind, stage) == (said, at) for words, said, at in rows)
    ]
    assert missing == []


@each_adapter
def test_every_documented_word_for_a_bounce_is_one_of_the_adapters(adapter: Adapter) -> None:
    source = "".join(inspect.getsource(module) for module in modules_of(adapter))
    declared = {word for word, _, _ in bounce_words(adapter)} | set(adapter.handlers)
    for words, kind, stage in bounce_rows(adapter):
        assert (kind in KINDS, stage in STAGES) == (True, True)
        assert [word for word in words if word not in declared and f'"{word}"' not in source] == []


@each_adapter
def test_every_kind_of_bounce_that_is_made_is_documented(adapter: Adapter) -> None:
    made = {
        (one.data["bounceType"], one.data["bounceStage"])
        for _, translation in translations(adapter)
        for one in translation.events
        if one.type is EventType.EMAIL_BOUNCED and "bounceStage" in one.data
    }
    stages = {stage for _, _, stage in bounce_rows(adapter)}
    assert {stage for _, stage in made} | {bounce.BLOCKED} == stages | {
        bounce.BLOCKED
    }  # which the server can say of all


def judgements() -> list[tuple[str, bounce.Verdict]]:
    """Each example of docs/bounces.md of what a mail server says, and what the page says of it."""
    rows = table_under("| the mail server says |", (DOCS / "bounces.md").read_text())
    return [
        (words, bounce.Verdict(kind.strip("`"), stage.strip("`")))
        for said, kind, stage in rows
        for words in words_in(said)
    ]


@pytest.mark.parametrize(("words", "verdict"), judgements())
@pytest.mark.parametrize("label", KINDS)
def test_what_a_server_says_decides_as_the_page_says(words: str, verdict: bounce.Verdict, label: str) -> None:
    assert bounce.judge(bounce.Verdict(label), words) == verdict


@pytest.mark.parametrize("words", ["550 5.0.0 x", "550 5.1.0 x", "550 no", "498", "499", "605", "550 no (Exim 4.97.1)"])
def test_what_decides_nothing_leaves_the_label(words: str) -> None:
    for label in (bounce.Verdict(bounce.HARD), bounce.Verdict(bounce.UNDETERMINED)):
        assert bounce.judge(label, words) == label
