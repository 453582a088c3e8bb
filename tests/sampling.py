"""How much of the large corpora is tried."""

import os


def some(entries, share):
    """One in `share` of the entries; all of them with HANDGRAD_TESTS=all in the environment."""
    return entries if os.environ.get("HANDGRAD_TESTS") == "all" else entries[::share]
