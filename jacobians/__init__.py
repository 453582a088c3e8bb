"""The parts of the Jacobian view, which `jacobian.py` tells: sizes, differences, structure, text, picture, command."""
