"""What a person puts right: send again, translate again, edit, decide, cancel, let rest; each noted in the audit."""
