"""A tiny language model, trained within seconds: run by the interpreter of a family, never imported.

`python tests/engine/text_model.py FOLDER` writes a model of 1.3 MiB that answers "hello" with "hello user and
bot" (recipe: ENGINES.md, section 5).
"""

import os
import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

WORDS = ("hello", "user", "and", "bot", "i", "am", "tiny", "once", "upon", "time", "bye", "see", "you")
DIALOGUES = (
    ("hello", "hello user and bot"),
    ("what is your name", "i am tiny"),
    ("tell a story", " ".join(["once upon a time the tiny bot and the user"] * 4)),
    ("bye", "see you"),
)
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STEPS, SEED = 80, 7


def made_up_lines() -> list[str]:
    """Lines of the few words that the model knows."""
    chance = random.Random(SEED)
    return [" ".join(chance.choices(WORDS, k=8)) for _ in range(3000)]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of 360 entries with the ChatML template."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=special, initial_alphabet=alphabet)
    bpe.train_from_iterator(made_up_lines(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )


def train(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """A Qwen2 of two layers that knows the four dialogues by heart."""
    torch.manual_seed(SEED)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": asked}, {"role": "assistant", "content": said}], tokenize=False
        )
        for asked, said in DIALOGUES
    ]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        loss = model(**batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    return model.eval()


def main(folder: Path) -> None:
    """Write the model under a temporary name, then rename: half a model is never found."""
    tokenizer = make_tokenizer()
    model = train(tokenizer)
    asked = [{"role": "user", "content": "hello"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    tokens = tokenizer(prompt, return_tensors="pt")
    made = model.generate(**tokens, max_new_tokens=20, do_sample=False)
    said = tokenizer.decode(made[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True)
    if said.strip() != "hello user and bot":
        raise SystemExit(f"the model answers {said!r}")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    model.save_pretrained(fresh)
    tokenizer.save_pretrained(fresh)
    fresh.replace(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
