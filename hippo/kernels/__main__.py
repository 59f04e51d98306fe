"""`python -m hippo.kernels`: which kernels are in use on this machine, and why."""

from hippo.kernels.backend import backend

if __name__ == "__main__":
    chosen = backend()
    print(f"{chosen.name}: {chosen.reason}")
