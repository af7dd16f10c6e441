"""The controller: the order of the steps of a pass. Side effects go through ports only."""
