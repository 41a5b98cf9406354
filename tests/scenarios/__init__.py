"""What must hold when things go wrong; the number in a test's name is a row of README.md."""
