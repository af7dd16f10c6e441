"""The model: frozen data that every other package uses. It imports no other package of the product."""
