"""Recurrent cells, one file each."""
