"""scikit-learn: one call of fit(), and one of score()."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.epochs import BATCH, LR, SIZES, idx


def main(folder):
    x, y, test_x, test_y = idx.load(folder)
    model = MLPClassifier(
        SIZES[1:-1],
        solver="sgd",
        alpha=0,
        batch_size=BATCH,
        learning_rate_init=LR,
        momentum=0,
        nesterovs_momentum=False,
        max_iter=1,
        verbose=True,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after one epoch: surely
        model.fit(x.astype(np.float32) / 255, y)
    found = model.score(test_x.astype(np.float32) / 255, test_y)
    print(f"loss {model.loss_:.4f}  test accuracy {found:.1%}")
    return found
