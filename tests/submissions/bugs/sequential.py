"""Mistakes in the container, and other right ways to write it."""

from ..entry import Bug, Correct
from ..plain import PLAIN

FORWARD, BACKWARD = "sequential.forward", "sequential.backward"

NAMED = """
    for name, gradient in own.items():
        name = f"{self.layers.index(layer)}.{name}"
        grads[name] = grads[name] + gradient if name in grads else gradient
"""


def _backward(
    order: str = "reversed(range(len(self.layers)))",
    call: str = "upstream, own = layer.backward(upstream)",
    named: str = NAMED,
    result: str = "upstream, grads",
) -> str:
    return f"""
caches = self.recall()
grads = {{}}
for i in {order}:
    layer = self.layers[i]
    layer.cache = caches[i]
    {call}
{named.strip(chr(10))}
return {result}
"""


def _forward(loop: str, result: str = "x") -> str:
    return f"""
caches = []
{loop.strip(chr(10))}
self.cache = caches
return {result}
"""


BUGS = [
    Bug(
        "layers in reversed order",
        FORWARD,
        _forward("""
for layer in reversed(self.layers):
    x = layer.forward(x)
    caches.insert(0, layer.cache)
"""),
        r"order|revers|first|shape|\[\d\]",
    ),
    Bug(
        "the last layer left out",
        FORWARD,
        _forward("""
for layer in self.layers[:-1]:
    x = layer.forward(x)
    caches.append(layer.cache)
caches.append(x)
"""),
        r"last|left out|skip|missing|shape|layers?",
    ),
    Bug(
        "the first layer left out",
        FORWARD,
        _forward("""
caches.append(x)
for layer in self.layers[1:]:
    x = layer.forward(x)
    caches.append(layer.cache)
"""),
        r"first|left out|skip|missing|shape|layers?",
    ),
    Bug(
        "every layer is given the first input",
        FORWARD,
        _forward(
            """
for layer in self.layers:
    y = layer.forward(x)
    caches.append(layer.cache)
""",
            "y",
        ),
        r"input|output of|previous|first|shape|\bx\b",
    ),
    Bug(
        "a ReLU after each layer",
        FORWARD,
        _forward("""
for layer in self.layers:
    x = np.maximum(layer.forward(x), 0)
    caches.append(layer.cache)
"""),
        r"relu|negative|max|between|expected|own",
    ),
    Bug(
        "each layer's input added where the shapes agree",
        FORWARD,
        _forward("""
for layer in self.layers:
    y = layer.forward(x)
    x = x + y if x.shape == y.shape else y
    caches.append(layer.cache)
"""),
        r"input is added to its output",
    ),
    Bug(
        "predict in place of forward: nothing is cached",
        FORWARD,
        _forward("""
for layer in self.layers:
    x = layer.predict(x)
    caches.append(layer.cache)
"""),
        r"predict|cache",
        spreads=True,
    ),
    Bug(
        "all outputs are returned",
        FORWARD,
        _forward(
            """
outputs = []
for layer in self.layers:
    x = layer.forward(x)
    outputs.append(x)
    caches.append(layer.cache)
""",
            "outputs",
        ),
        r"list|last|return|output|shape|array",
    ),
    Bug(
        "returned after the first layer",
        FORWARD,
        """
        self.cache = []
        for layer in self.layers:
            x = layer.forward(x)
            self.cache.append(layer.cache)
            return x
    """,
        r"first|layer|shape|return|left out",
    ),
    Bug(
        "return forgotten",
        FORWARD,
        _forward("""
for layer in self.layers:
    x = layer.forward(x)
    caches.append(layer.cache)
""").replace("return x", ""),
        r"None|return",
    ),
    Bug(
        "from the first layer to the last",
        BACKWARD,
        _backward(order="range(len(self.layers))"),
        r"order|revers|last|first|shape",
    ),
    Bug(
        "the loop stops before layer 0",
        BACKWARD,
        _backward(order="range(len(self.layers) - 1, 0, -1)"),
        r"layer 0|first|missing|0\.|left out|\[0\]",
    ),
    Bug(
        "the loop starts before the last layer",
        BACKWARD,
        _backward(order="range(len(self.layers) - 2, -1, -1)"),
        r"last|missing|shape|left out|\d\.\w",
    ),
    Bug(
        "every layer is given the first upstream",
        BACKWARD,
        _backward(call="dx, own = layer.backward(upstream)", result="dx, grads"),
        r"upstream|shape|chain|above",
    ),
    Bug(
        "the upstream itself is returned",
        BACKWARD,
        "given = upstream\n" + _backward(result="given, grads"),
        r"upstream|\bdx\b|shape|return",
    ),
    Bug(
        "zip order: reversed layers, caches from the first",
        BACKWARD,
        """
        grads = {}
        for i, (layer, cache) in enumerate(zip(reversed(self.layers), self.recall(), strict=True)):
            layer.cache = cache
            upstream, own = layer.backward(upstream)
            for name, gradient in own.items():
                grads[f"{len(self.layers) - 1 - i}.{name}"] = gradient
        return upstream, grads
    """,
        r"cache|order|revers|shape|zip",
    ),
    Bug(
        "names counted from the end",
        BACKWARD,
        """
        caches, grads = self.recall(), {}
        for i, layer in enumerate(reversed(self.layers)):
            layer.cache = caches[len(caches) - 1 - i]
            upstream, own = layer.backward(upstream)
            for name, gradient in own.items():
                grads[f"{i}.{name}"] = gradient
        return upstream, grads
    """,
        r"name|revers|missing|position|0\.|shape",
    ),
    Bug(
        "names counted from 1",
        BACKWARD,
        _backward(
            named="""
    for name, gradient in own.items():
        grads[f"{i + 1}.{name}"] = gradient
"""
        ),
        r"name|0\.|missing|unexpected|count|from 1",
    ),
    Bug("names without the layer", BACKWARD, _backward(named="    grads.update(own)"), r"name|0\.|missing|unexpected"),
    Bug(
        "names with an underscore",
        BACKWARD,
        _backward(
            named="""
    for name, gradient in own.items():
        grads[f"{i}_{name}"] = gradient
"""
        ),
        r"name|0\.|missing|unexpected",
    ),
    Bug(
        "gradients nested by layer",
        BACKWARD,
        _backward(named="    grads[i] = own"),
        r"name|0\.|missing|unexpected|dict",
    ),
    Bug(
        "only W's gradients",
        BACKWARD,
        _backward(
            named="""
    if "W" in own:
        grads[f"{i}.W"] = own["W"]
"""
        ),
        r"missing|bias|name|\.b\b|\d\.\w",
    ),
    Bug(
        "only the last layer's gradients",
        BACKWARD,
        _backward(
            named="""
    grads = grads or {f"{i}.{name}": gradient for name, gradient in own.items()}
"""
        ),
        r"missing|name|0\.|last",
    ),
    Bug(
        "only the first layer's gradients",
        BACKWARD,
        _backward(
            named="""
    grads = {f"{i}.{name}": gradient for name, gradient in own.items()}
"""
        ),
        r"missing|name|first|overwrit|\d\.\w",
    ),
    Bug(
        "a sign changed on the way",
        BACKWARD,
        _backward(call="upstream, own = layer.backward(-upstream)"),
        r"sign|minus|negat|-1",
    ),
    Bug(
        "divided by the batch in every layer",
        BACKWARD,
        _backward(call="upstream, own = layer.backward(upstream / len(upstream))"),
        r"batch.*(sum|mean)|(divided|mean).*batch|1/[NB]|len|factor",
    ),
    Bug(
        "gradients divided by the layer's number",
        BACKWARD,
        _backward(named=NAMED.replace("own.items():", "own.items():\n        gradient = gradient / (i + 1)")),
        r"divided by its number",
    ),
    Bug(
        "upstream of ones",
        BACKWARD,
        _backward(call="upstream, own = layer.backward(np.ones_like(upstream))"),
        r"upstream|ones",
    ),
    Bug(
        "gradients accumulated over calls",
        BACKWARD,
        _backward(
            named="""
    self.kept = getattr(self, "kept", {})
    for name, gradient in own.items():
        name = f"{self.layers.index(layer)}.{name}"
        self.kept[name] = self.kept.get(name, 0) + gradient
""",
            result="upstream, dict(self.kept)",
        ),
        r"accumulat|second|again|twice|call|add",
    ),
    Bug(
        "parameters updated in backward",
        BACKWARD,
        _backward(
            named=NAMED
            + """
    for name, gradient in own.items():
        layer.params[name][...] -= 0.01 * gradient
"""
        ),
        r"updat|chang|in place|parameter|edit",
    ),
    Bug("only the gradients returned", BACKWARD, _backward(result="grads"), r"return|pair|tuple|\(dx|unpack"),
]

