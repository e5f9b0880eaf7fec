"""Configuration: keys, layers, rules, and the one line each bad one gets (relays.md 6)."""

import os
import re
from pathlib import Path

import pytest

from relays.config import KEYS, RELOADABLE, Principal, diff, load, load_all, plain, runtime_dir
from relays.config.keys import DEFAULTS
from relays.config.table import markdown
from relays.domains import DOMAINS
from relays.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
LATER_KEYS = {"snapshots", "snapshot_instruments", "snapshot_bytes", "crash_window"}
SPECIFICATION = ROOT.parent / "shared" / "spec" / "relays.md"


def written(folder: Path, text: str) -> Path:
    path = folder / "relays.toml"
    path.write_text(text)
    return path


def refusal(domain: str, path: Path | None = None, **given: str) -> str:
    """The line a configuration is refused with; `given` are environment variables."""
    with pytest.raises(ConfigError) as caught:
        load(domain, path, environ=given)
    assert caught.value.exit_code == os.EX_CONFIG
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Keys ---------------------------------------------------------------------------------------


def test_every_key_has_a_default_in_each_domain() -> None:
    for domain in DOMAINS.values():
        assert set(DEFAULTS) | set(domain.defaults) == set(KEYS)


def test_the_keys_are_those_of_the_specification() -> None:
    if not SPECIFICATION.exists():
        pytest.skip(f"{SPECIFICATION} is not here")
    listed = re.search(r"^Keys: (.*?)\. An option", SPECIFICATION.read_text(), re.MULTILINE)
    assert listed
    names = re.sub(r"\([^)]*\)| and its keys", "", listed[1])
    wanted = [name.strip() for name in names.split(",")]
    assert [key for key in KEYS if key in wanted] == wanted
    more = {key for key in set(KEYS) - set(wanted) if not key.startswith("journal_")}
    assert more <= LATER_KEYS  # of Snapshot, relays.md 3, and of restarts under a manager


def test_the_readme_lists_the_keys_of_the_code() -> None:
    readme = (ROOT / "relays" / "README.md").read_text()
    assert markdown() in readme, "paste in the output of: python -m relays.config.table"


def test_the_defaults_are_those_of_the_specification() -> None:
    every = load_all(environ={})
    market_data, signals, execution = (every[name].config for name in DOMAINS)
    assert (market_data.max_queue_size, market_data.circuit_breaker) == (1_000_000, 800_000)
    assert (signals.max_queue_size, signals.circuit_breaker) == (100_000, 80_000)
    assert (execution.max_queue_size, execution.circuit_breaker) == (10_000, 8_000)
    configs = (market_data, signals, execution)
    assert [config.validate_checksums for config in configs] == [False, True, True]
    assert [config.require_sequence for config in configs] == [False, False, True]
    assert [config.log_bytes >> 20 for config in configs] == [128, 64, 64]
    assert [config.send_buffer >> 10 for config in configs] == [4096, 1024, 256]
    assert [config.on_lag for config in configs] == ["gap", "gap", "catch_up"]
    assert [config.metrics_port for config in configs] == [9461, 9462, 9463]
    assert [(d.types.start, d.types.stop - 1) for d in DOMAINS.values()] == [
        (1, 19),
        (20, 39),
        (40, 59),
    ]


# Layers -------------------------------------------------------------------------------------


def test_a_later_layer_wins_over_an_earlier_one(tmp_path: Path) -> None:
    path = written(tmp_path, "[relay]\nmax_payload = 200\n")
    assert load("signals", path, environ={}).config.max_payload == 200
    path = written(tmp_path, "[relay]\nmax_payload = 200\n[signals]\nmax_payload = 300\n")
    assert load("signals", path, environ={}).config.max_payload == 300
    assert load("execution", path, environ={}).config.max_payload == 200
    environ = {"RELAYS_SIGNALS_MAX_PAYLOAD": "400"}
    assert load("signals", path, environ).config.max_payload == 400
    assert load("signals", path, environ, {"max_payload": 500}).config.max_payload == 500


def test_every_value_says_where_it_came_from(tmp_path: Path) -> None:
    path = written(tmp_path, "[relay]\nlog_level = 'debug'\n[signals]\non_lag = 'disconnect'\n")
    environ = {"RELAYS_SIGNALS_PLAIN_AFTER": "0.5", "RELAYS_RUNTIME_DIR": "/run/relays"}
    origins = load("signals", path, environ, {"max_payload": 500}).origins
    assert list(origins) == list(KEYS)
    assert origins["heartbeat_ms"] == "built-in"
    assert origins["circuit_breaker"] == "built-in signals"
    assert origins["log_level"] == f"{path}: [relay]"
    assert origins["on_lag"] == f"{path}: [signals]"
    assert origins["plain_after"] == "environment RELAYS_SIGNALS_PLAIN_AFTER"
    assert origins["runtime_dir"] == "environment RELAYS_RUNTIME_DIR"
    assert origins["max_payload"] == "command line"


