"""`python -m hippo.kernels`: print which kernels are in use on this machine, why, and which others run here."""

import sys

from hippo.kernels.backend import describe

if __name__ == "__main__":
    try:
        print(describe())
    except ValueError as error:
        sys.exit(str(error))
