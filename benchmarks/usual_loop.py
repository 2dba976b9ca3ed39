"""The usual way to train on image files, as in the 2021 project: what ours is measured against.

A `DataLoader` without workers reads, resizes and augments each JPEG anew, with torchvision's PIL
transforms; the network computes in float32, contiguous in memory. Augmentation is drawn from the
same distribution as ours.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from brain_teacher.networks.classifiers import MEAN, SD

NORMALISED = [transforms.ToTensor(), transforms.Normalize(MEAN, SD)]


class Files(Dataset):
    """Image files with labels."""

    def __init__(self, paths, labels, transform):
        self._paths, self._labels, self._transform = paths, labels, transform

    def __len__(self):
        return len(self._paths)

    def __getitem__(self, row):
        with Image.open(self._paths[row]) as image:
            return self._transform(image.convert("RGB")), int(self._labels[row])


def training_loader(paths, labels, *, size, shift, batch, seed=0, **loading):
    """Batches in random order, shifted (mirrored at the edges) and flipped at random.

    `loading` is the `DataLoader`'s own; without, it has no workers.
    """
    transform = transforms.Compose(
        [
            transforms.Resize(size),
            transforms.CenterCrop(size),
            transforms.RandomCrop(size, padding=shift, padding_mode="reflect"),
            transforms.RandomHorizontalFlip(),
            *NORMALISED,
        ]
    )
    generator = torch.Generator().manual_seed(seed)
    files = Files(paths, labels, transform)
    return DataLoader(files, batch, shuffle=True, generator=generator, **loading)


def train_epoch(network, loader, optimizer, *, schedule=None, device="cpu"):
    """One epoch; gives the mean loss of its batches."""
    network.train()
    losses = []
    for pixels, labels in loader:
        loss = F.cross_entropy(network(pixels.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        losses.append(loss.item())
    return np.mean(losses)


@torch.inference_mode()
def accuracy(network, paths, labels, *, size):
    """The fraction of image files that the network names right."""
    network.eval()
    transform = transforms.Compose(
        [transforms.Resize(size), transforms.CenterCrop(size), *NORMALISED]
    )
    right = 0
    for pixels, batch_labels in DataLoader(Files(paths, labels, transform), 256):
        right += int((network(pixels).argmax(1) == batch_labels).sum())
    return right / len(paths)
