"""Base class of datasets that are generated, from options alone."""

from hippo.data.dataset import DatasetOptions


class GeneratedDataset(DatasetOptions):
    """Base class of datasets that are generated: there is nothing to download."""

    def fetch(self, sources) -> dict[str, str]:
        """Return an empty mapping: no file is needed."""
        return {}
