"""The `aweigh` command."""

from typing import Annotated

import typer

import worker.api
import worker.control
import worker.server
from cli import down as down_command
from cli import up as up_command
from cli.keys import rotate_keys

app = typer.Typer(help="Self-hosted deployments that cannot get stuck.", no_args_is_help=True)
workers = typer.Typer(help="Run one of the workers.", no_args_is_help=True)
app.add_typer(workers, name="worker")
keys = typer.Typer(help="The keys that secrets are sealed with.", no_args_is_help=True)
app.add_typer(keys, name="keys")


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option(help="Deploy a small application, twice, under load.")
    ] = False,
    once: Annotated[bool, typer.Option(help="With --demo: end after it, with its result.")] = False,
) -> None:
    """Start the local stack in the foreground; Ctrl-C stops it, applications stay up."""
    up_command.up(demo=demo, once=once)


@app.command()
def down(
    purge: Annotated[
        bool, typer.Option(help="Also remove every container, volume, image and file.")
    ] = False,
    yes: Annotated[bool, typer.Option(help="With --purge: do not ask.")] = False,
) -> None:
    """Stop what is left of the local stack."""
    down_command.down(purge=purge, yes=yes)


@app.command()
def api() -> None:
    """Run the HTTP door and the relay."""
    worker.api.main()


@keys.command()
def rotate() -> None:
    """Put a new key first, and seal every secret anew with it."""
    rotate_keys()


@workers.command()
def control() -> None:
    """Run workflows, and the activities that touch the database."""
    worker.control.main()


@workers.command()
def server() -> None:
    """Run the steps that touch this server's Docker engine."""
    worker.server.main()


def main() -> None:
    app()


if __name__ == "__main__":
    main()
