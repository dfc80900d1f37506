"""What can be wrong with a contract, said with its place."""


class RamlError(Exception):
    """A RAML file that cannot be read as meant. `place` is `file:line`, or the file where no line is known."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place, self.problem = place, problem
