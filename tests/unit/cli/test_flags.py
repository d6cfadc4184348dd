import click
from click.shell_completion import CompletionItem
from click.testing import CliRunner

from ambassador.cli.flags import setting_flags
from ambassador.settings import SETTINGS


def command_with(*names):
    seen = {}

    @click.command()
    @setting_flags(*names)
    def command(**flags):
        seen.update(flags)

    return command, seen


def test_each_setting_has_a_flag_with_its_form_default_and_variable():
    command, _ = command_with(*SETTINGS)
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    for setting in SETTINGS.values():
        if setting.secret:  # every user of the machine sees the arguments of a process
            assert setting.flag not in text.split()
            continue
        form = "" if setting.form == "yes|no" else f"{setting.form} "
        assert f"{setting.flag} {form}" in text
        assert f"[{setting.variable}]" in text
        assert not setting.default or f"Default: {setting.default}. [" in text


def test_a_flag_arrives_as_it_was_written_and_none_when_it_is_not_given():
    command, seen = command_with("grace", "log")
    result = CliRunner().invoke(command, ["--grace", "nonsense"])
    assert result.exit_code == 0  # what it means is judged where the settings are
    assert seen == {"grace": "nonsense", "log": None}


def test_what_is_yes_or_no_is_said_by_being_there():
    command, seen = command_with("keep_rules")
    CliRunner().invoke(command, [])
    assert seen == {"keep_rules": None}
    CliRunner().invoke(command, ["--keep-rules"])
    assert seen == {"keep_rules": "yes"}


def test_words_are_completed():
    command, _ = command_with("log", "grace")
    log, grace = command.params
    ctx = click.Context(command)
    assert [item.value for item in log.shell_complete(ctx, "")] == ["auto", "text", "json"]
    assert [item.value for item in log.shell_complete(ctx, "j")] == ["json"]
    assert grace.shell_complete(ctx, "") == []
    assert isinstance(log.shell_complete(ctx, "")[0], CompletionItem)
