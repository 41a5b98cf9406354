"""Forward pass: objects, functions and programs as models, their outputs, losses and metrics on a batch."""
