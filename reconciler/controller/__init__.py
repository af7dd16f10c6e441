"""The controller, which runs the steps of a pass in order and has side effects only through ports."""
