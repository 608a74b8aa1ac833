"""What a process can still do within walls: real system calls, in processes of their own."""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from wsgi_wasm.errors import WallError
from wsgi_wasm.walls import landlock, missing, seccomp, user_of

from .attempts import ATTEMPTS, Order, World
from .conftest import Outcome

Attack = Callable[..., Outcome]

ROOT = os.geteuid() == 0

# What comes of each attempt: without walls ("?" where that depends on the machine), in a child, in a child that may
# connect to one port, and in a worker. EPERM is the filter of system calls, EACCES is Landlock.
OUTCOMES = """
read_outside                   done  EACCES EACCES EACCES
write_outside                  done  EACCES EACCES EACCES
list_outside                   done  EACCES EACCES EACCES
read_by_dots                   done  EACCES EACCES EACCES
read_by_link                   done  EACCES EACCES EACCES
read_by_new_link               done  EACCES EACCES EACCES
read_by_root_of_process        done  EACCES EACCES EACCES
read_by_directory_of_process   done  EACCES EACCES EACCES
read_by_root_of_other_process  ?     EACCES EACCES EACCES
read_by_directory_descriptor   done  EACCES EACCES EACCES
read_by_place_descriptor       done  EACCES EACCES EACCES
read_by_hard_link              done  EXDEV|EACCES EXDEV|EACCES EXDEV|EACCES
move_out                       done  EXDEV|EACCES EXDEV|EACCES EXDEV|EACCES
move_in                        done  EXDEV|EACCES EXDEV|EACCES EXDEV|EACCES
remove_outside                 done  EACCES EACCES EACCES
truncate_by_name               done  EPERM  EPERM  EPERM
change_mode_by_name            done  EPERM  EPERM  done
change_owner_by_name           done  EPERM  EPERM  done
set_attribute_by_name          ?     EPERM  EPERM  ?
open_mode_to_all               done  EPERM  EPERM  done
open_by_handle                 ?     EPERM  EPERM  EPERM
lock_readable                  done  done   done   done
read_readable                  done  done   done   done
write_readable                 done  EACCES EACCES EACCES
make_in_readable               done  EACCES EACCES EACCES
write_writable                 done  done   done   done
make_device                    ?     EPERM  EPERM  EACCES|EPERM
make_pipe                      done  EPERM  EPERM  EACCES
mount                          ?     EPERM  EPERM  EPERM
change_root                    ?     EPERM  EPERM  EPERM
run_program                    done  EPERM  EPERM  EPERM
spawn_program                  done  EPERM  EPERM  EPERM
make_process                   done  EPERM  EPERM  EPERM
make_process_by_clone3         done  ENOSYS ENOSYS ENOSYS
make_user_namespace            ?     EPERM  EPERM  EPERM
clone_user_namespace           ?     EPERM  EPERM  EPERM
enter_namespace                ?     EPERM|EACCES EPERM|EACCES EPERM|EACCES
start_thread                   done  done   done   done
trace                          ?     EPERM  EPERM  EPERM
read_memory                    ?     EPERM  EPERM  EPERM
open_memory                    ?     EACCES EACCES EACCES
read_environment               ?     EACCES EACCES EACCES
open_own_memory                done  EACCES EACCES EACCES
take_descriptor                ?     EPERM  EPERM  EPERM
take_descriptor_by_name        ?     EACCES EACCES EACCES
compare_processes              ?     EPERM  EPERM  EPERM
signal_other                   done  EPERM  EPERM  EPERM
signal_other_thread            done  EPERM  EPERM  EPERM
signal_other_by_tkill          done  EPERM  EPERM  EPERM
signal_all                     done  EPERM  EPERM  EPERM
signal_group                   done  EPERM  EPERM  EPERM
queue_signal                   done  EPERM  EPERM  EPERM
signal_by_pidfd                done  EPERM  EPERM  EPERM
signal_by_descriptor           done  EPERM  EPERM  EPERM
signal_by_ioctl                done  EPERM  EPERM  EPERM
signal_itself                  done  done   done   done
limit_other                    done  EPERM  EPERM  EPERM
limit_itself                   done  done   done   done
slow_other                     done  EPERM  EPERM  EPERM
slow_other_by_priority         done  EPERM  EPERM  EPERM
be_dumpable                    done  EPERM  EPERM  EPERM
keep_capabilities              done  EPERM  EPERM  EPERM
become_root                    ?     EPERM  EPERM  EPERM
take_capabilities              done  EPERM  EPERM  EPERM
leave_session                  done  EPERM  EPERM  EPERM
connect                        done  EPERM  done   done
connect_elsewhere              done  EPERM  EACCES done
connect_by_mptcp               ?     EPERM  EPERM  EPERM
connect_by_fast_open           done  EPERM  EPERM  EPERM
connect_by_fast_open_message   done  EPERM  EPERM  EPERM
send_datagram                  done  EPERM  EPERM  done
connect_unix                   done  EPERM  EPERM  done
connect_abstract               done  EPERM  EPERM  EPERM
listen                         done  EPERM  EPERM  done
make_pair                      done  EPERM  EPERM  done
open_raw                       ?     EPERM  EPERM  EPERM
open_packet                    ?     EPERM  EPERM  EPERM
open_netlink                   done  EPERM  EPERM  EPERM
open_vsock                     ?     EPERM  EPERM  EPERM
open_crypto                    ?     EPERM  EPERM  EPERM
set_up_io_uring                ?     EPERM  EPERM  EPERM
set_up_aio                     ?     EPERM  EPERM  EPERM
load_bpf                       ?     EPERM  EPERM  EPERM
handle_page_faults             ?     EPERM  EPERM  EPERM
count_events                   ?     EPERM  EPERM  EPERM
use_keys                       ?     EPERM  EPERM  EPERM
share_memory                   ?     EPERM  EPERM  EPERM
change_personality             done  EPERM  EPERM  EPERM
set_clock                      ?     EPERM  EPERM  EPERM
type_into_terminal             ?     EPERM  EPERM  EPERM
allocate_memory_file           done  done   done   done
make_code                      done  done   done   done
use_devices                    done  done   done   done
call_from_the_future           ENOSYS ENOSYS ENOSYS ENOSYS
run_in_writable                ?     EPERM  EPERM  EACCES|EPERM
run_from_memory                ?     EPERM  EPERM  EPERM
replace_program                ?     EPERM  EPERM  EPERM
"""
ROWS = [line.split() for line in OUTCOMES.split("\n") if line]
NAMES = [row[0] for row in ROWS]

