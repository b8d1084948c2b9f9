"""Networks that do less for easy inputs: gates that skip residual blocks, and early exits. Needs the `torch` extra.

`GatedNetwork` wraps the residual blocks of a model, `train` teaches its gates, and the `torch` runtime serves
it: a module that returns (outputs, cost) reports the cost of each input. `ExitNetwork` is the same for exits.
"""
