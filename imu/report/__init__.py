"""The figures and words of a session, computed once, and the pages that show them.

- `session_view` computes all figures and texts of one session; every page of a session draws from it;
- `words` and `cues` hold the wording, `trends` weeks and comparisons, `curves` a recording's curves and plots;
- `terminal_pages`, `html_report` (with `charts` and `templates/`) and `objects` are the faces: terminal, file, JSON;
- `replay` turns recordings into summaries.
"""