# What is not there depends on the kernel.
NO_PORTS = not landlock.confines_ports()


def differences(found: Outcome, column: int) -> dict[str, tuple[str, str]]:
    """What came out otherwise than its column says: expected and found."""
    rows = {row[0]: row[column] for row in ROWS}
    return {
        name: (rows[name], what)
        for name, what in found.attempts.items()
        if rows[name] != "?" and what not in rows[name].split("|")
    }


def test_every_attempt_is_in_the_table() -> None:
    special = {"call_by_x32", "call_by_i386", "grow_file", "use_descriptor", "see_environment"}
    assert set(NAMES) == set(ATTEMPTS) - special


def test_without_walls(world: World, attacked: Attack) -> None:
    """Else the attempts would show nothing."""
    tried = [row[0] for row in ROWS if row[1] != "?"]
    found = attacked(Order("", tried, world))
    assert found.status == 0, found.errors
    assert not differences(found, 1)


@pytest.mark.skipif(not landlock.abi() or bool(seccomp.missing()), reason="this kernel has only some of the walls")
@pytest.mark.parametrize(("column", "role"), [(2, "child"), (3, "child"), (4, "worker")])
def test_all_walls(world: World, attacked: Attack, column: int, role: str) -> None:
    ports = {2: [], 3: [world.port], 4: None}[column]
    found = attacked(Order(role, NAMES, world, ports=ports))
    assert found.status == 0, found.errors
    assert list(found.attempts) == NAMES
    wrong = differences(found, column)
    if NO_PORTS and column == 3:
        assert found.said["lacking"]
        wrong = {name: what for name, what in wrong.items() if not name.startswith("connect")}
    assert not wrong
    assert f"{world.outside}/absent" in found.said["absent"]
    assert found.said["lacking"] == list(missing())


