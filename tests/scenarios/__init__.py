"""What must hold when things go wrong; the numbers are those of the list that the project keeps of them."""
