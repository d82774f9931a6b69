//! Tests of every parameter in the reference's table, of the choice between the two error codes, and of building URIs.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::params::TABLE;
use super::*;
use crate::command::ErrorCode;
use crate::types::{Mtu, SessionId, StreamId, TermId, TermLength};

fn ipc(params: &str) -> ChannelParams {
    let text = format!("aeron:ipc?{params}");
    ChannelUri::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}")).params().clone()
}

#[track_caller]
fn assert_refused(text: &str, code: ErrorCode, message: &str) {
    let error = ChannelUri::parse(text).expect_err(text);
    assert_eq!(error.error_code(), code, "{text}: {error}");
    assert!(error.to_string().contains(message), "{text}: {error}");
}

#[test]
fn media_and_prefixes() {
    for (text, media, spy) in [
        ("aeron:ipc", Media::Ipc, false),
        ("aeron:ipc?", Media::Ipc, false),
        ("aeron:udp?endpoint=localhost:1", Media::Udp, false),
        ("aeron-spy:aeron:udp?endpoint=localhost:1", Media::Udp, true),
    ] {
        let uri = ChannelUri::parse(text).unwrap();
        assert_eq!((uri.media(), uri.is_spy()), (media, spy), "{text}");
        assert_eq!((uri.text(), uri.to_string()), (text, text.to_owned()));
    }
}

#[test]
fn every_parameter_is_typed() {
    let uri = ChannelUri::parse(
        "aeron:udp?endpoint=224.20.30.39:40456|control=[::1]:7|control-mode=dynamic|tags=3,4|interface={eth0}:9|ttl=300|\
         alias=a b=c?|mtu=8k|term-length=16m|init-term-id=7|term-id=9|term-offset=128|session-id=-5|stream-id=0x10|\
         linger=10s|eos=false|sparse=true|reliable=false|tether=true|rejoin=false|ssc=true|group=infer|\
         fc=tagged,g:101/2,t:5s|gtag=-9|cc=cubic|ats=false|so-sndbuf=2m|so-rcvbuf=1m|so-tos=184|rcv-wnd=256k|\
         pub-wnd=8m|media-rcv-ts-offset=reserved|channel-rcv-ts-offset=0|channel-snd-ts-offset=8|\
         response-correlation-id=17|response-endpoint=host:1|nak-delay=20us|untethered-window-limit-timeout=1s|\
         untethered-linger-timeout=2s|untethered-resting-timeout=3s|max-resend=256|unheard-of=yes",
    )
    .unwrap();
    let params = uri.params().clone();
    let expected = ChannelParams {
        endpoint: HostAndPort::parse("224.20.30.39:40456"),
        control: HostAndPort::parse("[::1]:7"),
        control_mode: Some(ControlMode::Dynamic),
        tags: Some(Tags { channel: Some(3), entity: Some(4) }),
        interface: Interface::parse("{eth0}:9"),
        ttl: Some(255),
        alias: Some("a b=c?".into()),
        mtu: Some(Mtu::new(8192).unwrap()),
        term_length: Some(TermLength::new(16 << 20).unwrap()),
        init_term_id: Some(TermId::new(7)),
        term_id: Some(TermId::new(9)),
        term_offset: Some(128),
        session_id: Some(SessionSelector::Id(SessionId::new(-5))),
        stream_id: Some(StreamId::new(16)),
        linger_ns: Some(10_000_000_000),
        eos: Some(false),
        sparse: Some(true),
        reliable: Some(false),
        tether: Some(true),
        rejoin: Some(false),
        ssc: Some(true),
        group: Some(Group::Infer),
        fc: FlowControl::parse("tagged,g:101/2,t:5s"),
        gtag: Some(-9),
        cc: Some(CongestionControl::Cubic),
        ats: Some(false),
        so_sndbuf: Some(2 << 20),
        so_rcvbuf: Some(1 << 20),
        so_tos: Some(184),
        rcv_wnd: Some(256 << 10),
        pub_wnd: Some(8 << 20),
        media_rcv_ts_offset: Some(TimestampOffset::Reserved),
        channel_rcv_ts_offset: Some(TimestampOffset::Payload(0)),
        channel_snd_ts_offset: Some(TimestampOffset::Payload(8)),
        response_correlation_id: Some(ResponseCorrelation::Id(17)),
        response_endpoint: Some("host:1".into()),
        nak_delay_ns: Some(20_000),
        untethered_window_limit_timeout_ns: Some(1_000_000_000),
        untethered_linger_timeout_ns: Some(2_000_000_000),
        untethered_resting_timeout_ns: Some(3_000_000_000),
        max_resend: Some(256),
    };
    assert_eq!(params, expected);
    let start = params.initial_position().unwrap();
    assert_eq!((start.initial_term_id.get(), start.term_id.get(), start.term_offset), (7, 9, 128));
    assert_eq!(uri.pairs().count(), TABLE.len() + 1);
    assert_eq!(uri.pairs().last(), Some(("unheard-of", "yes")));
}

