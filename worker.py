"""One worker: `python worker.py` is the same as `lumail-gateway worker`."""

import sys

from gateway.cli import main

if __name__ == "__main__":
    main(["worker", *sys.argv[1:]], prog_name="worker.py")
