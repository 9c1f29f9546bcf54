"""`python -m sparkml`: the `sparkml` command, where its script is not on PATH."""

from sparkml.cli import main

if __name__ == "__main__":
    main()