#[test]
fn nothing_stated_is_nothing_set() {
    assert_eq!(*ChannelUri::parse("aeron:ipc").unwrap().params(), ChannelParams::default());
}

#[test]
fn special_values() {
    assert_eq!(ipc("session-id=tag:42").session_id, Some(SessionSelector::Tag(42)));
    assert_eq!(ipc("response-correlation-id=prototype").response_correlation_id, Some(ResponseCorrelation::Prototype));
    assert_eq!(ipc("response-correlation-id=-1").response_correlation_id, Some(ResponseCorrelation::Id(-1)));
    assert_eq!(ipc("tags=5").tags, Some(Tags { channel: Some(5), entity: None }));
    assert_eq!(ipc("tags=5,").tags, Some(Tags { channel: Some(5), entity: None }));
    assert_eq!(ipc("tags=,6").tags, Some(Tags { channel: None, entity: Some(6) }));
    assert_eq!(ipc("tags=5,-1").tags, Some(Tags { channel: Some(5), entity: None }), "-1 is no tag");
    assert_eq!(ipc("control-mode=none").control_mode, Some(ControlMode::Other("none".into())));
    assert_eq!(ipc("group=true").group, Some(Group::ForceTrue));
    assert_eq!(ipc("group=false").group, Some(Group::ForceFalse));
    assert_eq!(ipc("cc=static").cc, Some(CongestionControl::Static));
    assert_eq!(ipc("linger=0").linger_ns, Some(0));
    // Wrapping: the first term may be the last id, and the next one the first.
    assert_eq!(
        ipc("init-term-id=2147483647|term-id=-2147483648|term-offset=65536|term-length=64k").initial_position(),
        Some(InitialPosition {
            initial_term_id: TermId::new(i32::MAX),
            term_id: TermId::new(i32::MIN),
            term_offset: 65_536
        })
    );
}

#[test]
fn keys_are_compared_in_full() {
    let params = ipc("mtuX=1|term-length-hint=2|MTU=3|lingering=4");
    assert_eq!(params, ChannelParams::default());
}

#[test]
fn of_duplicates_the_reference_chooses_one() {
    assert_eq!(ipc("mtu=1408|mtu=64").mtu, Some(Mtu::DEFAULT), "the first");
    assert_eq!(ipc("mtu=1408|mtu=garbage").mtu, Some(Mtu::DEFAULT), "and the others are not looked at");
    let uri =
        ChannelUri::parse("aeron:udp?endpoint=a:1|tags=1|ttl=1|endpoint=b:2|tags=2|ttl=2|alias=x|alias=y").unwrap();
    let params = uri.params();
    assert_eq!(params.endpoint.as_ref().unwrap().text(), "b:2", "the last");
    assert_eq!((params.tags.unwrap().channel, params.ttl), (Some(2), Some(2)));
    let pairs: Vec<_> = uri.pairs().collect();
    assert_eq!(pairs, [("endpoint", "b:2"), ("tags", "2"), ("ttl", "2"), ("alias", "x")]);
}

#[test]
fn an_unfinished_key_at_the_end_is_ignored() {
    for text in ["aeron:ipc?", "aeron:ipc?alias=x|", "aeron:ipc?alias=x|spars", "aeron:ipc?sparse"] {
        let uri = ChannelUri::parse(text).unwrap();
        assert_eq!(uri.params().sparse, None, "{text}");
    }
}

