//! Every scenario with every combination of driver, publishing library and subscribing library.
//!
//! The combination of Aeron's own parts validates the scenario; the others then test Gannet.

mod counters;
mod deaths;
mod errors;
mod messages;
mod reading;
mod setup;
mod streams;
mod timeouts;
mod victim;

use gannet_peers::driver::DriverKind;
use gannet_peers::endpoint::{CStack, GannetStack};
use setup::Setup;

/// One test per scenario, in a module named after the combination.
macro_rules! pairing {
    ($name:ident: $driver:expr, $publisher:expr => $subscriber:expr) => {
        mod $name {
            use super::*;

            const SETUP: Setup = Setup { driver: $driver, publisher: &$publisher, subscriber: &$subscriber };

            scenarios! {
                counters: [
                    a_counter_is_seen_by_everyone_until_it_is_removed,
                    a_static_counter_is_found_again_and_outlives_its_client,
                    stream_counters_name_the_stream,
                ]
                deaths: [
                    a_killed_publisher_s_stream_ends_after_all_that_it_sent,
                    a_claim_of_a_killed_publisher_is_got_past,
                    a_killed_subscriber_is_no_longer_waited_for,
                    a_subscriber_that_was_stopped_for_too_long_is_told,
                ]
                errors: [
                    what_is_wrong_with_a_channel_is_told_by_code,
                    a_session_id_that_is_taken_is_refused,
                ]
                messages: [
                    messages_of_every_length_arrive_whole,
                    a_long_message_travels_in_frames,
                    a_message_too_long_is_refused,
                    many_terms_keep_their_order,
                    parts_are_gathered_into_one_message,
                    claims_are_published_only_when_committed,
                    concurrent_publications_share_one_log,
                    exclusive_publications_have_logs_of_their_own,
                    a_full_window_holds_the_publisher_back,
                    without_subscriber_nothing_is_taken,
                ]
                reading: [
                    a_controlled_poll_does_as_its_handler_says,
                    a_bounded_poll_stops_at_its_position,
                    a_block_poll_hands_over_whole_frames,
                    a_poll_takes_no_more_than_its_limit,
                ]
                streams: [
                    images_come_and_go_with_their_publications,
                    a_late_subscriber_joins_where_the_stream_is,
                    two_subscribers_each_get_everything,
                    a_revoked_stream_ends_at_once,
                    a_rejected_image_is_told_to_its_publisher,
                    a_stream_drains_before_it_ends,
                ]
                timeouts: [
                    a_killed_driver_is_noticed_by_both_ends,
                    a_stopped_driver_is_noticed_by_both_ends,
                    a_claim_left_behind_is_unblocked,
                ]
            }
        }
    };
}

macro_rules! scenarios {
    ($($group:ident: [$($scenario:ident,)*])*) => {
        $($(
            #[test]
            fn $scenario() {
                $group::$scenario(&SETUP);
            }
        )*)*
    };
}

pairing!(aeron_driver_aeron_to_aeron: DriverKind::Aeron, CStack => CStack);
pairing!(aeron_driver_gannet_to_gannet: DriverKind::Aeron, GannetStack => GannetStack);
pairing!(aeron_driver_gannet_to_aeron: DriverKind::Aeron, GannetStack => CStack);
pairing!(aeron_driver_aeron_to_gannet: DriverKind::Aeron, CStack => GannetStack);
pairing!(gannet_driver_aeron_to_aeron: DriverKind::Gannet, CStack => CStack);
pairing!(gannet_driver_gannet_to_gannet: DriverKind::Gannet, GannetStack => GannetStack);
pairing!(gannet_driver_gannet_to_aeron: DriverKind::Gannet, GannetStack => CStack);
pairing!(gannet_driver_aeron_to_gannet: DriverKind::Gannet, CStack => GannetStack);
