"""More simulated pictures of the test categories, which no decoder and no student was fitted on."""

from brain_teacher.seeds import named_rng
from brain_teacher.simulation.pictures import draw_mixtures, draw_pictures
from brain_teacher.simulation.stimuli import category_id, category_numbers


def draw_new_pictures(*, categories, count, size, seed):
    """Draw pictures of each test category, beside the one that the simulated brains look at.

    Parameters
    ----------
    categories : int
        Training categories of the data set.
    count : int
        Pictures of each test category.
    size : int
        Side of a picture, in pixels.
    seed : int
        Of the data set.

    Returns
    -------
    image_id, category : list of str
    pictures : ndarray of shape (n_pictures, size, size, 3), uint8
    """
    members = [each for each in category_numbers(categories)[1] for _ in range(count)]
    mixtures = draw_mixtures(
        members, n_categories=categories, rng=named_rng(seed, "mixtures", "new pictures")
    )
    pictures = draw_pictures(mixtures, size=size, rng=named_rng(seed, "pictures", "new pictures"))
    category = [category_id(each) for each in members]
    # Picture 1 is the one that was shown.
    number = [*range(2, count + 2)] * len(set(members))
    ids = [f"{name}_{each}" for name, each in zip(category, number, strict=True)]
    return ids, category, pictures
