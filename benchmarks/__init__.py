"""Measurements, by one command each; how they come out is not asserted in a test.

python -m benchmarks            accuracy, agreement with PyTorch, import time
python -m benchmarks.checkers   what gradient checkers find
python -m benchmarks.step       one step of training, beside the peers
python -m benchmarks.epoch      a whole epoch: time and memory
python -m benchmarks.profile    where the time of a step goes
"""
