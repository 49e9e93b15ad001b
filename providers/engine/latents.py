"""A glimpse of a picture that is being made: its latents, roughly in colours, without the decoder."""

import io
from typing import Any

import torch
from PIL import Image

SIDE = 192
# Three mixed colours of four latent channels, for Stable Diffusion's autoencoder; others show their first
# three channels, which have no true colours but the right shapes.
FOUR = ((0.30, 0.19, 0.21), (0.19, 0.29, 0.17), (-0.16, 0.19, 0.27), (-0.18, -0.27, -0.47))


def preview_of(latents: Any) -> bytes:
    """A small JPEG. Latents are (batch, channels, height, width), or with frames after the channels; packed
    ones (batch, tokens, channels) are shown as a square."""
    one = latents[0].detach().float().cpu()
    if one.ndim == 4:
        one = one[:, one.shape[1] // 2]
    if one.ndim == 2:
        side = int(one.shape[0] ** 0.5)
        one = one[: side * side].T.reshape(-1, side, side)
    if one.shape[0] == 4:
        colours = torch.einsum("chw,cr->rhw", one, torch.tensor(FOUR))
    else:
        colours = one[:3] if one.shape[0] >= 3 else one[:1].repeat(3, 1, 1)
    low, high = colours.amin(), colours.amax()
    scaled = ((colours - low) / (high - low + 1e-6) * 255).byte().permute(1, 2, 0).numpy()
    picture = Image.fromarray(scaled)
    shape = (SIDE, max(1, SIDE * picture.height // picture.width))
    file = io.BytesIO()
    picture.resize(shape, Image.Resampling.BICUBIC).save(file, "JPEG", quality=60)
    return file.getvalue()
