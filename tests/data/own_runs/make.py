"""Trains one small pipeline through every tool and keeps what the tool wrote: the fixtures of tests/test_intake.py.

Needs an environment of its own, since none of the tools is a dependency of the project (versions: README.md here):

    python3.11 -m venv /tmp/run/tools
    /tmp/run/tools/bin/pip install torch==2.13.0 numpy scikit-learn pandas tensorboard lightning transformers accelerate
    /tmp/run/tools/bin/pip install mlflow wandb dvclive pyarrow
    cd /tmp/run && HOME=/tmp/run LOGNAME=user USER=user tools/bin/python make.py OUT

It works in /tmp/run, so that no file names somebody's machine, and leaves checkpoints and pickles out.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

WORK = Path("/tmp/run/weather")  # noqa: S108 - a name that tells nothing, which ends up in what tools write
SPLITS = ("train", "validation", "test")
NAMES = ("clear", "cloudy", "rain")
COLUMNS = ("pressure", "humidity", "wind", "temperature", "sun", "soil", "trend", "season")
RATE, EPOCHS, BATCH = 0.01, 20, 16


# ------------------------------------------------------------------ the pipeline


def stations(seed: int = 5, rows: int = 600):
    """Weather-like rows of three classes; no single column tells the class."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, len(COLUMNS)))
    score = np.stack(
        [x[:, 0] * 1.4 - x[:, 1] + 0.8 * x[:, 4], 0.9 * x[:, 2] * x[:, 3], x[:, 1] * 1.3 - x[:, 0] + 0.5 * x[:, 6]], 1
    )
    y = (score + rng.gumbel(size=score.shape) * 0.25).argmax(axis=1)
    order = rng.permutation(rows)
    cuts = np.split(order, (int(rows * 0.6), int(rows * 0.8)))
    return np.round(x, 3), y, dict(zip(SPLITS, (np.sort(part) for part in cuts), strict=True))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(len(COLUMNS), 24), nn.ReLU(), nn.Linear(24, len(NAMES)))

    def forward(self, x):
        return self.body(x)


def prepared(mistake: str = ""):
    x, y, rows = stations()
    if mistake == "test_rows_in_training":
        rows = {**rows, "train": np.sort(np.concatenate([rows["train"], rows["test"]]))}
    tensors = {s: (torch.tensor(x[rows[s]], dtype=torch.float32), torch.tensor(y[rows[s]])) for s in SPLITS}
    return x, y, rows, tensors


def fit(each_epoch, mistake: str = "", each_step=None):
    """Train; `each_epoch(epoch, figures)` and `each_step(step, loss)` log. Returns the model and what it was fed."""
    torch.manual_seed(0)
    x, y, rows, tensors = prepared(mistake)
    model = Net()
    rate = RATE * 1000 if mistake == "rate_too_high" else RATE
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    lossy = nn.CrossEntropyLoss()
    order = np.random.default_rng(1)
    inputs, target = tensors["train"]
    step = 0
    for epoch in range(1, EPOCHS + 1):
        losses, norms = [], []
        shuffled = order.permutation(len(inputs))
        for start in range(0, len(inputs), BATCH):
            chosen = shuffled[start : start + BATCH]
            loss = lossy(model(inputs[chosen]), target[chosen])
            optimiser.zero_grad()
            loss.backward()
            norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), float("inf"))))
            optimiser.step()
            losses.append(loss.item())
            step += 1
            if each_step:
                each_step(step, loss.item())
        with torch.no_grad():
            answer = model(tensors["validation"][0])
            val = lossy(answer, tensors["validation"][1]).item()
            accuracy = (answer.argmax(1) == tensors["validation"][1]).float().mean().item()
        each_epoch(
            epoch,
            {
                "train_loss": float(np.mean(losses)),
                "val_loss": val,
                "val_accuracy": accuracy,
                "learning_rate": rate,
                "grad_norm": float(np.median(norms)),
            },
            step,
        )
    return model, x, y, rows, tensors


