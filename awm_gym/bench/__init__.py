"""Speed and memory on one scenario, beside a baseline that runs in the same minute: `python -m awm_gym.bench`."""
