"""`python -m awm_gym` is `awm-gym`."""

from awm_gym.cli import main

if __name__ == "__main__":
    main()
