"""One script for each library, as its users write it: load, train one epoch, evaluate, keep a history, show progress.

Each has `main(folder)`, which returns the accuracy on the test set. 784-256-128-10 with ReLU, batches of 64, SGD.
"""

SIZES, BATCH, LR = (784, 256, 128, 10), 64, 0.1