def test_accuracy(model, tensors) -> float:
    with torch.no_grad():
        return (model(tensors["test"][0]).argmax(1) == tensors["test"][1]).float().mean().item()


PARAMS = {"learning_rate": RATE, "epochs": EPOCHS, "batch_size": BATCH, "optimizer": "adam", "hidden": 24}


# ------------------------------------------------------------------ a tool each


def tables(out: Path, mistake: str = "") -> None:
    """No tool: metrics.csv, config.yaml, tables of the splits, predictions.csv, eval_results.json, as many teams write."""
    import pandas as pd

    out.mkdir(parents=True)
    history = []
    model, x, y, rows, tensors = fit(
        lambda epoch, f, step: history.append({"epoch": epoch, "step": step, **f}), mistake
    )
    pd.DataFrame(history).round(6).to_csv(out / "metrics.csv", index=False)
    (out / "config.yaml").write_text("".join(f"{key}: {value}\n" for key, value in PARAMS.items()))
    told, report = [], {"primary_metric": "accuracy"}
    for split in SPLITS:
        frame = pd.DataFrame(x[rows[split]], columns=COLUMNS)
        frame.insert(0, "row_id", rows[split])
        frame["label"] = [NAMES[k] for k in y[rows[split]]]
        frame.to_csv(out / f"{split}.csv", index=False)
        with torch.no_grad():
            score = torch.softmax(model(tensors[split][0]), 1).numpy()
        truth = y[rows[split]]
        if mistake == "labels_permuted" and split != "train":
            truth = (truth + 1) % len(NAMES)
        part = pd.DataFrame({"row_id": rows[split], "split": split, "y_true": [NAMES[k] for k in truth]})
        part["y_pred"] = [NAMES[k] for k in score.argmax(1)]
        for k, name in enumerate(NAMES):
            part[f"proba_{name}"] = score[:, k].round(5)
        told.append(part)
        if split != "train":
            report[split] = {"accuracy": round(float((score.argmax(1) == truth).mean()), 6), "n": len(truth)}
    pd.concat(told).to_csv(out / "predictions.csv", index=False)
    (out / "eval_results.json").write_text(json.dumps(report, indent=1))


def parquet(out: Path, mistake: str = "") -> None:
    """The tables as pandas writes them to Parquet: an index of row ids, labels as categories, answers as one file."""
    import pandas as pd

    tables(WORK / "tables", mistake)
    out.mkdir(parents=True)
    for split in SPLITS:
        frame = pd.read_csv(WORK / "tables" / f"{split}.csv").set_index("row_id")
        frame["label"] = frame["label"].astype("category")
        frame.to_parquet(out / f"{split}.parquet", engine="pyarrow")
    answers = pd.read_csv(WORK / "tables" / "predictions.csv")
    answers.to_parquet(out / "predictions.parquet", engine="pyarrow", compression="zstd")


def transformers(out: Path, mistake: str = "") -> None:
    from transformers import Trainer, TrainingArguments

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def forward(self, x=None, labels=None):
            logits = self.net(x)
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    torch.manual_seed(0)
    tensors = prepared(mistake)[3]
    sets = {s: [{"x": row, "labels": k} for row, k in zip(*tensors[s], strict=True)] for s in SPLITS}
    arguments = TrainingArguments(
        output_dir=str(WORK / "trainer"), num_train_epochs=EPOCHS, per_device_train_batch_size=BATCH, seed=0,
        learning_rate=RATE * (1000 if mistake == "rate_too_high" else 1), lr_scheduler_type="linear",
        eval_strategy="epoch", save_strategy="no", logging_steps=5, logging_first_step=True, report_to="none",
        use_cpu=True, disable_tqdm=True, max_grad_norm=0.0 if mistake else 1.0,
    )  # fmt: skip
    trainer = Trainer(
        model=Wrapped(), args=arguments, train_dataset=sets["train"], eval_dataset=sets["validation"],
        compute_metrics=lambda told: {"accuracy": float((told.predictions.argmax(-1) == told.label_ids).mean())},
    )  # fmt: skip
    trainer.train()
    trainer.save_state()
    out.mkdir(parents=True)
    shutil.copy(WORK / "trainer" / "trainer_state.json", out)


