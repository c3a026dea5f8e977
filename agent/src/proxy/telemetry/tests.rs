use core::ops::Range;

use super::*;
use crate::testing::{Script, options};

const ALWAYS: Range<u64> = 0..u64::MAX;
const LISTENERS: &str = "/config_dump?resource=dynamic_listeners";
const LOGGER: &str = r#""access_log": [{"name": "envoy.access_loggers.http_grpc", "typed_config": {"common_config": {"grpc_service":
    {"envoy_grpc": {"cluster_name": "als"}}}}}]"#;
const TRACER: &str =
    r#""tracing": {"provider": {"name": "envoy.tracers.zipkin", "typed_config": {"collector_cluster": "zipkin"}}}"#;
const AT_ONCE: &str = r#"{"entries": {"tracing.zipkin.min_flush_spans": {"layer_values": ["", "1"], "final_value": "1"},
    "tracing.opentelemetry.min_flush_spans": {"layer_values": ["", "1"], "final_value": "1"}}}"#;

/// What an agent knows that has asked an Envoy with a tracer, before the task.
const SPANS: Spans = Spans {
    at_once_from: Instant::at(Duration::ZERO),
    has_bootstrap_tracer: false,
    had_no_buffers: None,
    buffers_metrics: false,
};

fn listener(manager: &str) -> String {
    format!(
        r#"{{"configs": [{{"name": "127.0.0.1_15190", "active_state": {{"listener": {{"filter_chains": [{{"filters": [
            {{"typed_config": {{{manager}}}}}]}}]}}}}}}]}}"#
    )
}

fn cluster(name: &str, under_way: u64) -> String {
    format!("{name}::10.0.0.1:1::rq_active::{under_way}\n{name}::10.0.0.1:1::rq_pending_active::0\n")
}

/// An Envoy with this manager. Until `sent`, a request to `cluster` is under way.
fn envoy(manager: &str, name: &str, sent: u64) -> Script {
    let admin = vec![
        (LISTENERS, ALWAYS, listener(manager)),
        ("/clusters", 0..sent, cluster(name, 1)),
        ("/clusters", ALWAYS, cluster(name, 0)),
    ];
    Script { admin, ..Script::default() }
}

/// Looks every 5 ms from the delivery on, as the sidecar does. Returns when the buffers were empty, in milliseconds.
fn emptied(world: &Script, options: &Options) -> u64 {
    let mut telemetry = Telemetry::new(options);
    let asked = questions(world).len();
    assert_eq!(telemetry.buffers(world, false, &|_| true), 0, "data of the task is undelivered anyway");
    let unasked = u32::from(!options.telemetry_timeout.is_zero());
    assert_eq!(telemetry.buffers(world, true, &|_| true), unasked, "the first report does not wait for an answer");
    assert_eq!((telemetry.is_unasked(), questions(world).len()), (unasked > 0, asked));
    let start = world.elapsed();
    while telemetry.buffers(world, true, &|_| true) > 0 {
        world.pass_until(world.elapsed() + 5);
        assert_eq!(telemetry.waited(), None);
    }
    assert_eq!(telemetry.buffers(world, true, &|_| true), 0);
    let waited = world.elapsed() - start;
    let told = telemetry.waited().map(|waited| u64::try_from(waited.as_millis()).unwrap());
    assert!(told.is_none_or(|told| told == waited), "{told:?} {waited}");
    waited
}

fn questions(world: &Script) -> Vec<String> {
    world.asked.borrow().iter().map(|(_, question)| question.clone()).collect()
}

