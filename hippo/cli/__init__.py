"""The command `hippo`. Every rule of the workflow is one of its commands, which a user can also type."""

import sys

from hippo.cli import collector


def main() -> None:
    """Run the command line of this process."""
    collector.relax()
    try:
        # Imported here, so that Ctrl-C during the imports, which take a second, does not print a traceback.
        from hippo.cli.commands import hippo

        hippo(prog_name="hippo")
    except KeyboardInterrupt:
        sys.exit(130)
