"""What the file tools in scripts/ run: command lines over the typed functions of the other packages."""
