"""Datasets: raw data and where it is looked for, prepared arrays, and one file or folder for each dataset."""
