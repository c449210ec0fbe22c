#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Looks at the dashboard as a browser and Prometheus do: its data, its metrics, and, where Chromium
is installed, the page as it is drawn.

usage: dashboard.py DASHBOARD [--screenshot FILE]
  --screenshot  fills the page's minute and keeps a picture of it (docs/images/dashboard.png)
"""

import argparse
import json
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

PATIENCE = 120


def get(url: str, method: str = "GET", **headers: str) -> tuple:
    request = urllib.request.Request(url, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def refused(url: str, method: str = "GET") -> int:
    try:
        get(url, method)
    except urllib.error.HTTPError as e:
        return e.code
    return 0


def wait_for(url: str, met) -> dict:
    """The state as soon as it is as wanted."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        state = json.loads(get(url + "state")[0])
        if met(state):
            return state
        time.sleep(0.1)
    raise SystemExit("the client did not get that far: " + json.dumps(state))


def check_state(state: dict) -> None:
    assert len(state["buckets"]) == 3, state
    for bucket in state["buckets"]:
        assert bucket["known"] and bucket["limit"] == 100, bucket
        assert bucket["interval_ms"] == 10000, bucket
        assert 0 <= bucket["available"] <= 100, bucket
        assert bucket["daily_limit"] == 200000, bucket
        assert bucket["refused"] == 0, bucket
    assert state["refused"] == 0, state
    assert state["connections"]["open"] >= 1, state
    assert any(second["requests"] for second in state["seconds"]), state


def check_metrics(url: str) -> None:
    plain, kind = get(url + "metrics")
    assert kind.startswith("text/plain; version=0.0.4"), kind
    assert 'highlevel_calls_total{operation="contacts.get_contact"' in plain, plain
    opened, kind = get(url + "metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text"), kind
    assert opened.endswith("# EOF\n"), opened
    if promtool := shutil.which("promtool"):
        subprocess.run([promtool, "check", "metrics"], input=plain, text=True, check=True)
    else:
        print("skipped: there is no promtool (Debian package prometheus)")


def browser(*arguments: str) -> str | None:
    """What Chromium prints; nothing where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--no-first-run", "--user-data-dir=" + profile, "--window-size=1320,920",
             "--virtual-time-budget=3000", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
            timeout=PATIENCE,
        ).stdout


def check_page(url: str, state: dict) -> None:
    drawn = browser("--dump-dom", url)
    if drawn is None:
        print("skipped: there is no Chromium (Debian package chromium)")
        return
    assert 'data-ready="yes"' in drawn, drawn
    for bucket in state["buckets"]:
        assert f'data-location="{bucket["id"]}"' in drawn, drawn
    assert "<rect" in drawn and "available" in drawn, drawn
    assert "NaN" not in drawn and "undefined" not in drawn.split("<script>")[0], drawn


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dashboard")
    parser.add_argument("--screenshot")
    args = parser.parse_args()
    count = "6" if args.screenshot else "3"
    command = [args.dashboard, "--load", "7", "--locations", count]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            word, url = program.stdout.readline().split()
            assert word == "dashboard", word
            if args.screenshot:
                wait_for(url, lambda s: len(s["seconds"]) == 60)
                if browser("--screenshot=" + args.screenshot, url) is None:
                    raise SystemExit("there is no Chromium")
            else:
                state = wait_for(
                    url,
                    lambda s: len(s["seconds"]) >= 2 and all(b["granted"] > 2 for b in s["buckets"]),
                )
                check_state(state)
                check_metrics(url)
                check_page(url, state)
                assert refused(url + "nothing") == 404
                assert refused(url + "state", "POST") == 405
            program.send_signal(signal.SIGINT)
            assert program.wait(timeout=PATIENCE) == 0
        finally:
            program.kill()


if __name__ == "__main__":
    main()
