"""The best one-to-one assignment between two sets, as the Hungarian method finds it."""

from __future__ import annotations

from collections.abc import Sequence


def best_assignment(similarities: Sequence[Sequence[float]]) -> list[int | None]:
    """Assign each expected call (row) at most one predicted call (column), with the greatest sum.

    Returns the column of each row, or None where there are fewer columns than rows. The Hungarian method:
    O(r² c) for r rows and c columns, r the fewer.
    """
    if not similarities or not similarities[0]:
        return [None] * len(similarities)
    rows, columns = len(similarities), len(similarities[0])
    if rows <= columns:
        return list(_hungarian([[-value for value in row] for row in similarities]))
    transposed = [[-similarities[r][c] for r in range(rows)] for c in range(columns)]
    assigned: list[int | None] = [None] * rows
    for column, row in enumerate(_hungarian(transposed)):
        assigned[row] = column
    return assigned


def _hungarian(cost: Sequence[Sequence[float]]) -> list[int]:
    """Minimise the summed cost with one column for each row; as many columns as rows or more.

    Kuhn–Munkres with potentials (Jonker–Volgenant's shortest augmenting paths).
    """
    rows, columns = len(cost), len(cost[0])
    row_potential, column_potential = [0.0] * (rows + 1), [0.0] * (columns + 1)
    row_of = [0] * (columns + 1)
    for row in range(1, rows + 1):
        row_of[0], column = row, 0
        least, came_from = [float("inf")] * (columns + 1), [0] * (columns + 1)
        used = [False] * (columns + 1)
        while row_of[column]:
            used[column] = True
            current, delta, following = row_of[column], float("inf"), 0
            for other in range(1, columns + 1):
                if used[other]:
                    continue
                reduced = cost[current - 1][other - 1] - row_potential[current] - column_potential[other]
                if reduced < least[other]:
                    least[other], came_from[other] = reduced, column
                if least[other] < delta:
                    delta, following = least[other], other
            for other in range(columns + 1):
                if used[other]:
                    row_potential[row_of[other]] += delta
                    column_potential[other] -= delta
                else:
                    least[other] -= delta
            column = following
        while column:
            row_of[column], column = row_of[came_from[column]], came_from[column]
    column_of = [0] * rows
    for column in range(1, columns + 1):
        if row_of[column]:
            column_of[row_of[column] - 1] = column - 1
    return column_of
