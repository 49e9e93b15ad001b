"""Tiny diffusers models with random weights, made in the diffusers environment:

.venv-diffusers/bin/python tests/engine/tiny.py FOLDER
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import diffusers as D
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.!?-"


def clip_tokenizer() -> CLIPTokenizer:
    vocab = {letter: at for at, letter in enumerate(LETTERS)}
    vocab |= {f"{letter}</w>": len(vocab) + at for at, letter in enumerate(LETTERS)}
    vocab |= {"<|startoftext|>": len(vocab), "<|endoftext|>": len(vocab) + 1}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=77)


def clip() -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=200, hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
            projection_dim=32, eos_token_id=len(LETTERS) * 2 + 1, bos_token_id=len(LETTERS) * 2,
        )
    )  # fmt: skip


def words() -> PreTrainedTokenizerFast:
    """A tokenizer of letters for T5-like encoders."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in LETTERS]
    made = Tokenizer(models.Unigram(pieces, unk_id=2))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )


def stable_diffusion() -> D.StableDiffusionPipeline:
    torch.manual_seed(0)
    unet = D.UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=32, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=32, norm_num_groups=8,
        attention_head_dim=8,
    )  # fmt: skip
    vae = D.AutoencoderKL(
        block_out_channels=(32,) * 4, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, norm_num_groups=8, sample_size=64,
    )  # fmt: skip
    scheduler = D.DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)
    return D.StableDiffusionPipeline(
        vae=vae, text_encoder=clip(), tokenizer=clip_tokenizer(), unet=unet, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False, scheduler=scheduler,
    )  # fmt: skip


def flux() -> D.FluxPipeline:
    torch.manual_seed(0)
    transformer = D.FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    vae = D.AutoencoderKL(
        sample_size=32, in_channels=3, out_channels=3, block_out_channels=(4,), layers_per_block=1,
        latent_channels=1, norm_num_groups=1, use_quant_conv=False, use_post_quant_conv=False,
        shift_factor=0.0609, scaling_factor=1.5035,
    )  # fmt: skip
    t5 = T5EncoderModel(T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4))
    return D.FluxPipeline(
        scheduler=D.FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=clip(),
        tokenizer=clip_tokenizer(), text_encoder_2=t5, tokenizer_2=words(), transformer=transformer,
    )  # fmt: skip


def wan() -> D.WanPipeline:
    torch.manual_seed(0)
    umt5 = UMT5EncoderModel(
        UMT5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
    )
    vae = D.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1] * 4, num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    transformer = D.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16,
        text_dim=32, freq_dim=256, ffn_dim=32, num_layers=2, cross_attn_norm=True,
        qk_norm="rms_norm_across_heads", rope_max_seq_len=32,
    )  # fmt: skip
    return D.WanPipeline(
        text_encoder=umt5, tokenizer=words(), vae=vae, transformer=transformer,
        scheduler=D.FlowMatchEulerDiscreteScheduler(shift=7.0),
    )  # fmt: skip


def main(folder: Path) -> None:
    for name, make in (("tiny-sd", stable_diffusion), ("tiny-flux", flux), ("tiny-wan", wan)):
        if not (folder / name / "model_index.json").exists():
            make().save_pretrained(folder / f".{name}", safe_serialization=True)
            (folder / f".{name}").rename(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
