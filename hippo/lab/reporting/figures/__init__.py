"""Figures, one file each. `hippo.lab.reporting.plot_style` is the style of all of them."""