def lightning(out: Path, mistake: str = "") -> None:
    import lightning as L
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
    from torch.utils.data import DataLoader, TensorDataset

    class Module(L.LightningModule):
        def __init__(self, learning_rate: float, batch_size: int, hidden: int) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.net = Net()

        def training_step(self, batch, _):
            loss = nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def on_before_optimizer_step(self, optimizer):
            norms = [p.grad.norm() for p in self.parameters() if p.grad is not None]
            self.log("grad_norm", torch.stack(norms).norm())

        def validation_step(self, batch, _):
            answer = self.net(batch[0])
            self.log("val_loss", nn.functional.cross_entropy(answer, batch[1]))
            self.log("val_acc", (answer.argmax(1) == batch[1]).float().mean())

        def test_step(self, batch, _):
            self.log("test_acc", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=self.hparams.learning_rate)

    tensors = prepared(mistake)[3]
    loaders = {s: DataLoader(TensorDataset(*tensors[s]), BATCH, shuffle=s == "train") for s in SPLITS}
    boards = TensorBoardLogger(str(WORK), name="boards")
    for version in range(2):
        L.seed_everything(version)
        rate = RATE * (1000 if mistake == "rate_too_high" else 1)
        logger = CSVLogger(str(WORK), name="lightning_logs", version=version)
        trainer = L.Trainer(
            max_epochs=EPOCHS if version else 5, logger=[logger, boards] if version else logger, log_every_n_steps=4,
            accelerator="cpu", callbacks=[LearningRateMonitor()], enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        module = Module(rate, BATCH, 24)
        trainer.fit(module, loaders["train"], loaders["validation"])
        trainer.test(module, loaders["test"], verbose=False)
    shutil.copytree(WORK / "lightning_logs", out / "lightning_logs")
    if not mistake:
        kept = out.parent.parent / "tensorboard" / "lightning"
        kept.mkdir(parents=True)
        for path in (WORK / "boards" / "version_0").iterdir():
            name = (
                ".".join([*path.name.split(".")[:4], "localhost", "1", "0"]) if "tfevents" in path.name else path.name
            )
            shutil.copy(path, kept / name)


def tensorboard(out: Path, mistake: str = "") -> None:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(WORK / "board"))

    def log(epoch, figures, step) -> None:
        for name, value in figures.items():
            kind, _, what = name.partition("_")
            writer.add_scalar(f"{what}/{kind}" if kind in ("train", "val") else name, value, epoch)

    fit(log, mistake)
    writer.close()
    out.mkdir(parents=True)
    (path,) = (WORK / "board").iterdir()
    shutil.copy(path, out / ".".join([*path.name.split(".")[:4], "localhost", "1", "0"]))


def mlflow(out: Path, mistake: str = "", store: str = "sqlite") -> None:
    import mlflow as flow

    base = one_store(out)
    if store == "sqlite":
        flow.set_tracking_uri(f"sqlite:///{base}")
    else:
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
        flow.set_tracking_uri("file:./mlruns")
    flow.set_experiment("weather")
    for name, epochs in (("first-try", 4), ("longer", EPOCHS)):
        with flow.start_run(run_name=name):
            flow.log_params({**PARAMS, "epochs": epochs})

            def log(epoch, figures, step, epochs=epochs) -> None:
                if epoch <= epochs:
                    flow.log_metrics(figures, step=epoch)

            model, *_, tensors = fit(log, mistake)
            flow.log_metric("test_accuracy", test_accuracy(model, tensors))
    out.mkdir(parents=True)
    if store == "sqlite":
        shrink(base)
        shutil.copy(base, out / "mlflow.db")
    else:
        shutil.copytree("mlruns", out / "mlruns", ignore=shutil.ignore_patterns("artifacts", ".trash", "models"))


