"""`python -m plgkit`: the command line."""

from plgkit.cli import main

if __name__ == "__main__":
    main()
