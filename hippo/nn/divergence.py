"""The exception of a cell whose computation diverges."""


class Diverged(ArithmeticError):
    """A cell cannot continue, for example because the step size of its solver underflows.

    The trial ends with the status `diverged`, and the message of the exception is recorded as the reason.
    """
