"""What the person sees: command line, tables, reports."""
