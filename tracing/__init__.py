"""The three views of a traced pass: the graph, the products with their sizes, the chain rule (L21)."""