#[test]
fn texts_that_are_no_usable_channel_are_invalid_channels() {
    let code = ErrorCode::InvalidChannel;
    for text in [
        "",
        "aeron",
        "aeron:",
        "aeron:tcp?endpoint=a:1",
        "aeron:udpx",
        "aeron:ipcx",
        "aeron:ipc:",
        "AERON:ipc",
        " aeron:ipc",
        "http://aeron:ipc",
        "aeron-spy:",
        "aeron-spy:aeron-spy:aeron:udp?endpoint=a:1",
        "spy:aeron:ipc",
    ] {
        assert_refused(text, code, "must start with");
    }
    assert_refused("aeron-spy:aeron:ipc", code, "aeron-spy");
    assert_refused("aeron:ipc?=5", code, "without a key");
    assert_refused("aeron:ipc?alias=a|=5", code, "without a key");
    assert_refused("aeron:ipc?mtu=", code, "\"mtu\" has no value");
    assert_refused("aeron:ipc?mtu=|alias=a", code, "\"mtu\" has no value");
    assert_refused("aeron:ipc?alias|mtu=64", code, "\"alias\" where a key and a value");
    assert_refused("aeron:ipc?alias=a||mtu=64", code, "\"\" where a key and a value");
    assert_refused("aeron:ipc?alias=a\0b", code, "NUL at byte 17");
    assert_refused("aeron:udp", code, "endpoint, control or tags");
    assert_refused("aeron:udp?", code, "endpoint, control or tags");
    assert_refused("aeron:udp?mtu=garbage", code, "endpoint, control or tags");
    assert_refused("aeron:udp?tags=,5", code, "endpoint, control or tags");
    assert_refused("aeron:udp?control-mode=auto", code, "endpoint, control or tags");
    assert_refused("aeron:udp?control-mode=dynamic|endpoint=a:1", code, "must state control");
    assert_refused("aeron:udp?tags=five", code, "tags=five: the channel tag");
    assert_refused("aeron:udp?tags=-1", code, "channel tag");
    assert_refused("aeron:ipc?tags=1x,2", code, "channel tag");

    let error = ChannelUri::parse_bytes(b"aeron:ipc?alias=\xFF").unwrap_err();
    assert_eq!((error.error_code(), error), (code, ChannelUriError::NotUtf8 { valid_up_to: 16 }));
}

