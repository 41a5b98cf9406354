"""Variables and tables of a model: names, first values, what inference changes, what is trained and saved."""
