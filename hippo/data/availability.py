"""Whether the raw files that a user must supply are there, without reading them."""

from pathlib import Path

from hippo.data.dataset import DatasetOptions
from hippo.data.errors import NoSourceError
from hippo.data.sources import Found, RawData, Sources


class _Located(Sources):
    """Sources that find files and read none."""

    def load(self, *forms: RawData) -> Found:
        """The paths of the first form found in the user's folder or in the cache, without content."""
        for form in forms:
            if self.data_dir is not None and (paths := form.locate(self.data_dir, form.subfolders)):
                return Found(None, paths, f"data folder {self.data_dir}")
            if paths := form.locate(self.cache, (form.folder,)):
                return Found(None, paths, f"cache {self.cache}")
        raise self._nowhere(forms, [])


def missing_files(options: DatasetOptions, data_dir: Path | str | None = None) -> str:
    """Return what a user must do before a dataset can be built.

    Parameters
    ----------
    options : DatasetOptions
        Options of the dataset.
    data_dir : path, optional
        The user's folder, as in `Sources`.

    Returns
    -------
    str
        A clause such as "put pairs.tsv into a folder and set HIPPO_DATA_DIR to it". Empty if the files are there, and
        for a dataset that is not `user_supplied`.

    Raises
    ------
    DataError
        If the user's folder does not exist, or something other than a file has the name of a raw file.
    """
    if not options.user_supplied:
        return ""
    try:
        options.fetch(_Located(data_dir, offline=True))
    except NoSourceError as error:
        return error.advice
    return ""