#[test]
fn well_formed_channels_with_bad_values_are_generic_errors() {
    let code = ErrorCode::Generic;
    for (param, expected) in [
        ("mtu=32", "mtu=32: expected a multiple of 32 from 64 to 65504"),
        ("mtu=65505", "mtu=65505"),
        ("mtu=1400", "mtu=1400"),
        ("mtu=-64", "mtu=-64"),
        ("term-length=65535", "term-length=65535: expected a power of two"),
        ("term-length=2g", "term-length=2g"),
        ("term-length=96k", "term-length=96k"),
        ("session-id=abc", "session-id=abc: expected a whole number of 32 bits"),
        ("session-id=2147483648", "session-id"),
        ("session-id=tag:", "session-id=tag:"),
        ("session-id=tag:x", "session-id=tag:x"),
        ("stream-id=1.5", "stream-id=1.5"),
        ("linger=soon", "linger=soon: expected a duration"),
        ("linger=-1", "linger=-1"),
        ("sparse=maybe", "sparse=maybe: expected true or false"),
        ("eos=TRUE", "eos=TRUE"),
        ("group=maybe", "group=maybe"),
        ("fc=fastest", "fc=fastest"),
        ("gtag=x", "gtag=x"),
        ("cc=vegas", "cc=vegas: expected static or cubic"),
        ("ats=true", "transport security is not available"),
        ("so-sndbuf=-1", "so-sndbuf=-1"),
        ("so-sndbuf=2g", "so-sndbuf=2g: expected a size from 0 to 2147483647"),
        ("so-rcvbuf=4g", "so-rcvbuf=4g: expected"),
        ("so-tos=256", "so-tos=256"),
        ("so-tos=-1", "so-tos=-1"),
        ("rcv-wnd=big", "rcv-wnd=big: expected a size"),
        ("ttl=-1", "ttl=-1"),
        ("max-resend=0", "max-resend=0"),
        ("max-resend=257", "max-resend=257: expected a whole number from 1 to 256"),
        ("response-correlation-id=-2", "response-correlation-id=-2"),
        ("response-correlation-id=proto", "prototype"),
        ("media-rcv-ts-offset=-8", "media-rcv-ts-offset=-8"),
        ("nak-delay=1h", "nak-delay=1h"),
        ("untethered-resting-timeout=x", "untethered-resting-timeout=x"),
        ("endpoint=localhost", "endpoint=localhost: expected host:port"),
        ("control=localhost:", "control=localhost:"),
        ("interface=10.0.0.1/40", "interface=10.0.0.1/40"),
        ("tags=1,x", "tags=1,x: expected channel[,entity]"),
        ("init-term-id=1", "term-id is missing"),
        ("term-id=1|term-offset=0", "init-term-id is missing"),
        ("init-term-id=1|term-id=2", "term-offset is missing"),
        ("init-term-id=5|term-id=4|term-offset=0", "term-id=4 is before init-term-id=5"),
        ("init-term-id=1|term-id=1|term-offset=16", "term-offset=16: expected a multiple of 32"),
        ("init-term-id=1|term-id=1|term-offset=-32", "term-offset=-32"),
        (
            "init-term-id=1|term-id=1|term-offset=65568|term-length=64k",
            "term-offset=65568 is more than the term length",
        ),
        ("pub-wnd=32k|term-length=64k|mtu=64k", "mtu=64k"),
        ("pub-wnd=32769|term-length=64k", "pub-wnd=32769 is more than half the term length, 65536"),
        ("pub-wnd=1k|mtu=1408", "pub-wnd=1024 is less than the MTU, 1408"),
        ("channel-rcv-ts-offset=4|media-rcv-ts-offset=8", "channel-rcv-ts-offset=4 overlaps media-rcv-ts-offset"),
        ("channel-rcv-ts-offset=reserved|channel-snd-ts-offset=reserved", "overlaps channel-rcv-ts-offset"),
    ] {
        assert_refused(&format!("aeron:ipc?{param}"), code, expected);
    }
}

#[test]
fn sizes_are_checked_against_the_drivers_defaults_too() {
    let params = ipc("pub-wnd=4k");
    assert_eq!(params.check_sizes(Mtu::DEFAULT, TermLength::MIN), Ok(()));
    assert!(params.check_sizes(Mtu::MAX, TermLength::MAX).is_err(), "less than the MTU");
    assert!(ipc("pub-wnd=64k").check_sizes(Mtu::DEFAULT, TermLength::MIN).is_err(), "more than half a term");
    let params = ipc("init-term-id=0|term-id=0|term-offset=131072");
    assert!(params.check_sizes(Mtu::DEFAULT, TermLength::MIN).is_err(), "beyond the term");
    assert_eq!(params.check_sizes(Mtu::DEFAULT, TermLength::MAX), Ok(()));
}

#[test]
fn a_uri_has_4095_bytes_at_most() {
    let start = "aeron:ipc?alias=";
    let longest = format!("{start}{}", "x".repeat(MAX_LENGTH - start.len()));
    assert_eq!(ChannelUri::parse(&longest).unwrap().text().len(), 4095);
    assert_refused(&format!("{longest}x"), ErrorCode::InvalidChannel, "4096 bytes, and may have 4095");
    // As long as a command can carry.
    assert_refused(&"x".repeat(1 << 20), ErrorCode::InvalidChannel, "1048576 bytes");

    let start = "aeron:udp?endpoint=a:1|alias=";
    let longest = format!("aeron-spy:{start}{}", "x".repeat(MAX_LENGTH - start.len()));
    assert!(ChannelUri::parse(&longest).is_ok(), "the prefix does not count");
    assert!(ChannelUri::parse(&format!("{longest}x")).is_err());
}

