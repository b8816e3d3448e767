"""Lumail's stand-in for a benchmark: in memory, without a limit, `python -m benchmarks.lumail LATENCY_MS`."""

import sys

from gateway.lumail.sandbox import SandboxSettings, create_sandbox, serve

if __name__ == "__main__":
    settings = SandboxSettings(latency_ms=float(sys.argv[1]))
    serve(create_sandbox(settings), ready=lambda url: print(url, flush=True))
