"""`python -m gateway.cli`, as which `up` starts its children."""

from gateway.cli import main

if __name__ == "__main__":
    main(prog_name="lumail-gateway")
