"""The `aweigh` command.

Each command imports its implementation when it runs: the processes of a stack start in parallel,
and none should wait for libraries that only others need.
"""

from typing import Annotated

import typer

app = typer.Typer(help="Self-hosted deployments that cannot get stuck.", no_args_is_help=True)
workers = typer.Typer(help="Run one of the workers.", no_args_is_help=True)
app.add_typer(workers, name="worker")
keys = typer.Typer(help="The keys that encrypt secrets.", no_args_is_help=True)
app.add_typer(keys, name="keys")
proxy = typer.Typer(help="The proxy of this server.", no_args_is_help=True)
app.add_typer(proxy, name="proxy")


@app.command()
def up() -> None:
    """Start the local stack in the foreground; Ctrl-C stops it, applications stay up."""
    from cli.up import up as run

    run()


@app.command()
def down(
    purge: Annotated[
        bool, typer.Option(help="Also remove every container, volume, image and file.")
    ] = False,
    yes: Annotated[bool, typer.Option(help="With --purge: do not ask.")] = False,
) -> None:
    """Stop the local stack."""
    if yes and not purge:
        raise typer.BadParameter("--yes requires --purge")
    from cli.down import down as run

    run(purge=purge, yes=yes)


@app.command()
def install() -> None:
    """Create keys, database and tokens, or migrate the database to this version; safe to repeat."""
    from cli.install import install_here as run

    run()


@app.command()
def api() -> None:
    """Run the HTTP API and its relay to Temporal."""
    from worker.api import main as run

    run()


@keys.command()
def rotate() -> None:
    """Add a new key, and encrypt every secret with it."""
    from cli.keys import rotate_keys as run

    run()


@proxy.command()
def recreate() -> None:
    """Apply changed settings of the proxy; requests fail for about a second."""
    from cli.proxy import recreate_proxy as run

    run()


@workers.command()
def control() -> None:
    """Run workflows, and the activities that use the database."""
    from worker.control import main as run

    run()


@workers.command()
def server() -> None:
    """Run the activities that use this server's Docker engine."""
    from worker.server import main as run

    run()


def main() -> None:
    app()


if __name__ == "__main__":
    main()
