"""The models of the shipped experiments; a model of your own can live anywhere."""
