use super::*;

/// A dump of listeners with these managers, as Istio 1.30.3 writes them.
fn dump(managers: &[(&str, &str)]) -> Part {
    let config = |(name, manager): &(&str, &str)| {
        format!(
            r#"{{"@type": "x.ListenersConfigDump.DynamicListener", "name": "{name}", "active_state": {{"version_info": "1", "listener": {{
                "@type": "x.Listener", "name": "{name}", "traffic_direction": "OUTBOUND", "filter_chains": [{{"filters": [
                {{"name": "envoy.filters.network.http_connection_manager", "typed_config": {manager}}}]}}]}}}}}}"#
        )
    };
    let configs: Vec<String> = managers.iter().map(config).collect();
    serde_json::from_str(&format!(r#"{{"configs": [{}]}}"#, configs.join(","))).unwrap()
}

const SIGNAL_NAME: &str = "127.0.0.1_15190";

#[test]
fn files_and_the_tracer_that_no_bootstrap_names_buffer_nothing() {
    let plain = dump(&[(
        SIGNAL_NAME,
        r#"{"stat_prefix": "x", "tracing": {"client_sampling": {"value": 100}, "custom_tags": [{"tag": "a", "literal": {"value": "b"}}]},
            "access_log": [{"name": "envoy.access_loggers.file", "typed_config": {"path": "/dev/stdout"}}]}"#,
    )]);
    assert_eq!(plain.buffers(), Buffers::default());
    assert!(plain.traces_by_bootstrap() && plain.has_signal_listener());
    for text in ["{}", r#"{"configs": []}"#] {
        let empty: Part = serde_json::from_str(text).unwrap();
        assert_eq!(empty.buffers(), Buffers::default());
        assert!(!empty.traces_by_bootstrap() && !empty.has_signal_listener());
    }
}

#[test]
fn every_logger_that_sends_to_a_server_is_found_once() {
    let loggers = r#"{"access_log": [
        {"name": "envoy.access_loggers.file", "typed_config": {"path": "/dev/stdout"}},
        {"name": "envoy.access_loggers.http_grpc", "typed_config": {"common_config": {"log_name": "a", "buffer_flush_interval": "2.500s",
            "grpc_service": {"envoy_grpc": {"cluster_name": "outbound|9412||als.example", "authority": "als.example"}}}}},
        {"name": "envoy.access_loggers.open_telemetry", "typed_config": {"http_service": {"http_uri": {"uri": "http://x", "cluster": "otel"}}}}]}"#;
    let buffers = dump(&[(SIGNAL_NAME, loggers), ("virtualOutbound", loggers)]).buffers();
    assert_eq!(buffers.count(), 2);
    assert_eq!(buffers.longest_interval, Some(Duration::from_millis(2_500)));
    assert_eq!((buffers.streams, buffers.requests), (vec!["outbound|9412||als.example".to_owned()], vec!["otel".to_owned()]));
}

#[test]
fn a_logger_of_tcp_is_found_on_the_listener_too_and_has_the_default_interval() {
    let text = r#"{"configs": [{"name": "virtualOutbound", "active_state": {"listener": {"access_log": [{"name": "envoy.access_loggers.tcp_grpc",
        "typed_config": {"common_config": {"grpc_service": {"envoy_grpc": {"cluster_name": "als"}}}}}],
        "default_filter_chain": {"filters": [{"typed_config": {"access_log": [{"name": "envoy.access_loggers.stdout"}]}}]}}}}]}"#;
    let buffers = serde_json::from_str::<Part>(text).unwrap().buffers();
    assert_eq!((buffers.count(), buffers.longest_interval), (1, Some(LOGGER_INTERVAL)));
    assert_eq!(buffers.streams, ["als"]);
}

#[test]
fn each_tracer_has_its_own_way_to_send() {
    let tracer = |name: &str, config: &str| {
        let manager = format!(r#"{{"tracing": {{"provider": {{"name": "envoy.tracers.{name}", "typed_config": {config}}}}}}}"#);
        let dump = dump(&[(SIGNAL_NAME, &manager)]);
        assert!(!dump.traces_by_bootstrap());
        let Buffers { tracer, requests, .. } = dump.buffers();
        (tracer, requests)
    };
    let to = |cluster: &str| vec![cluster.to_owned()];
    let zipkin = Some(Tracer::Runtime("tracing.zipkin.min_flush_spans"));
    assert_eq!(tracer("zipkin", r#"{"collector_cluster": "z", "shared_span_context": false}"#), (zipkin, to("z")));
    assert_eq!(tracer("zipkin", r#"{"collector_service": {"http_uri": {"cluster": "z"}}}"#), (zipkin, to("z")));
    let opentelemetry = Some(Tracer::Runtime("tracing.opentelemetry.min_flush_spans"));
    let grpc = r#"{"grpc_service": {"envoy_grpc": {"cluster_name": "o"}, "timeout": "1s"}, "service_name": "s"}"#;
    assert_eq!(tracer("opentelemetry", grpc), (opentelemetry, to("o")));
    assert_eq!(tracer("opentelemetry", r#"{"http_service": {"http_uri": {"cluster": "o"}}}"#), (opentelemetry, to("o")));
    let datadog = Some(Tracer::Flushes(Duration::from_secs(2)));
    assert_eq!(tracer("datadog", r#"{"collector_cluster": "d"}"#), (datadog, to("d")));
    assert_eq!(tracer("skywalking", r#"{"grpc_service": {}}"#), (Some(Tracer::Sends), vec![]));
}

#[test]
fn a_configuration_of_another_kind_is_no_answer() {
    for text in ["", r#"{"configs": 1}"#, r#"{"configs": [{"name": 1}]}"#] {
        assert!(serde_json::from_str::<Part>(text).is_err(), "{text}");
    }
}

#[test]
fn durations_are_those_of_protobuf() {
    assert_eq!(seconds("1s"), Some(Duration::from_secs(1)));
    assert_eq!(seconds("0.250s"), Some(Duration::from_millis(250)));
    assert_eq!(seconds("2.000500s"), Some(Duration::from_secs(2)));
    for text in ["", "s", "1", "-1s", "1m", "infs", "NaNs"] {
        assert_eq!(seconds(text), None, "{text}");
    }
}