@pytest.mark.parametrize("role", ["child", "worker"])
def test_system_calls_alone(world: World, attacked: Attack, role: str) -> None:
    """Where the kernel has no Landlock, that is said, and all that the filter refuses stays refused."""
    column = {"child": 2, "worker": 4}[role]
    tried = [row[0] for row in ROWS if row[column] == "EPERM" and row[0] != "connect_abstract"]
    found = attacked(Order(role, tried, world, ports=[] if role == "child" else None, without=("landlock",)))
    assert list(found.attempts) == tried, found.errors
    assert not differences(found, column)
    assert any("Landlock is not available" in line for line in found.said["lacking"])


@pytest.mark.parametrize("version", range(1, landlock.abi() + 1))
def test_files_alone(world: World, attacked: Attack, version: int) -> None:
    """Without a filter, Landlock holds what it says, in each of its versions."""
    tried = [row[0] for row in ROWS if row[2].endswith("EACCES")]
    found = attacked(Order("child", tried, world, ports=[], without=("seccomp", f"landlock{version}")))
    assert list(found.attempts) == tried, found.errors
    assert not differences(found, 2)
    assert any("Landlock is version" in line for line in found.said["lacking"]) == (version < 6)


def test_a_kernel_without_ports(world: World, attacked: Attack) -> None:
    """Who cannot be confined to a port does not get sockets at all."""
    found = attacked(
        Order("child", ["connect", "connect_elsewhere"], world, ports=[world.port], without=("landlock3",))
    )
    assert found.attempts == {"connect": "EPERM", "connect_elsewhere": "EPERM"}
    assert any("cannot be confined to ports" in line for line in found.said["lacking"])


def test_neither(world: World, attacked: Attack) -> None:
    """A kernel with nothing at all: what is left holds, and all is said."""
    tried = ["become_root", "read_readable", "grow_file"]
    order = Order("child", tried, world, without=("landlock", "seccomp"), file_size=1 << 19)
    found = attacked(order)
    assert found.attempts["read_readable"] == "done"
    assert found.attempts["grow_file"] == "EFBIG"
    assert len(found.said["lacking"]) >= 2


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other processors have one convention of calls")
@pytest.mark.parametrize("name", ["call_by_x32", "call_by_i386"])
@pytest.mark.parametrize("role", ["child", "worker"])
def test_numbers_of_another_kind_end_the_process(world: World, attacked: Attack, name: str, role: str) -> None:
    assert attacked(Order(role, [name], world)).status == -signal.SIGSYS


def test_descriptors_are_closed(world: World, attacked: Attack) -> None:
    assert attacked(Order("child", ["use_descriptor"], world)).attempts == {"use_descriptor": "done"}
    found = attacked(Order("child", ["use_descriptor"], world, keep=[0, 1, 2]))
    assert found.attempts == {"use_descriptor": "EBADF"}, found.errors


def test_the_environment_is_emptied(world: World, attacked: Attack) -> None:
    """Also where the kernel put it: in the memory of the process, which an escaped guest can read."""
    for empty, outcome in ((False, "done"), (True, "ENODATA")):
        found = attacked(Order("child", ["see_environment"], world, empty_environment=empty))
        assert found.attempts == {"see_environment": outcome}, found.errors


def test_a_process_with_threads_is_refused(world: World, attacked: Attack) -> None:
    """The walls of a thread do not hold for those that it has started before."""
    found = attacked(Order("worker", ["read_outside"], world, threads=2))
    if landlock.confines_every_thread() and not ROOT:
        assert found.attempts == {"read_outside": "EACCES"}
    else:
        assert found.status == 1
        assert "already has 3 threads" in found.errors


def test_programs_where_they_are_allowed(world: World, attacked: Attack) -> None:
    """What may run still has to be in a directory from which programs run."""
    found = attacked(Order("worker", ["make_process", "spawn_program", "clone_user_namespace"], world, programs=True))
    assert found.attempts == {"make_process": "done", "spawn_program": "EACCES", "clone_user_namespace": "EPERM"}


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_another_user(world: World, attacked: Attack, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o55 != 0o55 and folder.stat().st_uid == os.geteuid():
            folder.chmod(0o755)
    found = attacked(
        Order("child", ["become_root", "read_readable", "write_writable"], world, user="nobody", without=("seccomp",))
    )
    assert found.attempts == {"become_root": "EPERM", "read_readable": "done", "write_writable": "EACCES"}


def test_users_that_cannot_be() -> None:
    with pytest.raises(WallError, match=r"there is no user 'no\.such'"):
        user_of("no.such")
    with pytest.raises(WallError, match="is root"):
        user_of("root")
