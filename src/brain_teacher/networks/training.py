"""What networks are trained with: AdamW, a one-cycle learning rate, nearly equal batches."""

import torch


def one_cycle(network, *, count, batch, epochs, learning_rate, weight_decay):
    """The steps of an epoch, an optimiser and its schedule, to be stepped once a step.

    Parameters
    ----------
    network : torch.nn.Module
    count, batch, epochs : int
        Examples an epoch; of them a step, at most; epochs.
    learning_rate : float
        At its peak, a fifth of the way.
    weight_decay : float

    Returns
    -------
    steps : int
        Into so many nearly equal batches an epoch is to be cut: of two examples at least (batch: 2,
        an odd number), since one alone breaks batch normalisation.
    optimizer, schedule : torch.optim.AdamW, torch.optim.lr_scheduler.OneCycleLR
    """
    steps = steps_an_epoch(count, batch)
    total = steps * epochs
    optimised = {"learning_rate": learning_rate, "weight_decay": weight_decay}
    return steps, *scheduled(network, total=total, **optimised)


def steps_an_epoch(count, batch):
    """Into how many nearly equal batches `one_cycle` has an epoch of `count` examples cut."""
    return max(min(-(-count // batch), count // 2), 1)


def scheduled(network, *, total, learning_rate, weight_decay):
    """The last two of `one_cycle` for `total` steps."""
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        learning_rate,
        # 5 would end the warm-up on its first step, and OneCycleLR would divide by zero.
        total_steps=max(total + 1, 6),
        pct_start=0.2,
        cycle_momentum=False,
    )
    return optimizer, schedule
