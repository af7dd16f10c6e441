"""Mutation tests: the code is changed in one place at a time, to check that a unit test fails."""
