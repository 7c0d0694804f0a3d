"""The kernel gate: Landlock holds the agent, seccomp asks the warden.

This page is the threat model; ``agentgate doctor --promises`` prints it,
``agentgate doctor`` tries on the machine at hand what can be tried.

To whom, against whom
---------------------
Promised to the operator, who starts ``agentgate`` and answers its questions,
for everything that this user may change or reach: files, other processes,
accounts behind the network. Against the agent's process tree, whatever code
runs in it: the agent, led astray or not, a package's install script, a binary
it has built. Trusted are the kernel, this program and its Python, the operator,
and what the policy allows.

What is promised, by what, and shown where
------------------------------------------
1. No file is created, changed, renamed, linked or removed, nor its mode, owner,
   times or attributes set, before the object itself was decided. filter.py
   holds the calls; places.py finds the object; opens.py, files.py and
   attributes.py act on what was found, so that a path swapped meanwhile changes
   nothing.
     test_kernel_files.py::test_denied_is_without_effect
     test_kernel_files.py::test_targets_are_the_real_places
     test_kernel_places.py::test_a_link_swapped_in_a_race
   A decision is made when something is opened; write(2) on what was opened then
   is not held. A rule about a file holds though a directory above it is renamed
   and renamed back, or a link put in its place (moves.py); and a file that lost
   its name is decided by the last one it had (places.py).
     test_kernel_moves.py::test_a_rule_is_not_undone_by_its_directory
     test_kernel_moves.py::test_what_a_rule_forbids_is_not_put_in_place
     test_kernel_descriptors.py::test_a_file_that_lost_its_name
2. No connection is opened before its address was decided. sockets.py connects
   the caller's own socket to the address it has read; MSG_FASTOPEN, raw sockets
   and whatever else sends without it are refused.
     test_kernel_net.py::test_connections_are_asked_by_address
     test_kernel_net.py::test_no_way_around_connect
     test_kernel_net.py::test_unix_sockets_by_path
     test_kernel_net.py::test_other_sockets_are_never_made
   What its own tree listens on is the session's own, and the session's proxy
   decides for itself.
     test_kernel_net.py::test_an_own_port_is_own_while_it_lasts
     test_kernel_net.py::test_the_proxy_decides_by_name
3. No datagram leaves the session, and no name is looked up before a connection
   to it was decided. UDP sockets are made in a network that leads nowhere
   (netns.py); names get addresses that only stand for them
   (agentgate/intercept/dns), lookups of other kinds are decided themselves.
   Without user namespaces there is no UDP at all.
     test_names_udp.py::test_no_datagram_leaves
     test_names_session.py::test_a_denied_name_is_not_looked_up
     test_names_session.py::test_the_tls_greeting_must_agree
     test_names_without.py::test_without_user_namespaces_udp_is_refused_and_said
4. No program starts before its command line was decided, but the session's own
   command. execs.py holds execve; what it cannot prevent it finds out and
   kills, see below.
     test_kernel_exec.py::test_a_program_of_the_project_is_asked_by_its_path
     test_kernel_exec.py::test_a_link_in_the_project_does_not_lend_its_name
     test_kernel_exec.py::test_a_rule_about_a_scripts_interpreter_holds
5. Processes outside the tree cannot be signalled, traced or slowed, nor their
   memory read or written. Landlock's scopes (ABI 6; before, the warden holds
   signals) and its rule that a domain traces nobody outside; others.py for
   priorities and limits; ipc.py for System V memory and queues.
     test_kernel_places.py::test_other_processes_are_left_alone
     test_kernel_places.py::test_memory_and_knobs_of_others
     test_kernel_places.py::test_memory_and_queues_without_a_path
     test_kernel_others.py::test_signals_that_a_descriptor_sends
     test_kernel_others.py::test_a_terminal_that_was_ones_own_is_not_for_ever
6. What the gate does not know does not exist: call numbers beyond its list,
   other ABIs, io_uring, openat2 (abi.py, filter.py).
     test_kernel_filter.py::test_every_number_has_its_answer
     test_kernel_filter.py::test_the_kernel_agrees
     test_kernel_filter.py::test_newer_calls_by_effect
     test_kernel_exec.py::test_calls_of_other_abis_do_not_exist
7. A call that gets past the filter finds no right to use: in the Landlock
   domain no file can be opened for writing, made, moved or removed, no TCP
   connection opened, nobody outside signalled (landlock.py; what older ABIs
   lack stands in agentgate/doctor/rights.py). Modes, owners, times, attributes,
   truncation, UDP and unix sockets by path have no such second floor.
     test_doctor_floor.py::test_each_abi_refuses_what_the_table_says
     test_doctor_floor.py::test_what_is_the_filters_alone
8. It fails closed: when the app or the warden ends, nothing held happens and
   the tree ends. It ends with the agent too, or else (--keep, kept.py) what
   outlives the agent stays behind the gate to its own end.
     test_kernel_kept.py::test_a_daemon_ends_with_the_agent
     test_kernel_kept.py::test_a_daemon_is_kept_and_gated
     test_kernel_life.py::test_the_app_killed
     test_kernel_life.py::test_the_warden_killed
     test_kernel_life.py::test_both_killed
9. Every decision is on record, with the command and the chain of processes
   behind it. What the filter refuses by itself (6) is no decision and leaves no
   record.
     test_kernel_life.py::test_records_tell_who_what_and_why
     test_session_record.py::test_every_decision_is_one_line
10. The gate's own files, and the known places that run code later, are asked
   about each single time, whatever the rules say (agentgate/gate/guards.py).
     test_kernel_places.py::test_guards_stand_above_the_rules
     test_session_always.py::test_never_always_for_a_guard
11. An agent run as root keeps only its capabilities over file permissions,
   signals and low ports (caps.py), and no program gains any (no_new_privs).
     test_kernel_root.py::test_capabilities
     test_kernel_root.py::test_calls_that_change_the_machine
     test_kernel_root.py::test_programs_that_give_rights_give_none
     test_doctor_drill.py::test_the_kernel_gate_holds
     test_kernel_places.py::test_the_kernel_is_not_set_up

What is not promised
--------------------
- That the command line which was shown is the one that runs. A thread can
  change it while the kernel reads it; the new image is compared before its
  first held call and killed on a mismatch. Rest nothing on an exec verdict:
  what the program does is decided again, call by call.
     test_kernel_exec.py::test_arguments_swapped_by_a_thread
- That a program which a rule denies runs under no other name. A copy of it in
  the project is asked about by the path of the copy.
     test_kernel_exec.py::test_a_renamed_program_goes_by_its_path
- Anything against a hole in the kernel, the processor, or a hypervisor below.
  This is no virtual machine.
- What is done within what was allowed. An allowed host can be told everything
  the agent has read, and a file that may be written can hold a program which
  you run yourself tomorrow.
- What helpers that run outside already (docker, a tmux server, ssh-agent, a
  session bus, an agent's daemon) do for the agent. The connection to their
  socket is asked about; what is said over it is not seen.
     test_kernel_places.py::test_descriptors_from_outside_are_what_was_given
- That what was granted can be taken back: a descriptor that is open, a
  connection that stands, outlive a change of the policy.
- Reads, unless the doctor's row about secrets says that they are held: the
  agent reads what you can read.
- Rules about names on a file system that takes ``Secret`` for ``secret`` (vfat,
  ext4 with casefold): a path is matched as it was spelled. Nor, on the rarer
  file systems, that ioctl(2) changes nothing of a file that may only be read:
  filter.py names the families whose commands it refuses.
- Silence. A denied question, its target, its time, the load of a processor can
  carry bits to somebody who watches for them.
- That every change can be taken back. What was there before is kept (before.py)
  as far as it is not too large, for what the agent's own calls change; not what
  a program outside does for it, nor what goes through a descriptor that it was
  started with. What was given away to the network stays given away.
     test_kernel_undo.py::test_every_call_is_taken_back
     test_kernel_undo_property.py::test_any_sequence_is_taken_back
     test_kernel_undo.py::test_what_is_too_large_is_told
- Enough of anything. Processor, memory, disk and processes are limited as far
  as you limit them (ulimit, cgroups); the gate adds no limit of its own.
- Anything of this in a session that says ``PATH + proxy only``.
"""
