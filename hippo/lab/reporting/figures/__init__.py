"""Figures, one file each; `hippo.lab.reporting.plot_style` is how all of them look."""
