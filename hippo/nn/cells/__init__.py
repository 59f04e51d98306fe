"""Recurrent cells. One file per cell holds its recurrence for the engine, its module and its step-by-step form."""
