"""``python -m trainer``."""

from trainer.cli.train import main

if __name__ == "__main__":
    main()
