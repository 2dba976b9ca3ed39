"""The share of specifications that carry each verdict. Exploratory: none is the plan but one."""

import pandas as pd


def verdict_shares(table):
    """How many specifications carry each verdict, the most frequent first.

    Parameters
    ----------
    table : DataFrame
        One row a specification, with ``verdict``.

    Returns
    -------
    DataFrame
        Columns ``verdict``, ``specifications``, ``share`` (a fraction). No interval: specifications
        share their data, and are no sample of anything.
    """
    counts = table["verdict"].value_counts()
    return pd.DataFrame(
        {
            "verdict": counts.index,
            "specifications": counts.to_numpy(),
            "share": counts.to_numpy() / len(table),
        }
    )


def by_choice(table, factors):
    """The mean effect of each choice of each factor, over the specifications that made it.

    Returns
    -------
    DataFrame
        Columns ``factor``, ``choice``, ``specifications``, ``mean``, and ``least`` and ``most`` of
        them; fractions.
    """
    rows = [
        {
            "factor": factor,
            "choice": choice if isinstance(choice, str) else f"{choice:g}",
            "specifications": len(each),
            "mean": each.mean(),
            "least": each.min(),
            "most": each.max(),
        }
        for factor in factors
        for choice, each in table.groupby(factor, sort=False)["mean"]
    ]
    return pd.DataFrame(rows)
