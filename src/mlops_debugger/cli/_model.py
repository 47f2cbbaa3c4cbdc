"""The options of a language model, for the agent llm. Its key has none: it is read from the environment alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_debugger.errors import EvaluationError

if TYPE_CHECKING:
    from mlops_debugger.agents import Model, Prices

_PANEL = "Language model (agent llm)"


def _option(help_text: str, variable: str, **more: Any) -> Any:
    return typer.Option(help=help_text, envvar=f"MLOPS_DEBUGGER_{variable}", rich_help_panel=_PANEL, **more)


ModelOption = Annotated[str | None, _option("The model's name, as its endpoint knows it.", "MODEL")]
BaseUrlOption = Annotated[
    str | None, _option("An endpoint that speaks OpenAI's protocol; OpenAI's own if omitted.", "BASE_URL")
]
KeyVariableOption = Annotated[str, _option("The environment variable that holds the endpoint's key.", "KEY_VARIABLE")]
TemperatureOption = Annotated[
    float | None, _option("Sent if given; some models refuse it.", "TEMPERATURE", min=0.0, max=2.0)
]
RequestOption = Annotated[
    str, _option("More fields of every request, as JSON: '{\"max_completion_tokens\": 2000}'.", "MODEL_OPTIONS")
]
SendSeedOption = Annotated[
    bool, _option("Send a seed for each episode, derived from --seed; not every endpoint takes it.", "SEND_SEED")
]
ContextOption = Annotated[
    int, _option("The longest prompt in tokens; older answers are left out beyond.", "CONTEXT_TOKENS", min=4000)
]
TimeoutOption = Annotated[
    float, _option("Seconds without a byte after which a request is made again.", "REQUEST_TIMEOUT", min=1.0)
]
PriceInOption = Annotated[float | None, _option("Price of a million prompt tokens.", "PRICE_IN", min=0.0)]
PriceOutOption = Annotated[float | None, _option("Price of a million completion tokens.", "PRICE_OUT", min=0.0)]
PriceCachedOption = Annotated[
    float | None,
    _option("Price of a million cached prompt tokens; as the others if omitted.", "PRICE_CACHED", min=0.0),
]


def chosen_model(
    name: str | None,
    base_url: str | None,
    *,
    key_variable: str,
    temperature: float | None,
    request: str,
    send_seed: bool,
    context_tokens: int,
    timeout_s: float,
    prices: Prices | None,
) -> Model | None:
    """The model that the options describe, None without a name; raises `EvaluationError`."""
    from mlops_debugger.agents import OPENAI_URL, Model

    if name is None:
        return None
    options = _request_fields(request)
    if temperature is not None:
        options["temperature"] = temperature
    return Model(
        name,
        base_url or OPENAI_URL,
        key_variable=key_variable,
        options=options,
        send_seed=send_seed,
        context_tokens=context_tokens,
        timeout_s=timeout_s,
        prices=prices,
    )


def chosen_prices(prompt: float | None, completion: float | None, cached: float | None) -> Prices | None:
    """The prices, None where none are given; raises `EvaluationError` where one of the two is missing."""
    from mlops_debugger.agents import Prices

    if prompt is None and completion is None and cached is None:
        return None
    if prompt is None or completion is None:
        raise EvaluationError("expected both --price-in and --price-out, or neither: a cost needs both")
    return Prices(prompt, completion, cached)


def _request_fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text or "{}")
    except ValueError as error:
        raise EvaluationError(f"--model-options: expected a JSON object, found other text ({error})") from None
    if not isinstance(fields, dict):
        raise EvaluationError(f"--model-options: expected a JSON object, found {type(fields).__name__}")
    return fields
