"""Mistakes in the three steps, and other right ways to write them."""

from ..entry import Bug, Correct
from ..plain import PLAIN

FORWARD, UPDATE = "train.forward", "train.update"

BUGS = [
    Bug(
        "scores and labels swapped",
        FORWARD,
        "scores = model.forward(x)\nrun.value = loss.forward(y, scores)",
        r"swap|order|label|scores",
    ),
    Bug(
        "predict: nothing is cached",
        FORWARD,
        "scores = model.predict(x)\nrun.value = loss.forward(scores, y)",
        r"predict|cache|forward",
    ),
    Bug(
        "the loss's predict: nothing is cached",
        FORWARD,
        "scores = model.forward(x)\nrun.value = loss.predict(scores, y)",
        r"predict|cache|forward",
    ),
    Bug(
        "the loss is not noted",
        FORWARD,
        "scores = model.forward(x)\nloss.forward(scores, y)",
        r"run\.value|nan|loss|value",
    ),
    Bug(
        "the loss noted under another name",
        FORWARD,
        "scores = model.forward(x)\nvalue = loss.forward(scores, y)",
        r"run\.value|nan|loss|value",
    ),
    Bug(
        "scores under another name",
        FORWARD,
        "out = model.forward(x)\nrun.value = loss.forward(out, y)",
        r"scores|NameError|UnboundLocal",
        spreads=True,
    ),
    Bug(
        "losses summed over the steps",
        FORWARD,
        "scores = model.forward(x)\nrun.value = loss.forward(scores, y) + np.nan_to_num(run.value)",
        r"sum|add|accumulat|loss|value",
    ),
    Bug(
        "loss divided by the batch again",
        FORWARD,
        "scores = model.forward(x)\nrun.value = loss.forward(scores, y) / len(x)",
        r"batch|divided|factor|mean|1/[NB]|loss",
    ),
    Bug(
        "loss times the batch",
        FORWARD,
        "scores = model.forward(x)\nrun.value = loss.forward(scores, y) * len(x)",
        r"batch|multipl|times|factor|mean|sum|loss",
    ),
    Bug(
        "mean of the scores as the loss",
        FORWARD,
        "scores = model.forward(x)\nloss.forward(scores, y)\nrun.value = float(np.mean(scores))",
        r"loss|scores|value",
    ),
    Bug(
        "forward on the first row only",
        FORWARD,
        "scores = model.forward(x[:1])\nrun.value = loss.forward(scores, y[:1])",
        r"row|batch|first|rows|all|shape",
        spreads=True,
    ),
    Bug(
        "the odd last batch is filled up with zeros",
        FORWARD,
        """
        lacking = shuffled.batch_size - len(x)
        x = np.concatenate([x, np.zeros((lacking, *x.shape[1:]), x.dtype)])
        y = np.concatenate([y, np.zeros((lacking, *y.shape[1:]), y.dtype)])
        scores = model.forward(x)
        run.value = loss.forward(scores, y)
    """,
        r"last|odd|row|batch|zero|small|shape",
        spreads=True,
    ),
    Bug(
        "one batch used for the whole run",
        FORWARD,
        """
        if run.step == 0:
            first_x, first_y = x.copy(), y.copy()
        x, y = first_x, first_y
        scores = model.forward(x)
        run.value = loss.forward(scores, y)
    """,
        r"batch|first|same|handed|rows|given",
        spreads=True,
    ),
    Bug(
        "a softmax before the loss",
        FORWARD,
        """
        scores = model.forward(x)
        p = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores = p / p.sum(axis=-1, keepdims=True)
        run.value = loss.forward(scores, y)
    """,
        r"softmax|scores|handed|loss|given",
    ),
    Bug(
        "no update at all",
        UPDATE,
        "dx, grads = model.backward(loss.backward())",
        r"step|updat|unchanged|optimizer|not (changed|updated)|stay",
    ),
    Bug(
        "no backward: zeros for gradients",
        UPDATE,
        "grads = {name: np.zeros_like(p) for name, p in model.params.items()}\noptimizer.step(grads)",
        r"backward|zero|gradient",
    ),
    Bug(
        "the optimizer is given dx",
        UPDATE,
        "dx, grads = model.backward(loss.backward())\noptimizer.step(dx)",
        r"\bdx\b|grads|attribute|keys|step|mapping|gradient",
    ),
    Bug(
        "the pair swapped",
        UPDATE,
        "grads, dx = model.backward(loss.backward())\noptimizer.step(grads)",
        r"swap|order|\bdx\b|grads|attribute|keys|gradient",
    ),
    Bug(
        "the pair is not taken apart",
        UPDATE,
        "grads = model.backward(loss.backward())\noptimizer.step(grads)",
        r"tuple|pair|\bdx\b|grads|attribute|keys",
    ),
    Bug(
        "upstream of ones instead of the loss's gradient",
        UPDATE,
        "dx, grads = model.backward(np.ones_like(scores))\noptimizer.step(grads)",
        r"loss|upstream|ones|backward|handed",
    ),
    Bug(
        "scores in place of the loss's gradient",
        UPDATE,
        "dx, grads = model.backward(scores)\noptimizer.step(grads)",
        r"loss|upstream|scores|backward|handed",
    ),
    Bug(
        "the loss's value as its upstream",
        UPDATE,
        "dx, grads = model.backward(loss.backward(run.value))\noptimizer.step(grads)",
        r"the loss's value; its upstream is 1",
    ),
    Bug(
        "the upstream doubled",
        UPDATE,
        "dx, grads = model.backward(2 * loss.backward())\noptimizer.step(grads)",
        r"dL/dscores is multiplied by 2",
    ),
    Bug(
        "gradients clipped before the step",
        UPDATE,
        """
        dx, grads = model.backward(loss.backward())
        grads = {name: np.clip(g, -0.5, 0.5) for name, g in grads.items()}
        optimizer.step(grads)
    """,
        r"clipped at 0\.5 ",
    ),
    Bug(
        "1/B once more",
        UPDATE,
        "dx, grads = model.backward(loss.backward() / len(x))\noptimizer.step(grads)",
        r"batch|divided|1/[NB]|factor|len",
    ),
    Bug(
        "1/B taken out again",
        UPDATE,
        "dx, grads = model.backward(loss.backward() * len(x))\noptimizer.step(grads)",
        r"batch|multipl|times|1/[NB]|factor|len",
    ),
    Bug(
        "the wrong sign",
        UPDATE,
        "dx, grads = model.backward(-loss.backward())\noptimizer.step(grads)",
        r"sign|minus|negat|-1",
    ),
    Bug(
        "two updates a step",
        UPDATE,
        "dx, grads = model.backward(loss.backward())\noptimizer.step(grads)\noptimizer.step(grads)",
        r"twice|two|second|step|factor",
    ),
    Bug(
        "the update by hand, past the optimizer",
        UPDATE,
        """
        dx, grads = model.backward(loss.backward())
        for name, gradient in grads.items():
            model.params[name][...] -= optimizer.lr * gradient
    """,
        r"optimizer|step|by hand|called",
    ),
    Bug(
        "the update by hand with an lr of its own, and the optimizer's",
        UPDATE,
        """
        dx, grads = model.backward(loss.backward())
        for name, gradient in grads.items():
            model.params[name][...] -= 0.01 * gradient
        optimizer.step(grads)
    """,
        r"optimizer|twice|by hand|param|step|more|chang|lr|expected",
    ),
    Bug(
        "the gradients of the batch before",
        UPDATE,
        """
        if run.step == 0:
            held = {name: np.zeros_like(p) for name, p in model.params.items()}
        grads = held
        optimizer.step(grads)
        held = {name: np.array(g) for name, g in model.backward(loss.backward())[1].items()}
    """,
        r"previous|before|last|old|order|step|backward|late|gradient",
    ),
    Bug(
        "gradients accumulated over the run",
        UPDATE,
        """
        if run.step == 0:
            summed = {name: np.zeros_like(p) for name, p in model.params.items()}
        for name, g in model.backward(loss.backward())[1].items():
            summed[name] += g
        grads = summed
        optimizer.step(grads)
    """,
        r"accumulat|sum|earlier|add|previous|gradient",
    ),
    Bug(
        "an update in the first epoch only",
        UPDATE,
        "dx, grads = model.backward(loss.backward())\nif run.epoch == 1:\n    optimizer.step(grads)",
        r"epoch|step|updat|unchanged|not (changed|updated)|called|time",
    ),
    Bug(
        "an update once an epoch",
        UPDATE,
        """
        dx, grads = model.backward(loss.backward())
        if (run.step + 1) % len(shuffled) == 0:
            optimizer.step(grads)
        """,
        r"every (step|batch)|epoch|step|updat|unchanged|called|time",
    ),
    Bug(
        "the odd last batch is left out of the update",
        UPDATE,
        "dx, grads = model.backward(loss.backward())\nif len(x) == shuffled.batch_size:\n    optimizer.step(grads)",
        r"last|odd|batch|step|updat|called|time",
    ),
    Bug(
        "the forward after the update again",
        UPDATE,
        """
        dx, grads = model.backward(loss.backward())
        optimizer.step(grads)
        scores = model.forward(x)
        run.value = loss.forward(scores, y)
    """,
        r"after|forward|loss|second|twice|value|again",
        spreads=True,
    ),
    Bug(
        "stops after the first step",
        UPDATE,
        "dx, grads = model.backward(loss.backward())\noptimizer.step(grads)\nrun.stop = 'done'",
        r"stop|first|step|epoch|history|end",
    ),
    Bug(
        "leaves the loop after the first batch",
        UPDATE,
        """
        dx, grads = model.backward(loss.backward())
        optimizer.step(grads)
        if len(history.step_loss) == 1:
            break
        """,
        r"stop|first|step|epoch|history|batch|break|end|call",
        spreads=True,
    ),
]

