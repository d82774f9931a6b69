//! The parameters of a UDP channel, completed by the driver's defaults. Parameters that this driver does not support
//! yet are refused by name. It only considers the channel and the defaults.

use gannet::channel_uri::{
    ChannelParams, CongestionControl, ControlMode, FlowControl, FlowControlStrategy, Group, SessionSelector,
};

use crate::channel::UdpChannel;
use crate::conductor::config::NetworkDefaults;
use crate::conductor::error::CommandError;
use crate::conductor::subscription_link::NetworkSubscription;
use crate::mailbox::{CongestionRules, DestinationRules, FlowControlRules, GroupRules, LossRules, RetransmitRules};

impl NetworkSubscription {
    pub(in crate::conductor) fn read(params: &ChannelParams, defaults: &NetworkDefaults) -> Result<Self, CommandError> {
        let needs_no_endpoint = matches!(params.control_mode, Some(ControlMode::Manual | ControlMode::Response))
            || params.control.is_some();
        if params.endpoint.is_none() && !needs_no_endpoint && channel_tag(params).is_none() {
            return Err(CommandError::MissingEndpoint);
        }
        if params.control.as_ref().is_some_and(|control| control.port() == 0) {
            return Err(CommandError::WildcardPort { key: "control" });
        }
        if let Some(SessionSelector::Tag(tag)) = params.session_id {
            return Err(CommandError::UnknownSessionTag { tag });
        }
        Ok(Self {
            reliable: params.reliable.unwrap_or(defaults.reliable),
            group: params.group.unwrap_or(defaults.group),
            window: params.rcv_wnd.map_or(defaults.initial_window, |window| i32::try_from(window).unwrap_or(i32::MAX)),
            congestion_control: params.cc.unwrap_or(defaults.congestion_control),
            nak_delay_ns: params.nak_delay_ns.unwrap_or(defaults.nak_delay_ns),
            group_tag: params.gtag.or(defaults.receiver_group_tag),
        })
    }

    /// The congestion control of an image.
    pub(in crate::conductor) fn congestion_rules(&self, defaults: &NetworkDefaults) -> CongestionRules {
        match self.congestion_control {
            CongestionControl::Static => CongestionRules::Static(self.window),
            CongestionControl::Cubic => CongestionRules::Cubic(defaults.cubic, self.window),
        }
    }

    /// Whether an image has group semantics. `is_group` tells whether its channel is multicast or its sender has several
    /// receivers.
    pub(in crate::conductor) const fn is_group(&self, is_group: bool) -> bool {
        match self.group {
            Group::Infer => is_group,
            Group::ForceTrue => true,
            Group::ForceFalse => false,
        }
    }

    /// The loss handling of an image. `is_group` as in [`is_group`](Self::is_group).
    pub(in crate::conductor) fn loss_rules(&self, is_group: bool, defaults: &NetworkDefaults) -> LossRules {
        if !self.reliable {
            LossRules::Fill
        } else if self.is_group(is_group) {
            LossRules::Group { size: defaults.nak_group_size, max_backoff_ns: defaults.nak_max_backoff_ns }
        } else {
            LossRules::Unicast { delay_ns: self.nak_delay_ns, retry_ratio: defaults.nak_retry_ratio }
        }
    }
}

/// The properties that publications of UDP channels have in addition to those of IPC publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::conductor) struct PublicationRules {
    /// The flow control.
    pub(in crate::conductor) flow_control: FlowControlRules,
    /// The handling of NAKs.
    pub(in crate::conductor) retransmit: RetransmitRules,
    /// The maximum length of a retransmit per NAK, in receiver windows.
    pub(in crate::conductor) retransmit_windows: i64,
    /// Whether it has group semantics.
    pub(in crate::conductor) group: bool,
}

/// Checks the channel of a UDP publication.
pub(in crate::conductor) fn check_publication(params: &ChannelParams) -> Result<(), CommandError> {
    match (&params.control_mode, &params.endpoint) {
        (Some(ControlMode::Dynamic | ControlMode::Manual | ControlMode::Response), _) => Ok(()),
        // A control address alone is not a destination, which the check of all addresses reports.
        (_, None) if channel_tag(params).is_some() || params.control.is_some() => Ok(()),
        (_, None) => Err(CommandError::MissingEndpoint),
        (_, Some(endpoint)) if endpoint.port() == 0 => Err(CommandError::WildcardPort { key: "endpoint" }),
        _ => Ok(()),
    }
}

/// Checks that an endpoint exists for a channel that has only a tag.
pub(in crate::conductor) fn check_original(channel: &UdpChannel, is_there: bool) -> Result<(), CommandError> {
    let params = channel.params();
    let says_where = params.endpoint.is_some() || params.control.is_some();
    let needs_no_address = matches!(params.control_mode, Some(ControlMode::Manual | ControlMode::Response));
    if is_there || says_where || needs_no_address {
        return Ok(());
    }
    Err(CommandError::UnknownTag)
}

/// The destinations of a publication's endpoint. Responses are sent to the address that each publication learns.
pub(in crate::conductor) fn destinations(channel: &UdpChannel) -> DestinationRules {
    match channel.params().control_mode {
        Some(ControlMode::Manual | ControlMode::Response) => DestinationRules::Manual,
        Some(ControlMode::Dynamic) => DestinationRules::Dynamic,
        _ => DestinationRules::Fixed(channel.remote_data()),
    }
}

