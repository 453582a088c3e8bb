"""Grading what comes back: a trusted parent asks and judges, an untrusted child answers with arrays."""
