"""A real Chromium without a screen, and what people do in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import axe_core_python
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.wait import until

__all__ = ["Browser"]

_AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
_WITHIN = 30.0  # seconds; many tests run side by side


class Browser:
    """One window. What is not allowed by the page's own policy is found in `complaints`."""

    def __init__(self, folder: Path) -> None:
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*_FLAGS, f"--user-data-dir={folder}", "--window-size=1280,860"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))

    def close(self) -> None:
        self.driver.quit()

    def open(self, url: str) -> None:
        self.driver.get(url)

    def tab(self, url: str) -> str:
        """Open `url` in a tab of its own, and return the tab that was shown before."""
        before = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        self.open(url)
        return before

    def back_to(self, tab: str) -> None:
        """Close this tab and show `tab`."""
        self.driver.close()
        self.driver.switch_to.window(tab)

    def shape(self, width: int, height: int, *, phone: bool = False, dark: bool = False) -> None:
        facts = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", facts)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str = "body") -> str:
        try:
            return "\n".join(one.text for one in self.all(css))
        except StaleElementReferenceException:  # it was drawn anew just then
            return ""

    def see(self, text: str, css: str = "body", within: float = _WITHIN) -> str:
        """Wait until `text` is there, and return all that is."""

        def there() -> str:
            found = self.text(css)
            return found if text in found else ""

        try:
            return until(there, within, f"{text!r} in {css}")
        except AssertionError:
            raise AssertionError(f"no {text!r} in {css}: {self.text(css)[:1500]}") from None

    def click(self, css: str, text: str = "") -> None:
        """Click what is at `css`, with this text; it may be drawn anew meanwhile."""

        def done() -> bool:
            try:
                found = [one for one in self.all(css) if text in one.text and one.is_enabled()]
                if not found:
                    return False
                found[0].click()
            except WebDriverException:
                return False
            return True

        until(done, _WITHIN, f"click {css} {text}")

    def type(self, css: str, text: str) -> None:
        (one,) = self.all(css)
        one.clear()
        one.send_keys(text)

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def complaints(self) -> list[str]:
        """Return what the console has, but for answers that are errors and are shown."""
        lines = [one["message"] for one in self.driver.get_log("browser")]
        return [line for line in lines if "Failed to load resource" not in line]

    def violations(self) -> list[str]:
        """Return what axe finds, in words."""
        # The page's own policy keeps scripts out that are added to it; the driver's are not.
        self.driver.execute_script(_AXE)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then((found) =>"
            " done(JSON.stringify(found.violations)))"
        )
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes']][:3]}"
            for one in json.loads(found)
        ]