#[test]
fn the_builder_writes_canonical_text() {
    let uri = ChannelUriBuilder::udp()
        .param("mine", 1)
        .session_id(SessionSelector::Tag(8))
        .tags(Tags { channel: Some(1), entity: Some(2) })
        .mtu(Mtu::DEFAULT)
        .endpoint("[::1]:0")
        .spy(true)
        .build()
        .unwrap();
    assert_eq!(uri.text(), "aeron-spy:aeron:udp?endpoint=[::1]:0|tags=1,2|mtu=1408|session-id=tag:8|mine=1");

    let changed = ChannelUriBuilder::from(&uri).spy(false).without("mine").mtu(Mtu::MIN).build().unwrap();
    assert_eq!(changed.text(), "aeron:udp?endpoint=[::1]:0|tags=1,2|mtu=64|session-id=tag:8");
    assert_eq!(ChannelUriBuilder::ipc().build().unwrap().text(), "aeron:ipc");
}

#[test]
fn the_builder_refuses_what_would_not_come_back() {
    let alias = |alias| ChannelUriBuilder::ipc().alias(alias).build();
    assert!(matches!(alias("a|mtu=64"), Err(ChannelUriError::Separator { .. })));
    assert!(matches!(alias(""), Err(ChannelUriError::EmptyValue { .. })));
    assert!(matches!(alias("\0"), Err(ChannelUriError::Nul { .. })));
    assert!(matches!(ChannelUriBuilder::ipc().param("a=b", 1).build(), Err(ChannelUriError::Separator { .. })));
    assert!(matches!(ChannelUriBuilder::ipc().param("", 1).build(), Err(ChannelUriError::EmptyKey { .. })));
    assert!(matches!(ChannelUriBuilder::udp().build(), Err(ChannelUriError::NoAddress { unknown: None })));
    assert!(matches!(ChannelUriBuilder::ipc().linger_ns(-1).build(), Err(ChannelUriError::Value { .. })));
}

/// Applies a setter if there is a value.
fn set<T>(
    builder: ChannelUriBuilder,
    value: &Option<T>,
    setter: impl FnOnce(ChannelUriBuilder, T) -> ChannelUriBuilder,
) -> ChannelUriBuilder
where
    T: Clone,
{
    match value {
        Some(value) => setter(builder, value.clone()),
        None => builder,
    }
}

fn builder_of(params: &ChannelParams) -> ChannelUriBuilder {
    let mut builder = ChannelUriBuilder::udp();
    macro_rules! set_all {
        ($($field:ident),+) => { $(builder = set(builder, &params.$field, |builder, value| builder.$field(value));)+ };
    }
    set_all!(
        endpoint,
        control,
        control_mode,
        tags,
        interface,
        ttl,
        mtu,
        term_length,
        session_id,
        stream_id,
        linger_ns,
        eos,
        sparse,
        reliable,
        tether,
        rejoin,
        ssc,
        group,
        fc,
        gtag,
        cc,
        ats,
        so_sndbuf,
        so_rcvbuf,
        so_tos,
        rcv_wnd,
        pub_wnd,
        media_rcv_ts_offset,
        channel_rcv_ts_offset,
        channel_snd_ts_offset,
        response_correlation_id,
        response_endpoint,
        nak_delay_ns,
        untethered_window_limit_timeout_ns,
        untethered_linger_timeout_ns,
        untethered_resting_timeout_ns,
        max_resend
    );
    builder = set(builder, &params.alias, |builder, alias| builder.alias(&alias));
    set(builder, &params.initial_position(), ChannelUriBuilder::initial_position)
}

prop_compose! {
    fn addressing()(
        port in any::<u16>(),
        control in option::of(prop_oneof![Just("localhost:7"), Just("10.0.0.1:65535"), Just("[fe80::1%eth0]:0")]),
        mode in option::of(prop_oneof![
            Just(ControlMode::Manual), Just(ControlMode::Response), Just(ControlMode::Other("none".into())),
        ]),
        tags in option::of((option::of(0..i64::MAX), option::of(0..i64::MAX))),
        interface in option::of(prop_oneof![Just("{eth0}:5"), Just("[::]/64"), Just("10.0.0.0:1/24")]),
        ttl in option::of(any::<u8>()),
        alias in option::of("[^|\0]{1,20}"),
    ) -> ChannelParams {
        ChannelParams {
            endpoint: HostAndPort::parse(&format!("224.0.1.1:{port}")),
            control: control.and_then(HostAndPort::parse),
            control_mode: mode,
            tags: tags.map(|(channel, entity)| Tags { channel, entity }),
            interface: interface.and_then(Interface::parse),
            ttl,
            alias,
            ..ChannelParams::default()
        }
    }
}