CORRECT = [
    Correct(
        "a layer that occurs twice, which is not asked for, would have one cache and one gradient",
        {
            FORWARD: """
        for layer in self.layers:
            x = layer.forward(x)
        self.cache = [layer.cache for layer in self.layers]
        return x
    """,
            BACKWARD: _backward(
                named="""
    for name, gradient in own.items():
        grads[f"{self.layers.index(layer)}.{name}"] = gradient
"""
            ),
        },
    ),
    Correct(
        "while, and the caches from the end",
        {
            FORWARD: """
            self.cache = []
            i = 0
            while i < len(self.layers):
                x = self.layers[i].forward(x)
                self.cache = [*self.cache, self.layers[i].cache]
                i += 1
            return x
        """,
            BACKWARD: """
            grads, caches = {}, list(self.recall())
            names = list(self._names)
            d = upstream
            for layer in self.layers[::-1]:
                layer.cache = caches.pop()
                d, own = layer.backward(d)
                for short, (name, is_sum) in names.pop().items():
                    grads[name] = grads[name] + own[short] if is_sum else own[short]
            return d, grads
        """,
        },
    ),
    Correct(
        "zip in the right order",
        {
            FORWARD: PLAIN[FORWARD],
            BACKWARD: """
            grads = {name: np.zeros_like(array) for name, array in self.params.items()}
            places = [self.layers.index(layer) for layer in self.layers]
            for layer, cache, place in reversed(list(zip(self.layers, self.recall(), places))):
                layer.cache = cache
                upstream, own = layer.backward(upstream)
                for name in own:
                    grads[f"{place}.{name}"] += own[name]
            return upstream, grads
        """,
        },
    ),
    Correct(
        "the project's own Grads",
        {
            FORWARD: PLAIN[FORWARD],
            BACKWARD: """
            grads = Grads.like(self.params)
            for gradient in grads.values():
                gradient.fill(0)
            for i, cache in reversed(list(enumerate(self.recall()))):
                self.layers[i].cache = cache
                upstream, own = self.layers[i].backward(upstream)
                for name, gradient in own.items():
                    grads[f"{self.layers.index(self.layers[i])}.{name}"] += gradient
            return upstream, grads
        """,
        },
    ),
    Correct(
        "recursion",
        {
            FORWARD: """
            caches = []
            y = through(list(self.layers), x, caches)
            self.cache = caches
            return y
        """,
            BACKWARD: """
            grads = {}
            dx = back(self, len(self.layers) - 1, upstream, grads)
            return dx, grads
        """,
        },
        module="""
        def through(layers, x, caches):
            if not layers:
                return x
            y = layers[0].forward(x)
            caches.append(layers[0].cache)
            return through(layers[1:], y, caches)


        def back(model, i, upstream, grads):
            if i < 0:
                return upstream
            layer = model.layers[i]
            layer.cache = model.recall()[i]
            dx, own = layer.backward(upstream)
            for name, gradient in own.items():
                name = f"{model.layers.index(layer)}.{name}"
                grads[name] = grads.get(name, 0) + gradient
            return back(model, i - 1, dx, grads)
    """,
    ),
]
