"""handgrad: train() with progress, history, validation and callbacks."""

from benchmarks.epochs import BATCH, LR, SIZES
from handgrad import FC, SGD, Callback, ReLU, Sequential, SoftmaxCE, train
from handgrad.data import load


class Watch(Callback):
    """A callback for each step and each epoch, as a user may have one."""

    def __init__(self):
        self.largest = 0.0

    def on_step(self, run):
        self.largest = max(self.largest, run.value)

    def on_epoch(self, run):
        print(f"largest loss of a batch so far: {self.largest:.4f}")


def main(folder):
    data, test = load(folder)
    inputs, first, second, classes = SIZES
    model = Sequential(FC(inputs, first, rng=0), ReLU(), FC(first, second, rng=1), ReLU(), FC(second, classes, rng=2))
    options = {"epochs": 1, "batch_size": BATCH, "validation": test, "rng": 0, "callbacks": [Watch()]}
    history = train(model, SoftmaxCE(), SGD(model.params, LR), data, **options)
    return history.validation_accuracy[-1]
