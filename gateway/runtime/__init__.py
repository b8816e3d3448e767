"""The processes of an installation: how they start, answer, wake one another and end."""
