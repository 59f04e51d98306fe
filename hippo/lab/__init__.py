"""The laboratory: what one trial is, how it runs, how it is tracked, and what becomes of its numbers."""

from hippo.errors import require_extra

require_extra("lab", "torch", "pydantic", "yaml", "tqdm", needed_by="hippo.lab")
