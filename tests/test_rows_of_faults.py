"""The table of faults (`faults.md`, section 2), and the tests that show each row of it, statement by statement.

Where nothing can be shown yet, the reason stands in its place.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TABLE = HERE.parents[1] / "shared" / "faults.md"

IN_TABLE = re.compile(r"^\| (?!-+\||fault \|)(.+?) \| .+ \|$", re.MULTILINE)

ROWS: dict[str, dict[str, str]] = {
    "WebSocket drops with an order in flight, in the middle of a frame, or its reply is lost": {
        "an order in flight over the WebSocket becomes UNKNOWN": """
            whole/test_orders_by_call.py::test_a_websocket_lost_with_a_call_in_flight
            whole/test_orders_by_call.py::test_a_websocket_that_ends_in_the_middle_of_a_call
            session/test_entry.py::test_a_socket_that_dies_leaves_unknown_what_had_left
            session/test_generation_orders.py::test_a_call_in_flight_when_the_connection_is_cut""",
        "whatever the channel did not say of an order in flight is known afterwards": """
            whole/test_long_runs.py::test_a_websocket_lost_at_any_point_of_an_order
            whole/test_bad_ways.py::test_a_websocket_that_ends_in_the_middle_of_a_frame""",
        "a lost reply to an order leaves it UNKNOWN": """
            whole/test_faulty_venue.py::test_one_order_that_ends_once
            whole/test_levers.py::test_every_lever_for_every_request
            whole/test_orders_by_call.py::test_strange_replies
            session/test_entry.py::test_a_lost_reply_is_an_unknown_outcome_at_the_deadline
            link/test_http.py::test_what_may_have_arrived_is_unknown""",
        "new generation; reconcile; then the gate opens": """
            session/test_generation.py::test_a_supervised_stream_goes_on_with_the_next_generation
            whole/test_six_bugs.py::test_the_gate_open_before_reconciliation
            trading/test_manager.py::test_no_session_no_order""",
    },
    "half-open TCP, one direction or both": {
        "own ping with a deadline; the generation dies": """
            session/test_generation.py::test_a_dead_link_is_noticed_by_the_pong_that_does_not_come
            whole/test_bad_ways.py::test_a_half_open_connection
            whole/test_orders_by_call.py::test_a_half_open_connection_under_a_call""",
        "silence: what is heard on a live link at the least are our pongs, and before it is ready its replies": """
            session/test_generation.py::test_a_live_link_is_pinged_for_ever
            session/test_generation.py::test_a_venue_that_does_not_reply_has_ten_seconds""",
    },
    "latency 2 s ± 1 s, 1 KB/s, one byte at a time": {
        "deadlines are ours": """
            whole/test_bad_ways.py::test_a_slow_network
            link/test_http.py::test_what_may_have_arrived_is_unknown
            simulation/test_virtual_libraries.py::test_the_timeouts_of_httpx_are_none_of_a_request""",
    },
    "a strategy's handler is slow": {
        "over 2 ms it is named": "trading/test_watchdog.py::test_a_step_of_2_ms_is_short",
        "over 1 s the kill switch trips": """
            whole/test_kill_switch.py::test_a_step_of_more_than_a_second_pulls_it""",
        "market data may be conflated": "(there is no stream of it: quotes are asked for one by one)",
        "order events are never dropped": """
            link/test_websocket.py::test_a_burst_neither_loses_messages_nor_holds_up_pongs
            session/test_generation.py::test_reports_count_from_the_first_on_and_keep_their_order""",
    },
    "close 1000/1001/1012, 1013, 1008/4xxx, 4031": {
        "reconnect; wait; a new token once": """
            whole/test_bad_ways.py::test_the_venue_closes_the_websocket
            session/test_supervise.py::test_an_overloaded_venue_is_left_alone_for_longer
            session/test_generation.py::test_a_code_that_blames_us_has_another_token_made""",
        "and then give up": "whole/test_bad_ways.py::test_a_venue_that_wants_us_gone",
        "hold a subscription": """
            session/test_generation.py::test_it_authenticates_subscribes_takes_stock_and_then_opens_the_session
            session/test_generation.py::test_a_refused_subscription_ends_it""",
    },
    "JWT expires in flight; refresh fails; 401; 40111": {
        "refresh at 60 % of life": """
            session/test_login.py::test_the_token_is_renewed_at_sixty_per_cent_of_its_life""",
        "retry with backoff while the old one lives": """
            session/test_login.py::test_a_refused_renewal_is_tried_again_while_the_old_token_lives
            whole/test_long_runs.py::test_an_hour_of_expiring_tokens_lost_websockets_and_a_refused_refresh""",
        "at expiry gate orders, keep trying": """
            session/test_login.py::test_an_expired_token_sends_nothing_until_it_is_renewed
            whole/test_odd_venues.py::test_a_token_that_cannot_be_renewed""",
        "401 on a POST proves refusal": """
            whole/test_faulty_venue.py::test_none_where_that_is_the_truth
            whole/test_odd_venues.py::test_a_token_that_ends_while_an_order_leaves
            session/test_login.py::test_a_refused_token_is_renewed_at_once""",
        "40111 asks for another token": """
            session/test_generation.py::test_a_refused_authentication_ends_it
            session/test_generation_orders.py::test_a_call_refused_for_its_bearer_has_another_token_made""",
    },
    "wrong clock, NTP step, suspended laptop": {
        "sign in venue time": """
            session/test_login.py::test_orders_are_stamped_in_the_venues_time
            link/test_clock.py::test_nobody_can_set_the_venues_time""",
        "> 250 ms warn": """
            link/test_clock.py::test_a_wall_clock_is_called_wrong_when_that_is_certain
            session/test_login.py::test_the_venues_time_is_measured""",
        "> half the recv_window refuse": """
            session/test_login.py::test_no_order_leaves_by_a_clock_that_is_too_wrong
            trading/test_sending.py::test_nothing_is_signed_by_a_clock_that_nobody_can_trust""",
        "a jump of > 5 s means reconnect and reconcile": """
            session/test_generation.py::test_a_clock_that_jumps_ends_it
            session/test_login.py::test_after_a_nap_connections_and_the_venues_clock_are_new
            whole/test_modes_and_jumps.py::test_after_a_nap_the_bot_reconnects_takes_stock_and_trades_on""",
    },
    "429": {
        "Retry-After": """
            whole/test_odd_venues.py::test_an_account_over_its_limit
            link/test_http_limits.py::test_a_429_that_names_no_limit_closes_all_that_the_request_counts_against
            paradex/test_paradex_limits.py::test_how_long_a_429_closes""",
        "one bucket for REST and WebSocket": """
            paradex/test_paradex_limits.py::test_calls_and_requests_share_their_limits
            session/test_entry.py::test_an_order_without_room_is_not_sent_over_the_websocket
            session/test_entry.py::test_what_goes_over_the_websocket_is_missed_over_rest
            session/test_entry.py::test_42901_closes_the_limits_for_a_second""",
        "a reserve that only cancels may use": """
            link/test_http_limits.py::test_a_cancel_spends_the_reserve_and_waits_when_even_that_is_empty
            session/test_entry.py::test_a_cancel_over_the_websocket_spends_the_reserve
            link/test_http_limits.py::test_reads_wait_and_leave_the_cancels_their_share""",
    },
    "maintenance, cancel_only, post_only (each weekday about 04:30 UTC)": {
        "mode gate from /system/state": """
            whole/test_modes_and_jumps.py::test_a_restricted_platform_is_known_before_the_first_order
            trading/test_guard.py::test_a_mode_that_takes_nothing
            trading/test_guard.py::test_post_only_takes_what_can_only_rest""",
        "and from error codes; cancels pass": """
            whole/test_modes_and_jumps.py::test_a_platform_that_becomes_restricted_costs_one_refused_order_at_most
            whole/test_orders_by_call.py::test_a_restricted_platform_in_each_form_of_refusal
            session/test_mode.py::test_an_answer_that_tells_of_a_restriction_has_it_asked_at_once""",
        "poll every 5 s": "session/test_mode.py::test_a_mode_is_told_once_and_asked_for_every_five_seconds",
    },
    "duplicate, late, reordered or lost updates; a snapshot older than the stream": {
        "each of these updates": """
            whole/test_faulty_venue.py::test_one_order_that_ends_once
            trading/test_ledger.py::test_reports_in_every_order
            trading/test_stocktaking.py::test_a_fill_counts_once""",
        "monotone state machine; a terminal state wins": """
            core/test_order_states.py::test_terminal_states_are_final
            core/test_order_states.py::test_storms_of_reports
            trading/test_ledger.py::test_sizes_never_grow_back""",
        "hold, then ask the history": """
            whole/test_odd_venues.py::test_a_snapshot_older_than_the_stream
            trading/test_manager.py::test_the_list_of_open_orders
            trading/test_stocktaking.py::test_who_is_nowhere_is_looked_for""",
    },
    "unknown fields, new enum values, nulls": {
        "unknown fields ignored": """
            paradex/test_paradex_answers.py::test_successes
            paradex/test_paradex_rpc.py::test_frames""",
        "an unknown status is UNKNOWN and an alarm": """
            whole/test_odd_venues.py::test_answers_that_nobody_understands
            trading/test_ledger.py::test_an_answer_of_a_status_unknown_here
            trading/test_manager.py::test_a_new_status_is_an_alarm""",
        "the reader never dies of it": """
            session/test_generation.py::test_what_nobody_asked_for_is_no_reason_to_die
            paradex/test_paradex_answers.py::test_no_answer_breaks_the_reader""",
    },
    "malformed JSON, 10^400, deep nesting, oversized frames, garbage SBE": {
        "counted, reading goes on": """
            session/test_generation.py::test_a_few_unreadable_frames_are_set_aside
            paradex/test_paradex_rpc.py::test_unreadable_frames
            paradex/test_paradex_rpc.py::test_read_raises_nothing_else
            whole/test_odd_venues.py::test_answers_that_nobody_understands""",
        "quarantined with secrets removed": "whole/test_canaries.py::test_a_plain_session",
        "ten a minute: reconnect": """
            session/test_generation.py::test_ten_unreadable_frames_in_a_minute_end_it""",
        "oversized: the connection ends": """
            link/test_websocket.py::test_a_venue_that_breaks_the_protocol_has_closed_the_connection""",
    },
    "DNS gone, then another address; unknown CA, wrong host, expired certificate": {
        "backoff, fresh resolution": "whole/test_bad_ways.py::test_a_venue_that_moves",
        "refuse with the cause in words": """
            whole/test_bad_ways.py::test_a_certificate_that_proves_nothing
            link/test_http.py::test_what_no_connection_came_about_for_was_not_sent
            link/test_websocket.py::test_no_connection_is_not_sent""",
        "there is no switch to disable verification": """
            whole/test_bad_ways.py::test_there_is_no_switch_that_turns_verification_off
            settings/test_settings_load.py::test_a_bad_venue_address_is_refused""",
    },
    "disk full: recording / journal": {
        "recording stops and says so, trading goes on": "(the journal is the recording: there is no other)",
        "new orders refused, cancels go": """
            journal/test_journal_trading.py::test_a_disk_that_is_full_for_a_while
            journal/test_journal_trading.py::test_a_disk_that_broke
            trading/test_executor.py::test_everything_but_an_order_goes_without_being_written_down""",
    },
    "torn or corrupt journal tail": {
        "checksum per record; recover to the last good one": """
            journal/test_journal_reading.py::test_of_a_damaged_journal_the_beginning_is_read
            journal/test_journal_recovery.py::test_a_damaged_tail_is_usual""",
        "keep the rest aside": """
            journal/test_journal_reading.py::test_garbage_after_good_records_is_set_aside
            journal/test_journal_reading.py::test_what_is_damaged_is_told""",
        "reconcile": """
            whole/test_crashes.py::test_wherever_it_dies_nothing_is_lost_doubled_or_guessed
            trading/test_recovery.py::test_an_order_that_no_journal_knows_is_ours_by_its_name""",
    },
    "kill -9 anywhere": {
        "INTENT without outcome is UNKNOWN and is resolved": """
            journal/test_journal_recovery.py::test_an_intent_without_outcome_is_unknown
            trading/test_recovery.py::test_an_unknown_order_is_resolved_before_anything_new""",
        "exactly one order": """
            whole/test_crashes.py::test_wherever_it_dies_nothing_is_lost_doubled_or_guessed""",
    },
    "two bots on one account": {
        "lock file per account, taken before auth": """
            journal/test_journal_account.py::test_the_account_is_taken_before_anything_is_asked_in_its_name""",
        "the second ends at once and names the first": """
            journal/test_journal_account.py::test_the_second_bot_is_refused
            journal/test_journal_account.py::test_a_refused_claim_ends_the_bot
            whole/test_crashes.py::test_one_bot_at_a_time""",
    },
    "SIGINT or SIGTERM in any phase": {
        "gate first, then cancel our own orders by id, confirm each, flush, close": """
            whole/test_stop.py::test_the_steps_of_a_stop
            whole/test_six_bugs.py::test_a_trader_not_revoked_at_the_stop""",
        "under 3 s without faults; exit 0": """
            whole/test_stop.py::test_sigint_in_each_phase
            whole/test_stop.py::test_sigint_at_any_time""",
        "8 s under any": """
            whole/test_stop.py::test_a_stop_takes_8_seconds_at_most
            whole/test_stop.py::test_a_stop_does_not_wait_for_an_answer_that_never_comes
            whole/test_stop.py::test_a_stop_outlives_the_answer_to_a_cancel""",
    },
    "second signal within 1 s / later": {
        "ignored (launchers send Ctrl-C twice)": """
            whole/test_stop.py::test_a_second_sigint_within_a_second_changes_nothing
            session/test_stop_wish.py::test_a_second_signal_hurries_unless_it_is_an_echo_of_the_first""",
        "send cancel-all, 2 s, leave, naming what is unresolved": """
            whole/test_stop.py::test_later_sigint_leaves_and_names_what_is_unresolved
            whole/test_terminals.py::test_a_later_signal_leaves_what_it_cannot_cancel""",
    },
    "a foreign order or position on the account": {
        "listed as external, never touched": """
            whole/test_odd_venues.py::test_what_others_do_on_the_account
            trading/test_ledger.py::test_orders_of_others
            trading/test_stocktaking.py::test_positions_that_stay_others_are_taken_over""",
    },
    "our own storm of reconnects or orders": {
        "circuit breaker: orders per second": """
            whole/test_odd_venues.py::test_a_strategy_that_places_without_end
            trading/test_guard.py::test_a_storm_of_orders_pulls_the_switch""",
        "reconnects per hour": """
            whole/test_odd_venues.py::test_a_venue_that_hangs_up_all_the_time
            session/test_supervise.py::test_a_connection_that_dies_at_once_does_not_become_a_storm""",
        "notional, position": """
            trading/test_guard.py::test_no_order_worth_more_than_allowed
            trading/test_guard.py::test_no_order_that_could_take_the_position_too_far
            trading/test_guard.py::test_a_position_far_above_its_limit_pulls_the_switch""",
    },
}
"""By the first column of the table: what is right, and by which tests that is seen; in parentheses, why by none."""


def test_every_row_is_here() -> None:
    """And no other: whoever changes the table has to say which test shows it."""
    if not TABLE.exists():
        pytest.skip("../shared/faults.md is not there")
    section = TABLE.read_text(encoding="utf-8").partition("\n## 2. ")[2].partition("\n## ")[0]
    assert list(ROWS) == IN_TABLE.findall(section)


@pytest.mark.parametrize("row", ROWS)
def test_what_is_named_is_a_test(row: str) -> None:
    """A test that was renamed, or removed, is missed here; and no statement has neither a test nor a reason."""
    for shown in ROWS[row].values():
        assert shown.strip()
        if not shown.startswith("("):
            assert [name for name in shown.split() if name not in named_in(name.partition("::")[0])] == []


@cache
def named_in(file: str) -> frozenset[str]:
    """The tests of a module, which is read and not run."""
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    names = (node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(f"{file}::{name}" for name in names if name.startswith("test_"))
