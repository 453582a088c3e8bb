"""The thirteen tasks as a good student writes them: plain NumPy, no care for speed."""

PLAIN = {
    "fc.forward": """
        self.cache = x
        y = x @ self.W.T
        if self.bias:
            y = y + self.b
        return y
    """,
    "fc.backward": """
        dx = upstream @ self.W
        grads = {"W": upstream.T @ x}
        if self.bias:
            grads["b"] = upstream.sum(axis=0)
        return dx, grads
    """,
    "relu.forward": """
        self.cache = x
        return np.maximum(x, 0)
    """,
    "relu.backward": """
        return upstream * (x > 0), {}
    """,
    "sigmoid.forward": """
        z = np.exp(-np.abs(x))
        y = np.where(x >= 0, 1, z) / (1 + z)
        self.cache = y.copy()
        return y
    """,
    "sigmoid.backward": """
        return upstream * y * (1 - y), {}
    """,
    "softmax_ce.forward": """
        z = scores - scores.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        if labels.ndim == 1:
            onehot = np.zeros_like(scores)
            onehot[np.arange(rows), labels] = 1
        else:
            onehot = labels
        self.cache = np.exp(log_p), onehot
        return float(-(onehot * log_p).sum() / rows)
    """,
    "softmax_ce.backward": """
        p, onehot = self.recall()
        return upstream * (p - onehot) / len(p)
    """,
    "softmax_ce.extremes": "",
    "sequential.forward": """
        caches = []
        for layer in self.layers:
            x = layer.forward(x)
            caches.append(layer.cache)
        self.cache = caches
        return x
    """,
    "sequential.backward": """
        caches = self.recall()
        grads = {}
        for i in reversed(range(len(self.layers))):
            layer = self.layers[i]
            layer.cache = caches[i]
            upstream, own = layer.backward(upstream)
            for name, gradient in own.items():
                name = f"{self.layers.index(layer)}.{name}"  # a layer that occurs twice has its first place's name
                grads[name] = grads[name] + gradient if name in grads else gradient
        return upstream, grads
    """,
    "sgd.step": """
        g = gradient
        if self.weight_decay:
            g = g + self._decay_rates * w
        if self.momentum:
            self._velocity = self.momentum * self._velocity + g
            g = g + self.momentum * self._velocity if self.nesterov else self._velocity
        w -= self.lr * g
    """,
    "train.forward": """
        scores = model.forward(x)
        run.value = loss.forward(scores, y)
    """,
    "train.update": """
        dx, grads = model.backward(loss.backward())
        optimizer.step(grads)
    """,
}


def plain(part: str) -> dict[str, str]:
    """The part's tasks, and the regions without points that go with them."""
    return {task: code for task, code in PLAIN.items() if task.split(".")[0] == part}
