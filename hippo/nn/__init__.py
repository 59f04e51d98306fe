"""Recurrent models. Imports torch only when a model is built."""
