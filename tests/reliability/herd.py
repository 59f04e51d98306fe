"""`python herd.py N command …`: N processes of `hippo`, `{}` being the number of each, that start at one instant.

What they import is imported once and before: on two cores, importing it in each would let them come one by one.
"""

import os
import sys

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import torch._dynamo  # noqa: F401

import hippo.lab.trial  # noqa: F401
from hippo.cli import main

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
