"""`tps completion`: what a shell needs to complete commands and options with the tabulator key."""

from typing import Final

import click
from click.shell_completion import get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion of commands and options for SHELL.

    bash (4.4 or newer): eval "$(tps completion bash)" in ~/.bashrc; zsh: the same with zsh in ~/.zshrc; fish:
    tps completion fish > ~/.config/fish/completions/tps.fish.
    """
    made = get_completion_class(shell)
    assert made is not None, "click knows every shell that can be chosen"
    click.echo(made(ctx.find_root().command, {}, "tps", "_TPS_COMPLETE").source())
