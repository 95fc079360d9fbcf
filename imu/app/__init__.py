"""The program's face: command line, terminal, page, exports."""
