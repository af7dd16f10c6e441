"""`python -m tests.night_run`: whether a watch over 5,000 jobs in 8 accounts grows over time."""
