"""How a cell says that its numbers have gone wrong."""


class Diverged(ArithmeticError):
    """A cell cannot go on, say because its solver underflows; the trial ends as `diverged`, with this reason."""