#[test]
fn an_envoy_that_buffers_nothing_costs_one_question() {
    let world = envoy(r#""access_log": [{"name": "envoy.access_loggers.file"}]"#, "x", 0);
    assert_eq!(emptied(&world, &options("watch")), 0);
    assert_eq!(questions(&world).len(), 1, "{:?}", questions(&world));
}

#[test]
fn an_envoy_that_had_nothing_to_buffer_is_asked_again_only_at_the_end_of_a_long_task() {
    let known = |world: &Script| Options { spans: spans::send_at_once(world, &options("watch"), true), ..options("watch") };
    let looks = |after: u64, manager: &str| {
        let mut world = envoy("", "als", 0);
        world.admin.push(("/runtime_modify", ALWAYS, "OK".to_owned()));
        let options = known(&world);
        let asked = questions(&world).len();
        // Somebody has changed the mesh meanwhile.
        world.admin[0].2 = listener(manager);
        world.pass_until(after);
        let buffers = Telemetry::new(&options).buffers(&world, true, &|_| true);
        assert_eq!(questions(&world).len(), asked, "the first report never waits");
        buffers
    };
    assert_eq!(looks(59_000, ""), 0, "it is idle at once");
    assert_eq!(looks(60_000, ""), 1, "Envoy is asked next");
    let mut with_logger = envoy(LOGGER, "als", 0);
    with_logger.admin.push(("/runtime_modify", ALWAYS, "OK".to_owned()));
    let options = known(&with_logger);
    assert_eq!(emptied(&with_logger, &options), 1_100, "what Envoy has is waited for");
}

#[test]
fn a_moment_in_which_all_data_is_inside_envoy_is_not_its_delivery() {
    let world = envoy(LOGGER, "als", 0);
    let mut telemetry = Telemetry::new(&options("watch"));
    assert_eq!(telemetry.buffers(&world, true, &|_| true), 1);
    world.pass_until(5);
    assert_eq!(telemetry.buffers(&world, false, &|_| true), 0, "data of the task is undelivered anyway");
    world.pass_until(5_000);
    let start = world.elapsed();
    while telemetry.buffers(&world, true, &|_| true) > 0 {
        world.pass_until(world.elapsed() + 5);
    }
    assert_eq!(world.elapsed() - start, 1_100, "from the true end on");
}

#[test]
fn an_envoy_that_does_not_answer_is_not_waited_for() {
    assert_eq!(emptied(&Script::default(), &options("watch")), 0);
    let world = Script { admin: vec![("/clusters", ALWAYS, String::new())], ..Script::default() };
    assert_eq!(emptied(&world, &options("watch")), 0);
}

#[test]
fn loggers_are_waited_for_by_the_clock_and_then_as_envoy_tells() {
    let interval = 1_000 + 100;
    assert_eq!(emptied(&envoy(LOGGER, "als", 0), &options("watch")), interval);
    let otel = LOGGER.replace("http_grpc", "open_telemetry");
    let late = emptied(&envoy(&otel, "als", 2_000), &options("watch"));
    assert!((2_000..2_055).contains(&late), "{late}");
}

#[test]
fn spans_that_envoy_sends_at_once_are_waited_for_as_envoy_tells() {
    let at_once = |from| Options {
        spans: Some(Spans { at_once_from: Instant::at(Duration::from_millis(from)), ..SPANS }),
        ..options("watch")
    };
    let after = |from: u64, sent: u64| {
        let world = envoy(TRACER, "zipkin", 60_000 + sent);
        world.pass_until(60_000);
        emptied(&world, &at_once(from))
    };
    assert_eq!(after(0, 0), 0);
    let late = after(0, 300);
    assert!((300..355).contains(&late), "{late}");
    assert_eq!(after(58_000, 0), 3_100, "what was buffered before waits for the clock");
}

#[test]
fn without_a_word_of_the_agent_the_runtime_tells_whether_spans_are_sent_at_once() {
    let mut world = envoy(TRACER, "zipkin", 0);
    assert_eq!(emptied(&world, &options("watch")), 5_100);
    world = envoy(TRACER, "zipkin", 0);
    world.admin.push(("/runtime", ALWAYS, AT_ONCE.to_owned()));
    assert_eq!(emptied(&world, &options("watch")), 0);
}

#[test]
fn a_tracer_of_the_bootstrap_counts_only_if_the_bootstrap_names_one() {
    let by_bootstrap = r#""tracing": {"random_sampling": {"value": 1}}"#;
    assert_eq!(emptied(&envoy(by_bootstrap, "zipkin", 0), &options("watch")), 0);
    let mut world = envoy(by_bootstrap, "zipkin", 0);
    world.admin.push((
        "/config_dump?resource=static_clusters",
        ALWAYS,
        r#"{"configs": [{"cluster": {"name": "zipkin"}}]}"#.to_owned(),
    ));
    assert_eq!(emptied(&world, &options("watch")), 5_100);
    let known = Some(SPANS);
    assert_eq!(emptied(&world, &Options { spans: known, ..options("watch") }), 0, "the agent has asked when it started");
}

#[test]
fn the_wait_ends_with_its_timeout_and_zero_is_no_wait_and_no_question() {
    assert_eq!(emptied(&envoy(TRACER, "zipkin", u64::MAX), &options("watch")), 6_000);
    assert_eq!(emptied(&envoy(TRACER, "zipkin", u64::MAX), &options("watch --telemetry-timeout 2s")), 2_000);
    let world = envoy(TRACER, "zipkin", u64::MAX);
    assert_eq!(emptied(&world, &options("watch --telemetry-timeout 0")), 0);
    assert_eq!(questions(&world), Vec::<String>::new());
}

#[test]
fn an_envoy_that_does_not_tell_what_is_under_way_gets_a_moment() {
    let admin = vec![(LISTENERS, ALWAYS, listener(LOGGER)), ("/clusters", ALWAYS, "als::10.0.0.1:1::rq_active::1\n".to_owned())];
    let waited = emptied(&Script { admin, ..Script::default() }, &options("watch"));
    assert!((1_200..1_255).contains(&waited), "{waited}");
}

#[test]
fn after_new_data_the_buffers_are_waited_for_again() {
    let world = envoy(LOGGER, "als", 0);
    let mut telemetry = Telemetry::new(&options("watch"));
    let mut wait = || {
        let start = world.elapsed();
        while telemetry.buffers(&world, true, &|_| true) > 0 {
            world.pass_until(world.elapsed() + 5);
        }
        telemetry.fills_again();
        world.elapsed() - start
    };
    assert_eq!([wait(), wait()], [1_100, 1_100]);
}

mod at_once {
    use super::*;
    use crate::proxy::telemetry::spans::send_at_once;

    const SET: &str = "POST /runtime_modify?tracing.zipkin.min_flush_spans=1&tracing.opentelemetry.min_flush_spans=1";

    fn told(admin: &[(&'static str, &str)], precedes_task: bool) -> (Option<u64>, Vec<String>) {
        let admin = admin.iter().map(|(path, body)| (*path, ALWAYS, (*body).to_owned())).collect();
        let world = Script { admin, ..Script::default() };
        world.pass_until(7_000);
        let spans = send_at_once(&world, &options("watch"), precedes_task);
        let from = spans.map(|spans| u64::try_from(spans.at_once_from.since_zero().as_millis()).unwrap());
        (from, questions(&world))
    }

    #[test]
    fn envoy_is_told_and_has_no_older_spans_before_the_task_or_without_listeners() {
        let (from, asked) = told(&[("/runtime_modify", "OK\n"), (LISTENERS, &listener(""))], true);
        assert_eq!(from, Some(0));
        assert!(asked.contains(&SET.to_owned()), "{asked:?}");
        assert_eq!(told(&[("/runtime_modify", "OK\n"), (LISTENERS, "{}")], false).0, Some(0));
        assert_eq!(told(&[("/runtime_modify", "OK\n"), (LISTENERS, &listener(""))], false).0, Some(7_000));
    }

    #[test]
    fn what_the_pod_says_itself_is_left_as_it_is() {
        let (from, asked) = told(&[("/runtime", AT_ONCE), (LISTENERS, &listener(""))], false);
        assert_eq!(from, Some(0));
        assert!(!asked.contains(&SET.to_owned()), "{asked:?}");
    }

    #[test]
    fn an_envoy_that_refuses_it_or_is_not_to_be_waited_for_is_told_nothing_more() {
        assert_eq!(told(&[("/clusters", "")], true).0, None);
        let world = envoy(TRACER, "zipkin", 0);
        assert_eq!(send_at_once(&world, &options("watch --telemetry-timeout 0"), true), None);
        assert_eq!(questions(&world), Vec::<String>::new());
    }
}

#[test]
fn metrics_for_statsd_are_waited_for_until_another_uptime_shows_that_they_were_sent() {
    let uptime = |seconds: u64| format!("server.uptime: {seconds}\n");
    let world = |flush: u64, manager: &str| {
        let mut world = envoy(manager, "als", 0);
        world.admin.extend([("/stats?filter=", 0..flush, uptime(10)), ("/stats?filter=", ALWAYS, uptime(15))]);
        world
    };
    // Known to have no loggers and tracers.
    let spans = Spans { had_no_buffers: Some(Instant::default()), buffers_metrics: true, ..SPANS };
    let told = Options { spans: Some(spans), ..options("watch") };
    assert!((1_500..1_600).contains(&emptied(&world(1_500, ""), &told)));
    assert_eq!(emptied(&world(1_500, ""), &Options { spans: Some(SPANS), ..options("watch") }), 0, "it ends in order");
    assert!((2_500..2_600).contains(&emptied(&world(2_500, LOGGER), &told)), "longer than the logger");
    assert!((1_100..1_200).contains(&emptied(&world(500, LOGGER), &told)), "not as long as the logger");
    let silent = envoy("", "als", 0);
    assert_eq!(emptied(&silent, &told), 0, "an Envoy that does not tell is not waited for");
    let stuck = emptied(&world(u64::MAX, ""), &Options { telemetry_timeout: Duration::from_secs(2), ..told });
    assert!((2_000..2_100).contains(&stuck), "{stuck}");
}
