"""How much room webhooks take with all that is kept of them, table by table."""

import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from benchmarks import samples
from benchmarks.door import APPLICATIONS
from benchmarks.load import post_all
from benchmarks.stage import Stage, gateway, web_processes

QUICK, FULL = 4_000, 40_000
AT_ONCE = 2_000
CONNECTIONS = 32


def measure(on: Stage, webhooks: int) -> dict[str, Any]:
    """On SQLite: GB a million webhooks, in all and by table with its indexes."""
    url = on.database("sqlite")
    with gateway(on, url) as ready, web_processes(on, APPLICATIONS["gateway"], ready.env) as web:
        for number in range(0, webhooks, AT_ONCE):
            requests = samples.payments(AT_ONCE, ready.keys["stripe"].signing, f"disk {number}", random.Random(number))
            assert not post_all(web.port, requests, CONNECTIONS).refused, "a webhook was refused"
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as ledger:
        ledger.execute("VACUUM")
        found = ledger.execute(
            "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) GROUP BY 1 ORDER BY 2 DESC"
        ).fetchall()
    sizes = {table: size / webhooks / 1000 for table, size in found}
    return {"all": sum(sizes.values()), "tables": {table: size for table, size in sizes.items() if size >= SHOWN}}


SHOWN = 0.005


def lines(told: Mapping[str, Any]) -> list[str]:
    text = [f"A million Stripe webhooks of 2 KB with their events: {told['all']:.2f} GB on SQLite, before any delivery"]
    text += [f"  {table:16} {size:5.2f} GB" for table, size in told["tables"].items()]
    return [*text, ""]
