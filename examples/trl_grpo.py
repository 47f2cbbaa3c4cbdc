"""One GRPO step with TRL on a CPU, without downloads: a tiny model with random weights learns to call tools.

    pip install "openenv-mlops-debugger[trl]"
    python examples/trl_grpo.py

A model that knows no language would never write a tool call by chance. So the tokenizer, trained here from scratch, has
a token for each of a few whole calls, and sampling is held to those: a policy over a menu. Everything else is what a
real model goes through: chat template, tool schemas, tool results, rewards, advantages. With a real model keep
`train_dataset` and `environment_factory` as they are and leave the rest to TRL.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from datasets import Dataset
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import qwen3_chat_template

from mlops_debugger.adapters.trl_environment import DebuggerEnvironment, rows

END, PAD = "<|im_end|>", "<|endoftext|>"
MENU: list[tuple[str, dict[str, str]]] = [
    ("read_config", {}),
    ("read_logs", {"log_filter": "epoch:1-3"}),
    ("run_sanity_check", {"sanity_check_type": "gradient_norms"}),
    ("run_sanity_check", {"sanity_check_type": "metric_gap_analysis"}),
    ("query_artifact", {"artifact_name": "train.log", "field_path": "val_loss"}),
    ("submit_diagnosis", {"diagnosis": "No fault found."}),
    (
        "submit_diagnosis",
        {
            "diagnosis": "The learning rate is too high.",
            "failure_category": "config_error",
            "root_cause_file": "config.yaml",
            "root_cause_field": "optimizer.learning_rate",
            "proposed_fix": "config.yaml: optimizer.learning_rate = 0.001",
        },
    ),
]


def call(name: str, arguments: dict[str, str]) -> str:
    """A tool call as Qwen3's chat template writes it."""
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def texts(count: int) -> Iterator[str]:
    """What episodes of the train split show, to train the tokenizer on."""
    environment = DebuggerEnvironment()
    for seed in range(count):
        yield environment.reset(seed=seed)
        yield environment.read_config()
        yield environment.read_logs()


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with Qwen3's chat template; the last tokens are the calls of the menu."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    special = [PAD, "<|im_start|>", END]
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare.train_from_iterator(texts(12), trainer)
    bare.add_tokens([AddedToken(call(*item), normalized=False) for item in MENU])
    made = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=END, pad_token=PAD, padding_side="left")
    made.chat_template = qwen3_chat_template
    return made


def model(words: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """Two layers, random weights."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=16_384,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def main(steps: int = 1, output_dir: str | None = None) -> tuple[GRPOTrainer, list[dict[str, Any]]]:
    """Train; returns the trainer and what it logged."""
    words = tokenizer()
    end = words.eos_token_id
    kept = {end, *range(len(words) - len(MENU), len(words))}
    policy = model(words)
    arguments = GRPOConfig(
        output_dir=output_dir or tempfile.mkdtemp(prefix="grpo-"),
        max_steps=steps,
        per_device_train_batch_size=8,
        num_generations=8,
        learning_rate=1e-2,
        max_completion_length=6_000,
        max_tool_calling_iterations=3,
        # Only calls of the menu, and an end after about every second one.
        generation_kwargs={
            "suppress_tokens": [token for token in range(len(words)) if token not in kept],
            "sequence_bias": [[[end], 2.0]],
        },
        bf16=False,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )
    trainer = GRPOTrainer(
        policy,
        args=arguments,
        # A healthy run (a trainer may choose; the policy is not told): finding no fault is right, and some do.
        train_dataset=Dataset.from_list(rows(range(steps), controls=True)),
        processing_class=words,
        environment_factory=DebuggerEnvironment,
    )
    trainer.train()
    return trainer, trainer.state.log_history


if __name__ == "__main__":
    _, logged = main()
    shown = ("loss", "reward", "reward_std", "grad_norm", "tools/call_frequency", "tools/failure_frequency")
    print({name: logged[0].get(name) for name in shown})