prop_compose! {
    fn publishing()(
        shift in 16..=30_u32,
        mtu in 2..=2047_i64,
        position in option::of((any::<i32>(), 0..i32::MAX, 0..=2048)),
        window in option::of(65_504..=1_u64 << 29),
        session in option::of(prop_oneof![
            any::<i32>().prop_map(|id| SessionSelector::Id(SessionId::new(id))), any::<i64>().prop_map(SessionSelector::Tag),
        ]),
        stream in option::of(any::<i32>()),
        linger_ns in option::of(0..i64::MAX),
        flags in any::<[Option<bool>; 7]>(),
        group in option::of(prop_oneof![Just(Group::Infer), Just(Group::ForceTrue), Just(Group::ForceFalse)]),
        max_resend in option::of(1..=256_u16),
        response in option::of(prop_oneof![
            (-1..i64::MAX).prop_map(ResponseCorrelation::Id), Just(ResponseCorrelation::Prototype),
        ]),
    ) -> ChannelParams {
        let (initial, terms, units) = position.unwrap_or_default();
        let initial = TermId::new(initial);
        ChannelParams {
            mtu: Mtu::new(mtu * 32).ok(),
            // A window is stated with the largest term only, so that it fits.
            term_length: TermLength::new(if window.is_some() { 1 << 30 } else { 1_i64 << shift }).ok(),
            init_term_id: position.map(|_| initial),
            term_id: position.map(|_| initial.wrapping_add(terms)),
            term_offset: position.map(|_| units * 32),
            pub_wnd: window,
            session_id: session,
            stream_id: stream.map(StreamId::new),
            linger_ns,
            eos: flags[0],
            sparse: flags[1],
            reliable: flags[2],
            tether: flags[3],
            rejoin: flags[4],
            ssc: flags[5],
            ats: flags[6].map(|_| false),
            group,
            max_resend,
            response_correlation_id: response,
            ..ChannelParams::default()
        }
    }
}

prop_compose! {
    fn tuning()(
        strategy in prop_oneof![Just(FlowControlStrategy::Min), Just(FlowControlStrategy::Tagged)],
        flow in option::of((option::of(0..i64::MAX), option::of(any::<i64>()), option::of(0..i32::MAX), option::of(1..9_i64))),
        gtag in option::of(any::<i64>()),
        cc in option::of(prop_oneof![Just(CongestionControl::Static), Just(CongestionControl::Cubic)]),
        sizes in any::<[Option<u32>; 3]>(),
        tos in option::of(any::<u8>()),
        media in option::of(8..1000_i32),
        sender_is_reserved in any::<bool>(),
        durations in any::<[Option<u32>; 4]>(),
    ) -> ChannelParams {
        let nanos = |index: usize| durations[index].map(|micros| i64::from(micros) * 1000);
        ChannelParams {
            fc: flow.map(|(timeout, tag, size, multiple)| FlowControl {
                strategy,
                receiver_timeout_ns: timeout,
                group_tag: tag,
                group_min_size: size,
                retransmit_window_multiple: multiple,
            }),
            gtag,
            cc,
            so_sndbuf: sizes[0].map(|bytes| u64::from(bytes / 2)),
            so_rcvbuf: sizes[1].map(|bytes| u64::from(bytes / 2)),
            rcv_wnd: sizes[2].map(u64::from),
            so_tos: tos,
            media_rcv_ts_offset: media.map(TimestampOffset::Payload),
            channel_rcv_ts_offset: Some(TimestampOffset::Payload(0)),
            channel_snd_ts_offset: sender_is_reserved.then_some(TimestampOffset::Reserved),
            nak_delay_ns: nanos(0),
            untethered_window_limit_timeout_ns: nanos(1),
            untethered_linger_timeout_ns: nanos(2),
            untethered_resting_timeout_ns: nanos(3),
            response_endpoint: gtag.map(|tag| format!("host:{tag}")),
            ..ChannelParams::default()
        }
    }
}

