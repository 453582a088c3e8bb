"""The parts of the gradient checker; `gradcheck.py`, beside this folder, tells the story."""
