"""A training as it runs: its view, its announcements, its voice. No screen is drawn here."""