#[test]
fn what_has_no_effect_is_told_with_what_was_probably_meant() {
    for (channel, expected) in [
        ("aeron:ipc", &[][..]),
        ("aeron:ipc?", &[]),
        ("aeron:udp?endpoint=localhost:1|alias=term-lenght=64k", &[]),
        ("aeron:ipc?term-lenght=64k", &["the key term-lenght is not known; did you mean term-length?"]),
        (
            "aeron:udp?control=a:1|control-mode=dynamc",
            &["control-mode=dynamc is not known; expected manual, dynamic or response"],
        ),
        ("aeron:udp?control=a:1|control-mode=dynamic", &[]),
        ("aeron-spy:aeron:udp?endpont=a:1|endpoint=a:1", &["the key endpont is not known; did you mean endpoint?"]),
        (
            "aeron:ipc?MTU=8k|venue=x|reliable",
            &[
                "the key MTU is not known; did you mean mtu?",
                "the key venue is not known",
                "reliable at its end has no value",
            ],
        ),
    ] {
        let uri = ChannelUri::parse(channel).unwrap();
        let told: Vec<_> = uri.ignored().map(|ignored| ignored.to_string()).collect();
        assert_eq!(told, expected, "{channel}");
    }
}

#[test]
fn an_address_that_is_missing_is_looked_for_among_misspelt_keys() {
    for (channel, expected) in [
        (
            "aeron:udp?endpont=localhost:1",
            "control-mode=response; the key endpont is not known; did you mean endpoint?",
        ),
        ("aeron:udp?mtu=8k|venue=x", "control-mode=response; the key venue is not known"),
        ("aeron:udp?mtu=8k", "control-mode=manual or control-mode=response"),
        (
            "aeron:udp?control-mode=manul",
            "control-mode=response; control-mode=manul is not known; expected manual, dynamic or response",
        ),
        (
            "aeron:udp?contrl=localhost:1|control-mode=dynamic",
            "that receivers register with; the key contrl is not known; did you mean control?",
        ),
        ("aeron:udp?endpoint=localhost:1|control-mode=dynamic", "the address that receivers register with"),
    ] {
        let error = ChannelUri::parse(channel).unwrap_err();
        assert!(error.to_string().ends_with(expected), "{channel}: {error}");
        assert_eq!(error.error_code(), ErrorCode::InvalidChannel, "{channel}");
    }
}

#[test]
fn no_key_with_a_meaning_is_called_unknown() {
    for (key, _) in TABLE {
        let text = format!("aeron:ipc?{key}=0");
        let is_unknown = |ignored| matches!(ignored, Ignored::UnknownKey { .. });
        assert!(!super::ignored::ignored(&text).any(is_unknown), "{key}");
    }
}

proptest! {
    #[test]
    fn what_is_built_comes_back(params in prop_oneof![addressing(), publishing(), tuning()]) {
        let with_address = ChannelParams {
            endpoint: params.endpoint.clone().or_else(|| HostAndPort::parse("localhost:1")),
            ..params
        };
        let uri = builder_of(&with_address).build().unwrap();
        prop_assert_eq!(uri.params(), &with_address);
        let again = ChannelUriBuilder::from(&uri).build().unwrap();
        prop_assert_eq!(again, uri);
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), bytes in vec(any::<u8>(), 0..64)) {
        let _ = ChannelUri::parse(&text);
        let _ = ChannelUri::parse_bytes(&bytes);
    }

    #[test]
    fn arbitrary_values_never_panic(
        prefix in prop_oneof![Just("aeron:ipc?"), Just("aeron:udp?endpoint=a:1|"), Just("aeron-spy:aeron:udp?tags=1|")],
        pairs in vec((0..TABLE.len() + 1, prop_oneof![any::<String>(), "[-+0-9a-z:,./%{}\\[\\]]{0,12}"]), 0..6),
    ) {
        let key = |index: usize| TABLE.get(index).map_or("other", |(key, _)| key);
        let params: Vec<_> = pairs.iter().map(|(index, value)| format!("{}={value}", key(*index))).collect();
        let text = format!("{prefix}{}", params.join("|"));
        if let Ok(uri) = ChannelUri::parse(&text) {
            prop_assert_eq!(uri.text(), text.as_str());
            prop_assert!(uri.ignored().count() <= pairs.len());
            let canonical = ChannelUriBuilder::from(&uri).build().unwrap();
            prop_assert_eq!(canonical.params(), uri.params());
        }
    }
}
