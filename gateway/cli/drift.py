"""The command `adapters drift`: what providers say since lately, and no adapter was written for."""

from collections.abc import Sequence

from gateway.cli.display import Column, local, show_document, show_table
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger
from gateway.cli.trials import adapters
from gateway.ledger.views.payload_drift import Drift, drifts, everything
from gateway.translation.adapter import covers
from gateway.translation.registry import adapters as known_adapters

MOST_SHOWN = 4
"""Paths that are named in the table; --json has all."""


@adapters.command("drift")
@installation_options
@json_option
def show_drift(said: Said, as_json: bool) -> None:
    """What providers say that was not seen before: types and shapes of payloads.

    A type leaves the list once its adapter knows it. What a type's payloads look like in its first day is what is
    usual; a shape is listed that has a key or a kind of value that none had before, or lacks one that all had. Under
    heavy load webhooks are left out of the count. The webhook is a sample: `lumail-gateway webhooks show` has it.

    \b
    Example:
      lumail-gateway adapters drift
    """
    with opened_ledger(installation(said).config) as ledger, ledger.read() as connection:
        now = ledger.now(connection)
        found = [one for one in drifts(everything(connection)) if not _is_known(one)]
    if as_json:
        show_document({"drift": [_described(one) for one in found]})
        return
    show_table(
        [
            Column("adapter", keeps=True),
            Column("type"),
            Column("what"),
            Column("times", right=True),
            Column("first", keeps=True),
            Column("last", keeps=True),
            Column("webhook", keeps=True),
        ],
        [
            (
                one.seen.adapter,
                one.seen.type,
                _told(one),
                f"{one.seen.count:,}",
                local(one.seen.first_at, now),
                local(one.seen.last_at, now),
                one.seen.webhook,
            )
            for one in found
        ],
        empty="No drift: providers say what their adapters were written for.",
    )


def _is_known(one: Drift) -> bool:
    """Whether an unknown type is known to today's adapter, or nobody has that adapter any more."""
    adapter = known_adapters().get(one.seen.adapter)
    if adapter is None:
        return True
    known = one.seen.type in adapter.handlers or any(covers(name, one.seen.type) for name in adapter.ignored)
    return known if one.kind == "type" else False


def _told(one: Drift) -> str:
    if one.kind == "type":
        return "a type that the adapter does not know"
    return "; ".join(f"{word} {_named(paths)}" for word, paths in (("new", one.new), ("gone", one.gone)) if paths)


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - MOST_SHOWN} more" if len(paths) > MOST_SHOWN else ""
    return ", ".join(paths[:MOST_SHOWN]) + more


def _described(one: Drift) -> dict[str, object]:
    return {
        "kind": one.kind,
        "adapter": one.seen.adapter,
        "type": one.seen.type,
        "count": one.seen.count,
        "first_at": one.seen.first_at,
        "last_at": one.seen.last_at,
        "webhook": one.seen.webhook,
        "new": one.new,
        "gone": one.gone,
    }
