"""How the rest of the world is asked: disk, files, lock, clock."""
