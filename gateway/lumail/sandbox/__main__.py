"""The sandbox as a process of `up`: told everything on its command line, so that it imports nothing of the gateway."""

import sys
from pathlib import Path

from gateway.lumail.sandbox import SandboxSettings, create_sandbox, serve


def main(folder: str, host: str, port: str, requests_per_minute: str) -> None:
    settings = SandboxSettings(folder=Path(folder), requests_per_minute=int(requests_per_minute))
    serve(create_sandbox(settings), host=host, port=int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
