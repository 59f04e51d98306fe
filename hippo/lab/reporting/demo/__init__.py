"""The page of `hippo demo`: a signal that the reader plots by hand, and what each memory keeps of it."""
