"""`python herd.py N command …`: N processes of `hippo`, `{}` being the number of each, that start at one instant.

They are forks of this one, which has imported what they need: 32 processes that import it themselves would take more
than a minute of two cores, and come to the store one by one.
"""

import os
import sys

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

import hippo.lab.training.run_trial  # noqa: F401
from hippo.cli.commands import hippo as main

if __name__ == "__main__":
    count, command = int(sys.argv[1]), sys.argv[2:]
    children = []
    for number in range(count):
        if child := os.fork():
            children.append(child)
        else:
            main([word.format(number) for word in command])  # ends the process
    failed = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(any(failed))
