"""Signals that ask a trial to stop: the trial finishes the current step, saves its state, and exits."""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)  # Slurm sends SIGUSR1 before the time limit


class Interrupted(SystemExit):
    """The trial was stopped by a signal. The exit status is 128 + the number of the signal.

    Parameters
    ----------
    number : int
        Number of the signal.
    """

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.number = number
        self.signal = signal.Signals(number).name

    def __str__(self) -> str:
        return f"stopped by {self.signal}"


class Interruption:
    """Context that notes the first signal in `caught`; a second signal raises `Interrupted` at once.

    Attributes
    ----------
    caught : int or None
        Number of the first signal.
    """

    def __init__(self):
        self.caught: int | None = None

    def check(self) -> None:
        """Raise `Interrupted` if a signal came."""
        if self.caught is not None:
            raise Interrupted(self.caught)

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        # A Slurm job blocks SIGUSR1 until here, so that one that came while this process started is not lost.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame) -> None:
        """Handler of the signals."""
        if self.caught is not None:
            raise Interrupted(number)
        self.caught = number
