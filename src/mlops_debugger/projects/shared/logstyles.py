"""How train.log is laid out. A team keeps one style for all of its runs: `Run(style="table")`.

A style turns a message, or what an epoch came to, into text. Figures have the names of the training loop: epoch, epochs,
step, batches, train_loss, val_loss, val_<metric>, lr, grad_norm, and saved, the name under which the epoch was kept.
"""

import json

COUNTS = ("epoch", "epochs", "step", "batches")
DIGITS = {"lr": ".4g", "grad_norm": ".4g"}


def as_text(figures):
    """Losses and metrics with four decimals, rates and norms with four digits; counts and words as they are."""
    return {
        key: str(value) if key in COUNTS or isinstance(value, str) else format(value, DIGITS.get(key, ".4f"))
        for key, value in figures.items()
    }


def as_numbers(figures):
    """The same figures, rounded alike, but as numbers."""
    texts = as_text(figures)
    return {key: value if key in COUNTS or isinstance(value, str) else float(texts[key]) for key, value in figures.items()}


class Plain:
    """Lines of the logging module with key=value pairs."""

    def __init__(self, started):
        self.started = started

    def head(self, now, level, name):
        return f"{now.strftime('%Y-%m-%d %H:%M:%S,%f')[:-3]} {level} {name}: "

    def message(self, now, level, name, text, trace):
        """A message, and the traceback that belongs to it or nothing."""
        lines = self.head(now, level, name) + text
        return f"{lines}\n{trace}" if trace else lines

    def epoch(self, now, figures):
        shown = as_text(figures)
        shown["epoch"] = f"{shown['epoch']}/{shown.pop('epochs')}"
        del shown["batches"]
        return self.message(now, "INFO", "engine", " ".join(f"{key}={value}" for key, value in shown.items() if value), "")


class JsonLines(Plain):
    """One JSON object a record, for the log search."""

    def line(self, now, level, name, event, more):
        stamp = now.isoformat(" ", timespec="milliseconds")
        known = {"event": event, "level": level.lower(), "logger": name, "timestamp": stamp}
        return json.dumps(known | more, ensure_ascii=False)

    def message(self, now, level, name, text, trace):
        return self.line(now, level, name, text, {"exception": trace} if trace else {})

    def epoch(self, now, figures):
        shown = {key: value for key, value in as_numbers(figures).items() if value != "" and key != "batches"}
        own = {"step": "global_step", "train_loss": "train/loss", "saved": "checkpoint"}
        named = {own.get(key) or key.replace("val_", "valid/", 1): value for key, value in shown.items()}
        return self.line(now, "INFO", "engine", "epoch", named)


class Progress(Plain):
    """How every epoch's progress bar ended; messages with time, source and level in brackets."""

    def __init__(self, started):
        self.started = self.before = started

    def head(self, now, level, name):
        return f"[{now.strftime('%Y-%m-%d %H:%M:%S')}][{name}][{level}] "

    def epoch(self, now, figures):
        shown = as_text(figures)
        spent, passed = now - self.before, int((now - self.started).total_seconds())
        self.before = now
        speed = figures["batches"] / max(spent.total_seconds(), 0.001)
        count = shown.pop("batches")
        bar = f"Epoch {shown.pop('epoch')}/{shown.pop('epochs')}: 100%|##########| {count}/{count}"
        own = {"train_loss": "loss", "grad_norm": "gnorm", "saved": "ckpt"}
        pairs = " ".join(f"{own.get(key, key)}={value}" for key, value in shown.items() if value)
        return f"{bar} [{passed // 60:02d}:{passed % 60:02d}, {speed:.1f} it/s]  {pairs}"


class Table(Plain):
    """Epochs as rows of a table under one heading; messages with the time of day."""

    def __init__(self, started):
        self.started, self.headed = started, False

    def head(self, now, level, name):
        return f"{now.strftime('%H:%M:%S')} {level:<7} "

    def epoch(self, now, figures):
        shown = as_text(figures)
        columns = {"epoch": f"{shown.pop('epoch')}/{shown.pop('epochs')}".ljust(7)}
        for key in (key for key in shown if key != "batches"):
            name = "grad" if key == "grad_norm" else key.replace("val_", "valid_", 1)
            columns[name] = (shown[key] or "-").rjust(max(len(name), 6 if key in ("step", "saved") else 10))
        columns["time"] = now.strftime("%H:%M:%S")
        row = "  ".join(columns.values())
        if self.headed:
            return row
        self.headed = True
        heading = (name.ljust(len(cell)) if name == "epoch" else name.rjust(len(cell)) for name, cell in columns.items())
        return "  ".join(heading) + "\n" + row


class TrainerDicts(Plain):
    """For every epoch a dictionary of its training and one of its evaluation, as our trainer prints them."""

    def head(self, now, level, name):
        return f"{now.strftime('%Y-%m-%d %H:%M:%S')} | {level} | {name} | "

    def epoch(self, now, figures):
        shown = as_numbers(figures)
        when = {"epoch": float(shown["epoch"]), "step": shown["step"]}
        trained = {"loss": shown["train_loss"], "grad_norm": shown["grad_norm"], "learning_rate": shown["lr"]}
        evaluated = {key.replace("val_", "eval_", 1): value for key, value in shown.items() if key.startswith("val_")}
        elapsed = {"elapsed": round((now - self.started).total_seconds(), 2)}
        saved = {"saved": shown["saved"]} if shown["saved"] else {}
        return f"{trained | when | {'num_epochs': shown['epochs']}}\n{evaluated | when | elapsed | saved}"


STYLES = {"plain": Plain, "json_lines": JsonLines, "progress": Progress, "table": Table, "trainer_dicts": TrainerDicts}


def style_named(name, started):
    """The style of a run that started at this time."""
    if name not in STYLES:
        raise ValueError(f"no log style {name!r}: there are {', '.join(STYLES)}")
    return STYLES[name](started)
