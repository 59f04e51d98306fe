"""`python -m hippo.cli`."""

from hippo.cli import main

main()