CORRECT = [
    Correct(
        "each call by its own",
        {
            FORWARD: """
            scores = model.forward(x)
            value = loss.forward(scores, y)
            run.value = float(value)
        """,
            UPDATE: """
            dscores = loss.backward()
            dx, grads = model.backward(dscores)
            optimizer.step(grads)
        """,
        },
    ),
    Correct(
        "layers called as functions",
        {
            FORWARD: "scores = model(x)\nrun.value = loss(scores, y)",
            UPDATE: "_, grads = model.backward(loss.backward(1.0))\noptimizer.step(grads)",
        },
    ),
    Correct(
        "by position, with a print",
        {
            FORWARD: """
            scores = model.forward(x)
            run.value = loss.forward(scores, y)
            print("step", run.step, "loss", run.value)
        """,
            UPDATE: """
            grads = model.backward(loss.backward())[1]
            optimizer.step(grads)
            print({name: float(np.abs(g).max()) for name, g in grads.items()})
        """,
        },
    ),
    Correct(
        "helper functions",
        {
            FORWARD: "scores, run.value = forward_step(model, loss, x, y)",
            UPDATE: "grads = update_step(model, loss, optimizer)",
        },
        module="""
        def forward_step(model, loss, x, y):
            scores = model.forward(x)
            return scores, loss.forward(scores, y)


        def update_step(model, loss, optimizer):
            grads = model.backward(loss.backward())[1]
            optimizer.step(grads)
            return grads
    """,
    ),
    Correct(
        "the update alone is done otherwise",
        {
            FORWARD: PLAIN[FORWARD],
            UPDATE: """
        gradient_of_scores = loss.backward(upstream=1.0)
        result = model.backward(gradient_of_scores)
        grads = dict(result[1])
        optimizer.step(grads)
    """,
        },
    ),
]
