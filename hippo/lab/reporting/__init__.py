"""Tables, figures, report and terminal output."""