def customers(seed: int = 11, rows: int = 1000):
    """A telephone company's customers, some of whom leave; gaps, words and amounts, as a table of a tutorial has."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "plan": rng.choice(["basic", "family", "premium"], rows, p=[0.5, 0.3, 0.2]),
            "region": rng.choice(["north", "south", "east", "west"], rows),
            "months": rng.integers(1, 72, rows),
            "minutes": np.round(rng.gamma(4, 60, rows), 1),
            "calls_to_support": rng.poisson(1.5, rows),
            "bill": np.round(np.exp(rng.normal(3.6, 0.4, rows)), 2),
        }
    )
    score = 0.9 * frame["calls_to_support"] - 0.06 * frame["months"] + 0.03 * frame["bill"]
    score += (frame["plan"] == "basic") * 0.8 + rng.logistic(size=rows) * 0.6
    leaves = score > score.quantile(0.6)
    frame.loc[rng.random(rows) < 0.05, "bill"] = np.nan
    frame.insert(0, "row_id", rng.permutation(rows) + 5000)
    return frame, np.where(leaves, "leaves", "stays"), rng


def sklearn(out: Path, mistake: str = "") -> None:
    """A scikit-learn pipeline as a tutorial has it, logged through MLflow: parameters, metrics, tables as artifacts."""
    import mlflow as flow
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame, label, rng = customers()
    if mistake == "refund_as_input":
        # What was paid back when a customer left: nobody knows it before.
        frame["refund"] = np.round(np.where(label == "leaves", rng.gamma(3, 8, len(frame)), 0.0), 2)
    rest, test = train_test_split(np.arange(len(frame)), test_size=0.2, random_state=3, stratify=label)
    train, held = train_test_split(rest, test_size=0.25, random_state=3, stratify=label[rest])
    if mistake == "hours_in_test":
        frame.loc[test, "minutes"] = (frame.loc[test, "minutes"] / 60).round(2)
    numbers = [name for name in frame if name not in ("row_id", "plan", "region")]
    prepare = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["plan", "region"]),
        ]
    )
    model = make_pipeline(prepare, LogisticRegression(C=1.0, max_iter=500))
    model.fit(frame.iloc[train], label[train])
    base = one_store(out)
    flow.set_tracking_uri(f"sqlite:///{base}")
    flow.set_experiment("customers")
    with flow.start_run(run_name="logistic"):
        flow.log_params({"model": "LogisticRegression", "C": 1.0, "max_iter": 500, "test_size": 0.2, "seed": 3})
        told = []
        for split, rows in zip(SPLITS, (train, held, test), strict=True):
            table = frame.iloc[rows].assign(label=label[rows])
            table.to_csv(f"{split}.csv", index=False)
            flow.log_artifact(f"{split}.csv")
            asked = frame.iloc[rows]
            if mistake == "answers_in_other_order" and split != "train":
                asked = asked.sort_values("row_id")
            score = model.predict_proba(asked)
            answer = model.classes_[score.argmax(1)]
            part = pd.DataFrame({"row_id": frame["row_id"].iloc[rows], "split": split, "y_true": label[rows]})
            part["y_pred"] = answer
            for place, name in enumerate(model.classes_):
                part[f"proba_{name}"] = score[:, place].round(5)
            told.append(part)
            name = {"train": "train", "validation": "val", "test": "test"}[split]
            flow.log_metric(f"{name}_accuracy", float((answer == label[rows]).mean()))
        pd.concat(told).to_csv("predictions.csv", index=False)
        flow.log_artifact("predictions.csv")
    out.mkdir(parents=True)
    shrink(base)
    shutil.copy(base, out / "mlflow.db")
    shutil.copytree("mlruns", out / "mlruns")


def one_store(out: Path) -> Path:
    """MLflow keeps a store open for the life of the process: every job has its own, which is kept as mlflow.db."""
    return Path(f"{out.parent.name}-{out.name}.db")


def shrink(path: Path) -> None:
    """The schema has dozens of tables that stay empty: without them, and with small pages, the file is small."""
    base = sqlite3.connect(path)
    base.execute("PRAGMA foreign_keys = OFF")
    for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if not name.startswith("sqlite_") and not base.execute(f"SELECT count(*) FROM {name}").fetchone()[0]:  # noqa: S608
            base.execute(f"DROP TABLE {name}")
    base.commit()
    base.execute("PRAGMA page_size = 512")
    base.execute("VACUUM")
    base.close()


def mlflow_files(out: Path, mistake: str = "") -> None:
    mlflow(out, mistake, "files")


def wandb(out: Path, mistake: str = "") -> None:
    import wandb as board

    settings = board.Settings(
        mode="offline", host="localhost", email="", username="user", program="train.py", x_disable_meta=True,
        x_disable_stats=True, disable_git=True, disable_code=True, save_code=False, silent=True, console="off",
        run_id="abcd1234", root_dir=str(WORK),
    )  # fmt: skip
    run = board.init(project="weather", config=PARAMS, settings=settings)
    model, *_, tensors = fit(lambda epoch, f, step: run.log({"epoch": epoch, **f}), mistake)
    run.summary["test_accuracy"] = test_accuracy(model, tensors)
    run.finish()
    board.teardown()  # another process writes the file: wait for its end
    (path,) = WORK.glob("wandb/offline-run-*/*.wandb")
    (out / "wandb" / path.parent.name).mkdir(parents=True)
    shutil.copy(path, out / "wandb" / path.parent.name)


def dvclive(out: Path, mistake: str = "") -> None:
    from dvclive import Live

    with Live("dvclive", save_dvc_exp=False, report=None) as live:
        live.log_params(PARAMS)

        def log(epoch, figures, step) -> None:
            for name, value in figures.items():
                kind, _, what = name.partition("_")
                live.log_metric(f"{kind}/{what}" if kind in ("train", "val") else name, value)
            live.next_step()

        model, *_, tensors = fit(log, mistake)
        live.log_metric("test/accuracy", test_accuracy(model, tensors), plot=False)
    shutil.copytree("dvclive", out / "dvclive")


JOBS = (
    (tables, "healthy"), (tables, "rate_too_high"), (tables, "test_rows_in_training"), (tables, "labels_permuted"),
    (parquet, "healthy"),
    (transformers, "healthy"), (transformers, "rate_too_high"), (lightning, "healthy"), (lightning, "rate_too_high"),
    (tensorboard, "healthy"), (tensorboard, "rate_too_high"), (mlflow, "healthy"), (mlflow, "rate_too_high"),
    (mlflow_files, "healthy"), (sklearn, "healthy"), (sklearn, "refund_as_input"), (sklearn, "hours_in_test"),
    (sklearn, "answers_in_other_order"),
    (wandb, "healthy"), (wandb, "rate_too_high"), (dvclive, "healthy"),
)  # fmt: skip


def main(out: Path, only: set[str]) -> None:
    torch.set_num_threads(1)
    for tool, variant in JOBS:
        if only and tool.__name__ not in only:
            continue
        target = out / tool.__name__ / variant
        shutil.rmtree(target, ignore_errors=True)
        if tool is lightning and variant == "healthy":
            shutil.rmtree(out / "tensorboard" / "lightning", ignore_errors=True)
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        os.chdir(WORK)
        tool(target, "" if variant == "healthy" else variant)
        print(target, sum(p.stat().st_size for p in target.rglob("*") if p.is_file()), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), set(sys.argv[2:]))
