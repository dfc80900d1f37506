"""`tps raml`: look after the contracts of the REST interfaces."""

import json
from importlib.util import find_spec
from pathlib import Path

import click

from raml.conformance import example_problems
from raml.errors import RamlError
from raml.flat import flat
from raml.openapi import openapi as openapi_of
from raml.page import page
from raml.reader import Api, read
from raml.source import Folder

NAMES = ("agr", "dso")
Name = click.Choice(NAMES)


@click.group()
def raml() -> None:
    """Check the contracts of the REST interfaces and convert them."""


@raml.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Read FILES, or the contracts of this package, and compare every example with its type."""
    contracts = [(str(file), file.name, Folder(file.parent)) for file in files]
    contracts = contracts or [(f"{name}.raml", f"{name}.raml", Folder()) for name in NAMES]
    wrong = 0
    for shown, name, folder in contracts:
        api = _read(name, folder)
        found = list(example_problems(api)) if find_spec("jsonschema") else []
        wrong += len(found)
        for problem in found:
            click.echo(f"{shown}: {problem}")
        if not found:
            note = "" if find_spec("jsonschema") else "; examples not compared: jsonschema is not installed"
            click.echo(f"{shown}: {len(api.operations)} operations, {len(api.schemas)} types{note}")
    raise SystemExit(1 if wrong else 0)


@raml.command()
@click.argument("name", type=Name)
def openapi(name: str) -> None:
    """Write the contract NAME as OpenAPI 3.1."""
    click.echo(json.dumps(openapi_of(_read(f"{name}.raml")), indent=2, ensure_ascii=False))


@raml.command()
@click.argument("name", type=Name)
def html(name: str) -> None:
    """Write the contract NAME as a page to read."""
    click.echo(page(_read(f"{name}.raml")))


@raml.command(name="flat")
@click.argument("name", type=Name)
def write_flat(name: str) -> None:
    """Write the contract NAME in one RAML file."""
    click.echo(flat(f"{name}.raml"))


def _read(name: str, folder: Folder | None = None) -> Api:
    try:
        return read(name, folder)
    except RamlError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error
