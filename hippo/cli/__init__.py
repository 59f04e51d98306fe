"""The command `hippo`. Every rule of the workflow is one of its commands, which a user can also type."""

import sys

from hippo.cli import collector
from hippo.errors import MissingExtraError, missing_extra


def main() -> None:
    """Run the command line of this process."""
    collector.relax()
    try:
        # Imported here, so that Ctrl-C during the imports, which take a second, does not print a traceback.
        from hippo.cli.commands import hippo

        hippo(prog_name="hippo")
    except KeyboardInterrupt:
        sys.exit(130)
    except MissingExtraError as error:
        sys.exit(str(error))
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module in ("", "hippo", "hippo_baselines"):
            raise
        sys.exit(missing_extra("the command hippo", module, "lab"))
