"""JAX: the whole step jitted, the old parameters' memory donated to the new ones."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.nets import LR
from benchmarks.peers import base


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        jax.config.update("jax_enable_x64", net.dtype == "float64")
        activation = jax.nn.relu if net.activation == "ReLU" else jax.nn.sigmoid
        momentum = net.momentum
        # As [in x out], the usual layout here.
        self.params = [(jnp.array(W.T), jnp.array(b)) for W, b in net.weights()]
        self.velocities = jax.tree.map(jnp.zeros_like, self.params) if momentum else None

        def loss(params, x, y):
            for W, b in params[:-1]:
                x = activation(x @ W + b)
            W, b = params[-1]
            log_p = jax.nn.log_softmax(x @ W + b)
            return -jnp.mean(jnp.take_along_axis(log_p, y[:, None], axis=1))

        @partial(jax.jit, donate_argnums=(0, 1))
        def step(params, velocities, x, y):
            value, grads = jax.value_and_grad(loss)(params, x, y)
            if momentum:
                grads = velocities = jax.tree.map(lambda v, g: momentum * v + g, velocities, grads)
            return jax.tree.map(lambda w, g: w - LR * g, params, grads), velocities, value

        self.jitted = step

    def batch(self, x, y):
        return jnp.array(x), jnp.array(y, jnp.int32)

    def run(self):
        step, params, velocities = self.jitted, self.params, self.velocities
        for x, y in self.batches:
            params, velocities, value = step(params, velocities, x, y)
        value.block_until_ready()
        self.params, self.velocities = params, velocities

    def weights(self):
        return [(np.asarray(W).T, np.asarray(b)) for W, b in self.params]
