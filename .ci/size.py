"""Says how large the product is (`make size`). A change that makes a number grow says what it buys for that."""

import sys
from importlib.metadata import requires
from pathlib import Path

from marshmallow import Schema, fields
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from gateway.config.schemas import DestinationSchema, EnvironmentSchema, FileSchema, SourceSchema  # noqa: E402
from gateway.translation.registry import adapters  # noqa: E402
from tests.docs.commands import commands  # noqa: E402


def lines(*patterns: str) -> int:
    """Lines that are neither empty nor a comment."""
    files = [file for pattern in patterns for file in ROOT.glob(pattern)]
    found = [line.strip() for file in files for line in file.read_text().splitlines()]
    return sum(1 for line in found if line and not line.startswith("#"))


def packages() -> int:
    """What an installation on this machine brings, the gateway itself left out."""
    found, ahead = set[str](), [Requirement("lumail-gateway")]
    while ahead:
        one = ahead.pop()
        needed = [Requirement(text) for text in requires(one.name) or []]
        ahead += [more for more in needed if more.name.lower() not in found and _is_needed(more, one.extras)]
        found |= {more.name.lower() for more in ahead}
    return len(found)


def _is_needed(one: Requirement, extras: set[str]) -> bool:
    return one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def keys(schema: Schema) -> int:
    inner = (keys(member.schema) for member in schema.fields.values() if isinstance(member, fields.Nested))
    return len(schema.fields) + sum(inner)


def settings() -> int:
    """Keys of the file and of the environment, and options of adapters; one that several adapters have counts once."""
    of_adapters = {name for adapter in adapters().values() for name in adapter.options().fields}
    return sum(map(keys, (FileSchema(), DestinationSchema(), SourceSchema(), EnvironmentSchema()))) + len(of_adapters)


def main() -> None:
    gateway, providers = lines("gateway/**/*.py"), lines("adapters/**/*.py")
    declared = lines("config/**/*.yaml")
    print(f"product lines     {gateway + providers + declared:6,}")
    print(f"  gateway         {gateway:6,}")
    print(f"  adapters        {providers:6,}")
    print(f"  YAML            {declared:6,}")
    print(f"runtime packages  {packages():6,}")
    print(f"settings          {settings():6,}")
    print(f"commands          {len(list(commands())):6,}")


main()