def test_the_environment_is_read_as_toml_and_a_bare_word_as_text() -> None:
    environ = {
        "RELAYS_SIGNALS_METRICS_PORT": "off",
        "RELAYS_SIGNALS_SOCKET_MODE": "0600",
        "RELAYS_SIGNALS_MAX_PAYLOAD": "1_000",
        "RELAYS_SIGNALS_ON_LAG": '"disconnect"',
        "RELAYS_SIGNALS_RUNTIME_DIR": "/run/relays",
        "RELAYS_SIGNALS_VALIDATE_CHECKSUMS": "false",
        "RELAYS_SIGNALS_CONSUMERS": '["uid:0"]',
    }
    config = load("signals", environ=environ).config
    assert (config.metrics_port, config.socket_mode, config.mode) == ("off", "0600", 0o600)
    assert (config.max_payload, config.on_lag) == (1000, "disconnect")
    assert (config.runtime_dir, config.validate_checksums) == ("/run/relays", False)
    assert config.consumers == (Principal("uid", 0, "uid:0"),)


def test_the_runtime_directory_is_flag_then_configuration_then_environment(
    tmp_path: Path,
) -> None:
    environ = {"RELAYS_RUNTIME_DIR": "/run/variable"}
    path = written(tmp_path, "[relay]\nruntime_dir = '/run/file'\n")
    assert load("signals", environ={}).config.runtime_dir == "/tmp/alphapulse"
    assert load("signals", environ=environ).config.runtime_dir == runtime_dir(environ)
    assert load("signals", path, environ).config.runtime_dir == "/run/file"
    flags = {"runtime_dir": "/run/flag"}
    loaded = load("signals", path, environ, flags)
    assert loaded.socket_path == "/run/flag/signals.sock"


def test_a_key_of_another_domain_is_not_this_ones() -> None:
    environ = {"RELAYS_EXECUTION_MAX_PAYLOAD": "100"}
    assert load("signals", environ=environ).config.max_payload == 65_536


# Access -------------------------------------------------------------------------------------


