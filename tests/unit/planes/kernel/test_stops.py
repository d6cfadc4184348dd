from ambassador.planes.kernel.layout import UP, mended
from ambassador.planes.kernel.stops import Stop, lifted, resumed, stopped

FOUR, SIX = Stop(6379, "10.0.0.1", 7001), Stop(6379, "fd00::1", 7001)
DROP = "ct original proto-dst @stopped{} drop"


def test_flows_are_dropped_before_anything_lets_them_pass():
    lines = stopped([FOUR, SIX]).splitlines()
    up = lines[lines.index("  chain up {") :]
    assert DROP.format(4) in up[1]
    assert DROP.format(6) in up[2]
    assert "\n".join(up[3:5]) + "\n" == UP


def test_an_element_has_the_upstream_and_the_port_that_clients_dial():
    text = stopped([FOUR, SIX])
    assert "add element inet ambassador stopped4 { 10.0.0.1 . 7001 . 6379 }" in text
    assert "add element inet ambassador stopped6 { fd00::1 . 7001 . 6379 }" in text


def test_the_kernel_ends_it_after_three_seconds_which_begin_anew_each_time():
    lines = [line for line in stopped([FOUR]).splitlines() if "10.0.0.1" in line]
    assert [line.split()[0] for line in lines] == ["add", "delete", "add"]
    assert "flags timeout; timeout 3s;" in stopped([FOUR])


def test_what_is_resumed_is_in_no_set_and_need_not_have_been():
    lines = [line for line in resumed([FOUR]).splitlines() if "10.0.0.1" in line]
    assert [line.split()[0] for line in lines] == ["add", "delete"]


def test_the_chain_is_as_before_once_it_is_lifted():
    assert f"chain up {{\n{UP}  }}" in lifted()
    assert f"chain up {{\n{UP}  }}" in mended()
    assert "drop" not in lifted()


def test_nothing_to_stop_is_nothing_to_do():
    assert stopped(()) == resumed(()) == ""
