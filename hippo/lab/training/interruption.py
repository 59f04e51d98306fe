"""Signals that ask a trial to stop: it finishes the step at hand, saves its state, and exits."""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)  # SIGUSR1: Slurm's warning before the time limit


class Interrupted(SystemExit):
    """The trial stopped on a signal, its state saved; the exit status is 128 + the signal's number."""

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.signal = signal.Signals(number).name

    def __str__(self) -> str:
        return f"stopped by {self.signal}"


class Interruption:
    """While it lives, the first signal is noted in `caught`; a second one stops the process where it stands."""

    def __init__(self):
        self.caught: int | None = None

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame) -> None:
        if self.caught is not None:
            raise Interrupted(number)
        self.caught = number