def test_access_lists_are_resolved_to_numbers(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [signals]
        producers = ["user:root", "group:root", "uid:4000000000"]
        [signals.sources]
        "user:root" = ["MomentumStrategy", "binance_collector", 77]
        """,
    )
    config = load("signals", path, environ={}).config
    assert [(one.kind, one.id) for one in config.producers] == [
        ("uid", 0),
        ("gid", 0),
        ("uid", 4_000_000_000),
    ]
    root = Principal("uid", 0, "user:root")
    assert config.sources == {root: frozenset({1, 41, 77})}
    assert plain(config.sources) == {
        "user:root": ["binance_collector", "momentum_strategy", 77],
    }


# Reload -------------------------------------------------------------------------------------


def test_a_reload_applies_limits_and_lists_and_names_what_needs_a_restart() -> None:
    flags = {"circuit_breaker": 7_000, "producers": ["uid:0"], "max_payload": 100}
    old = load("execution", environ={}).config
    new = load("execution", environ={}, flags=flags).config
    assert diff(old, new) == (("circuit_breaker", "producers"), ("max_payload",))
    assert diff(old, old) == ((), ())
    assert {"recovery_timeout", "producer_breaker", "consumers", "log_level"} <= RELOADABLE


# Refusals -----------------------------------------------------------------------------------

WHOLE = "a whole number from"
PEOPLE = 'a list of "user:NAME", "group:NAME" or "uid:N"'

# Table (relay's own or [relay]), key = value, and the end of the line.
BAD_VALUES = [
    ("runtime_dir = 7", "expected a directory"),
    ('runtime_dir = ""', "expected a directory"),
    ("socket_mode = 660", 'expected octal text such as "0660"'),
    ('socket_mode = "0888"', 'expected octal text such as "0660"'),
    ('socket_group = "no-such-group"', "(there is no group 'no-such-group')"),
    ("max_connections = 0", f"expected {WHOLE} 17 to 1048576"),
    ("max_connections = 4096.5", f"expected {WHOLE} 17 to 1048576"),
    ("max_connections_per_user = 0", f"expected {WHOLE} 1 to 1048576"),
    ("max_queue_size = -1", f"expected {WHOLE} 2 to 4294967295"),
    ("max_queue_size = true", f"expected {WHOLE} 2 to 4294967295"),
    ("circuit_breaker = 'many'", f"expected {WHOLE} 1 to 4294967295"),
    ("recovery_timeout = 0", "expected seconds from 0.001 to 30"),
    ("recovery_timeout = nan", "expected seconds from 0.001 to 30"),
    ("plain_after = inf", "expected seconds from 0.001 to 60"),
    ("frame_timeout = '5s'", "expected seconds from 0.001 to 3600"),
    ("validate_checksums = 1", "expected true or false"),
    ("require_sequence = 'yes'", "expected true or false"),
    ("max_payload = 1048577", f"expected {WHOLE} 64 to 1048576"),
    ("log_bytes = 1024", f"expected {WHOLE} 1048576 to 1099511627776"),
    ("send_buffer = 1", f"expected {WHOLE} 4096 to 1073741824"),
    ("on_lag = 'drop'", 'expected "gap", "disconnect" or "catch_up"'),
    ("on_lag = ['gap']", 'expected "gap", "disconnect" or "catch_up"'),
    ("allow_loss = 0", "expected true or false"),
    ("snapshots = 1", "expected true or false"),
    ("snapshot_instruments = 0", f"expected {WHOLE} 1 to 262144"),
    ("snapshot_bytes = 1048575", f"expected {WHOLE} 1048576 to 1099511627776"),
    ("journal = 'synced'", 'expected "on" or "off"'),
    ("journal_sync = 'always'", 'expected "none", "interval" or "batch"'),
    ("journal_dir = 5", "expected a directory or empty"),
    ("journal_segment = 65536", "expected a whole number from 8388608 to 2147483648"),
    ("journal_interval = 0", "expected seconds from 0.001 to 60"),
    ("journal_bytes = '1G'", "expected a whole number from 16777216 to 1125899906842624"),
    ("journal_age = -1", "expected seconds from 0 to 3.15576e+09"),
    ("journal_hard_limit = 1.5", "expected a whole number from 0 to 1125899906842624"),
    ("journal_before_delivery = 1", "expected true or false"),
    ("heartbeat_ms = 99", f"expected {WHOLE} 100 to 60000"),
    ("heartbeat_ms = 60001", f"expected {WHOLE} 100 to 60000"),
    ("producer_breaker = 0", f"expected {WHOLE} 1 to 2147483647"),
    ("producer_window = 0", "expected seconds from 0.001 to 3600"),
    ("producer_cooldown = -1", "expected seconds from 0 to 3600"),
    ("max_producers = 0", f"expected {WHOLE} 1 to 1048576"),
    ("producers = 'user:root'", f"expected {PEOPLE}"),
    ("producers = ['root']", 'entries are "user:NAME", "group:NAME" or "uid:N")'),
    ("producers = ['user:no-such-user']", "(there is no user 'no-such-user')"),
    ("consumers = ['group:no-such-group']", "(there is no group 'no-such-group')"),
    ("consumers = ['uid:-1']", 'entries are "user:NAME", "group:NAME" or "uid:N")'),
    ("consumers = ['gid:0']", 'entries are "user:NAME", "group:NAME" or "uid:N")'),
    ("sources = ['user:root']", "= list of sources"),
    ("sources = {'user:root' = 1}", "(each entry is a list of source names or numbers)"),
    ("sources = {'user:root' = [256]}", "(there is no source 256)"),
    ("sources = {'user:root' = ['nobody']}", "(there is no source 'nobody')"),
    ("sources = {'user:no-such-user' = [1]}", "(there is no user 'no-such-user')"),
    ("drain_timeout = -1", "expected seconds from 0 to 3600"),
    ("crash_window = -1", "expected seconds from 0 to 3600"),
    ("busy_poll = 2", "expected true or false"),
    ("metrics_host = '1.2.3'", "expected an IP address or host name"),
    ("metrics_port = 65536", 'expected a port from 0 (any) to 65535 or "off"'),
    ("metrics_port = 'none'", 'expected a port from 0 (any) to 65535 or "off"'),
    ("log_level = 'loud'", 'expected "debug", "info", "warning" or "error"'),
]


@pytest.mark.parametrize("table", ["relay", "execution"])
@pytest.mark.parametrize(("line", "ending"), BAD_VALUES)
def test_a_bad_value_is_refused_in_one_line(
    tmp_path: Path, table: str, line: str, ending: str
) -> None:
    path = written(tmp_path, f"[{table}]\n{line}\n")
    said = refusal("execution", path)
    assert said.startswith(f"{path}: [{table}] {line.split(' ')[0]} = ")
    assert said.endswith(ending)


def test_every_key_has_a_bad_value_that_is_tried() -> None:
    assert {line.split(" ")[0] for line, _ in BAD_VALUES} == set(KEYS)


CONTRADICTIONS = [
    ("market_data", "circuit_breaker = 1000000", "less than max_queue_size, 1000000"),
    ("signals", "max_queue_size = 80000", "circuit_breaker = 80000: expected less than"),
    ("signals", "log_bytes = 1500000", "expected a multiple of 1048576"),
    ("signals", "log_bytes = 1048576\nmax_payload = 1048576", "at least 4194432"),
    ("execution", "on_lag = 'gap'", "unless allow_loss = true"),
    ("execution", "snapshots = true", "expected false: only market_data has"),
    ("execution", "journal_segment = 33554432\njournal_bytes = 33554432", "at least 67108864, two"),
    ("execution", "journal_segment = 8388608\nmax_producers = 600000", "and 600000 producers"),
    ("execution", "journal_hard_limit = 16777216", "expected 0, or at least journal_bytes"),
    ("signals", "journal = 'off'\njournal_before_delivery = true", 'unless journal = "on"'),
    ("market_data", "journal = 'on'\njournal_before_delivery = true", "snapshots = true: expected"),
    ("signals", f"runtime_dir = '/{'x' * 100}'", "expected at most 94 bytes"),
]


@pytest.mark.parametrize(("domain", "lines", "expected"), CONTRADICTIONS)
def test_a_contradiction_is_refused_in_one_line_that_names_the_file(
    tmp_path: Path, domain: str, lines: str, expected: str
) -> None:
    path = written(tmp_path, f"[{domain}]\n{lines}\n")
    said = refusal(domain, path)
    assert expected in said
    assert f"{path}: [{domain}]" in said


def test_execution_may_have_gaps_when_loss_is_allowed(tmp_path: Path) -> None:
    path = written(tmp_path, "[execution]\non_lag = 'gap'\nallow_loss = true\n")
    assert load("execution", path, environ={}).config.on_lag == "gap"


def test_two_relays_cannot_have_one_metrics_port() -> None:
    with pytest.raises(ConfigError, match="another port than that of market_data, for signals"):
        load_all(environ={}, flags={"metrics_port": 9000})
    for port in (0, "off"):
        assert load_all(environ={}, flags={"metrics_port": port})


BAD_FILES = [
    ("max_payload = 5", "max_payload = 5: expected under [relay] or a relay's table"),
    ("[trades]", "[trades]: unknown table, expected one of [relay], [market_data]"),
    ("relay = 5", "relay = 5: expected a table [relay]"),
    ("[[relay]]", "expected a table [relay]"),
    ("[relay]\nmax_paylod = 5", 'max_paylod = 5: unknown key, did you mean "max_payload"?'),
    ("[signals]\nsocket = 'x'", '[signals] socket = "x": unknown key'),
    ("[market_data]\nwat = 1", "[market_data] wat = 1: unknown key"),
    ("[relay\n", "not a TOML file"),
    ("[relay]\nlog_level = 'a\nb'", "not a TOML file"),
]


@pytest.mark.parametrize(("text", "expected"), BAD_FILES)
def test_a_file_that_is_not_a_configuration_is_refused_in_one_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = written(tmp_path, text)
    said = refusal("execution", path)
    assert said.startswith(f"{path}: ")
    assert expected in said


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    assert refusal("signals", tmp_path / "absent").endswith("No such file or directory")
    assert refusal("signals", tmp_path).endswith("Is a directory")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\0")
    assert "not a TOML file" in refusal("signals", binary)


BAD_VARIABLES = [
    ("RELAYS_SIGNALS_MAX_PAYLOAD", "many", 'max_payload = "many": expected a whole number'),
    ("RELAYS_SIGNALS_MAX_PAYLOAD", "", 'max_payload = "": expected a whole number'),
    ("RELAYS_SIGNALS_PRODUCERS", "[1", "[1: not a TOML value"),
    ("RELAYS_SIGNALS_PRODUCERS", "1\n2", "expected a list of"),
    ("RELAYS_SIGNALS_COLOUR", "red", 'colour = "red": unknown key'),
    ("RELAYS_EXECUTION_COLOUR", "red", 'colour = "red": unknown key'),
]


@pytest.mark.parametrize(("name", "text", "expected"), BAD_VARIABLES)
def test_a_bad_variable_is_refused_in_one_line(name: str, text: str, expected: str) -> None:
    said = refusal("signals", None, **{name: text})
    assert said.startswith(f"environment {name}: ")
    assert expected in said
