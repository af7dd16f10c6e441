"""What is said: frozen data that everything else speaks in."""
