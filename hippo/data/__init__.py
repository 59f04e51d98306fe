"""Datasets: raw data and where it is looked for, prepared arrays, and one file or folder for each dataset."""

from hippo.errors import require_extra

require_extra("lab", "pydantic", "pooch", needed_by="hippo.data")
