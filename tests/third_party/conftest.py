from __future__ import annotations

collect_ignore = ["replicate"]
"""`replicate` is a separate project. `test_replicate` installs it and then runs its tests."""
