"""Figures, one file each; `hippo.lab.style` is how all of them look."""