fn channel_tag(params: &ChannelParams) -> Option<i64> {
    params.tags.and_then(|tags| tags.channel)
}

/// The properties of a publication, from its channel and the driver's defaults. `channel` is the endpoint's, which may
/// have more parameters.
pub(in crate::conductor) fn publication_rules(
    params: &ChannelParams,
    channel: &UdpChannel,
    defaults: &NetworkDefaults,
) -> PublicationRules {
    rules(params, channel.has_group_semantics(), defaults)
}

fn rules(params: &ChannelParams, group: bool, defaults: &NetworkDefaults) -> PublicationRules {
    let stated = params.fc.unwrap_or(FlowControl::new(defaults.multicast_flow_control));
    let rules = GroupRules {
        receiver_timeout_ns: stated.receiver_timeout_ns.unwrap_or(defaults.receiver_timeout_ns),
        min_size: stated.group_min_size.unwrap_or(defaults.group_min_size),
    };
    let flow_control = match stated.strategy {
        _ if !group => FlowControlRules::Unicast,
        FlowControlStrategy::Max => FlowControlRules::Max,
        FlowControlStrategy::Min => FlowControlRules::Min(rules),
        FlowControlStrategy::Tagged => {
            FlowControlRules::Tagged(rules, stated.group_tag.unwrap_or(defaults.flow_control_group_tag))
        }
    };
    let usual = if group { defaults.group_retransmit_windows } else { defaults.unicast_retransmit_windows };
    PublicationRules {
        flow_control,
        retransmit: RetransmitRules {
            delay_ns: defaults.retransmit_delay_ns,
            linger_ns: defaults.retransmit_linger_ns,
            group_slots: group.then_some(params.max_resend.unwrap_or(defaults.max_resend)),
        },
        retransmit_windows: params.fc.and_then(|fc| fc.retransmit_window_multiple).unwrap_or(usual),
        group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::channel_uri::ChannelUri;

    fn params(rest: &str) -> ChannelParams {
        ChannelUri::parse(&format!("aeron:udp?{rest}")).unwrap().params().clone()
    }

    #[test]
    fn unicast_publications_take_no_strategy() {
        let rules = rules(&params("endpoint=a:1|fc=min,rrwm:3"), false, &NetworkDefaults::default());
        assert_eq!((rules.flow_control, rules.retransmit_windows), (FlowControlRules::Unicast, 3));
        assert_eq!((rules.group, rules.retransmit.group_slots), (false, None));
    }

    #[test]
    fn groups_take_the_stated_strategy() {
        let read = |rest: &str| super::rules(&params(rest), true, &NetworkDefaults::default());
        let rules = read("endpoint=224.0.1.1:1|fc=tagged,g:7/2,t:1s|max-resend=4");
        let group = GroupRules { receiver_timeout_ns: 1_000_000_000, min_size: 2 };
        assert_eq!(rules.flow_control, FlowControlRules::Tagged(group, 7));
        assert_eq!((rules.group, rules.retransmit.group_slots, rules.retransmit_windows), (true, Some(4), 4));
        assert_eq!(read("endpoint=224.0.1.1:1").flow_control, FlowControlRules::Max);
        let dynamic =
            super::rules(&params("control=a:1|control-mode=dynamic|fc=min"), true, &NetworkDefaults::default());
        let group = GroupRules { receiver_timeout_ns: 5_000_000_000, min_size: 0 };
        assert_eq!(dynamic.flow_control, FlowControlRules::Min(group));
    }

    #[test]
    fn what_is_not_offered_is_refused_by_name() {
        let error = check_publication(&params("endpoint=a:0")).unwrap_err().to_string();
        assert!(error.contains("endpoint"), "{error}");
        check_publication(&params("control-mode=manual")).unwrap();
        for rest in ["control=b:0", "endpoint=a:1|control=b:0"] {
            NetworkSubscription::read(&params(rest), &NetworkDefaults::default()).unwrap_err();
        }
        for rest in
            ["endpoint=a:0", "control=a:1", "control-mode=manual", "control-mode=response|control=a:1", "tags=1"]
        {
            NetworkSubscription::read(&params(rest), &NetworkDefaults::default()).unwrap();
        }
    }

    #[test]
    fn loss_is_reported_as_the_group_demands() {
        let defaults = NetworkDefaults::default();
        let rules = |rest: &str, is_group| {
            NetworkSubscription::read(&params(rest), &defaults).unwrap().loss_rules(is_group, &defaults)
        };
        assert_eq!(rules("endpoint=a:1", false), LossRules::Unicast { delay_ns: 1_000, retry_ratio: 100 });
        let group = LossRules::Group { size: 10, max_backoff_ns: 10_000_000 };
        assert_eq!(rules("endpoint=a:1", true), group, "trap 52: from the setup, too");
        assert_eq!(rules("endpoint=a:1|group=true", false), group);
        let slow = LossRules::Unicast { delay_ns: 20_000_000, retry_ratio: 100 };
        assert_eq!(rules("endpoint=a:1|group=false|nak-delay=20ms", true), slow);
        assert_eq!(rules("endpoint=a:1|reliable=false", true), LossRules::Fill);
    }
}
