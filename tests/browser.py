"""A real headless Chromium, driven by selenium.

A machine without Chromium skips what needs it, unless MLOPS_DEBUGGER_BROWSER=required says that it may not (CI).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

REQUIRED = "MLOPS_DEBUGGER_BROWSER"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,1000",
)
_WAIT_S = 240.0  # for a machine that is busy with other things; none of this takes a second on a quiet one


def programs() -> tuple[str, str]:
    """Chromium and its driver; without them the test is skipped, or fails where they are required."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is not None and driver is not None:
        return chromium, driver
    missing = " and ".join(name for name, path in (("chromium", chromium), ("chromedriver", driver)) if path is None)
    advice = f"expected {missing} on the PATH, found none: apt-get install chromium chromium-driver"
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(f"{advice} ({REQUIRED}=required, so this may not be skipped)")
    pytest.skip(advice)


class Page:
    """A window and what a person does in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def wait(self, ready: Any, seconds: float = _WAIT_S) -> Any:
        return WebDriverWait(self.driver, seconds).until(ready)

    def find(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    @property
    def drawing(self) -> str:
        """The text of the drawing, opened parts and closed ones."""
        shown = self.find(".mlops")
        return str(shown[0].get_property("textContent")) if shown else ""

    def html(self) -> str:
        return str(self.driver.execute_script("return document.documentElement.outerHTML"))

    def click(self, selector: str, words: str) -> None:
        """Click the element whose text starts with these words, once it is there."""

        def done(_: Any) -> bool:
            for element in self.find(selector):
                if element.is_displayed() and element.text.strip().startswith(words):
                    self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
                    element.click()
                    return True
            return False

        self.wait(done)

    def see(self, *words: str) -> None:
        """Wait until the drawing has all of these words."""
        self.wait(lambda _: all(word in self.drawing for word in words))

    def suggestions(self) -> list[str]:
        return [label.text.strip() for label in self.find(".oe-actions label") if label.is_displayed()]

    def requests(self) -> list[str]:
        """The addresses that the window asked for since this was called last; the browser's own pages left out."""
        asked = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(str(message["params"]["request"]["url"]))
        return [
            url for url in asked if not url.startswith(("data:", "blob:", "chrome:", "chrome-untrusted:", "about:"))
        ]


@contextlib.contextmanager
def browser() -> Iterator[Page]:
    """A window of a browser with a fresh profile."""
    chromium, driver_path = programs()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(driver_path))
        try:
            yield Page(driver)
        finally:
            driver.quit()
