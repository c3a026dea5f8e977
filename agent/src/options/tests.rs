use super::table::OPTIONS;
use super::*;

fn parse(line: &str, environment: &[(&str, &str)]) -> Result<Invocation, Vec<String>> {
    let variable = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let refusal = Invocation::parse(line.split_whitespace().map(OsString::from), variable);
    refusal.map_err(|refusal| refusal.mistakes.iter().map(ToString::to_string).collect())
}

fn options(line: &str, environment: &[(&str, &str)]) -> Options {
    match parse(line, environment) {
        Ok(Invocation::Run(options)) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn without_arguments_the_container_base_is_watched() {
    let options = options("", &[]);
    assert_eq!((options.verb, options.container(), options.action()), (Verb::Watch, Some("base"), Action::Quit));
    assert_eq!(options.drain_timeout, None);
    assert_eq!(options.signal.len(), 3);
}

#[test]
fn the_help_text_tells_the_real_defaults() {
    // Without a value these take the plugin's, and without a plugin the default.
    let timeouts = [("drain-timeout", Limits::DRAIN_TIMEOUT), ("stall-timeout", Limits::STALL_TIMEOUT)];
    for (name, length) in timeouts {
        assert_eq!(super::table::named(name).map(|spec| spec.default.to_owned()), Some(duration::display(length)));
    }
    let is_other = |name| name == "termination-log" || timeouts.iter().any(|(timeout, _)| *timeout == name);
    for spec in OPTIONS.iter().filter(|spec| !spec.default.is_empty() && !is_other(spec.name)) {
        let environment = [(&*spec.variable(), spec.default)];
        assert_eq!(options("", &environment), options("", &[]), "{}", spec.name);
        let shows = |verb| help(Some(verb)).contains(&format!("{}]", spec.default));
        assert!(Verb::ALL.into_iter().filter(|verb| spec.concerns(*verb)).all(shows), "{}", spec.name);
    }
}

#[test]
fn every_option_has_a_variable_and_the_flag_takes_precedence() {
    let environment = [
        ("EXEUNT_CONTAINER", "main"),
        ("EXEUNT_DRAIN_TIMEOUT", "10m"),
        ("EXEUNT_SIGNAL_ADDRESS", "127.0.0.2, ::1"),
        ("EXEUNT_SIGNAL_PORT", "9"),
        ("EXEUNT_ACTION", "drain"),
        ("EXEUNT_PID", ""),
        ("EXEUNT_EXIT_CODE", "of another verb"),
    ];
    let options = options("watch --drain-timeout=25s --container job", &environment);
    assert_eq!((options.container(), options.drain_timeout), (Some("job"), Some(Duration::from_secs(25))));
    assert_eq!(options.signal, ["127.0.0.2:9".parse().unwrap(), "[::1]:9".parse().unwrap()]);
    assert_eq!((options.action(), options.pid), (Action::Drain, None));
}

#[test]
fn a_variable_of_a_service_is_not_an_option() {
    let environment = [("EXEUNT_ADMIN_PORT", "tcp://10.0.0.1:80"), ("EXEUNT_STATUS_PORT", "udp://10.0.0.2:53")];
    assert_eq!(options("watch", &environment), options("watch", &[]));
}

#[test]
fn an_address_may_be_repeated() {
    let options = options("complete --exit-code 3 --signal-address 127.0.0.9 --signal-address ::1", &[]);
    assert_eq!(options.signal, ["127.0.0.9:15190".parse().unwrap(), "[::1]:15190".parse().unwrap()]);
    assert_eq!((options.verb, options.exit_code), (Verb::Complete, Some(3)));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let line = "look --container Base --pid 0 --drain-timeout 25 --exit-code 1 --nonsense --action stop -x";
    let mistakes = parse(line, &[("EXEUNT_ADMIN_PORT", "http")]).unwrap_err();
    let expected = [
        "look: is not known: must be watch, exec, wait or complete",
        "--nonsense: is not known: see --help",
        "-x: is not known: see --help",
        "--exit-code: is not known to watch",
        "--container: \"Base\" is not allowed: must be the name of a container that may end a task",
        "--pid: \"0\" is not allowed: must be the id of a process",
        "EXEUNT_ADMIN_PORT: \"http\" is not allowed: must be a port from 1 to 65535",
        "--drain-timeout: \"25\" is not allowed: must be a duration with a unit, from \"1ms\" to \"24h\"",
        "--action: \"stop\" is not allowed: must be \"quit\" or \"drain\"",
    ];
    for sentence in expected {
        assert!(mistakes.iter().any(|mistake| mistake == sentence), "{sentence} is not among {mistakes:#?}");
    }
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
}

#[test]
fn a_flag_without_value_is_a_mistake() {
    assert_eq!(parse("watch --container", &[]).unwrap_err(), ["--container: has no value"]);
}

#[test]
fn help_and_version_need_no_other_option() {
    for (line, verb) in [("--help", None), ("-h", None), ("watch --container Base --help", Some(Verb::Watch))] {
        assert_eq!(parse(line, &[]), Ok(Invocation::Help(verb)), "{line}");
    }
    assert_eq!(parse("complete --version", &[("EXEUNT_PID", "x")]), Ok(Invocation::Version));
}

#[test]
fn the_help_text_fits_a_screen() {
    for text in Verb::ALL.map(Some).into_iter().chain([None]).map(help) {
        assert!(text.lines().count() <= 40 && text.lines().all(|line| line.len() <= 80), "{text}");
    }
}

#[test]
fn the_words_after_exec_are_the_command() {
    for line in ["exec --ready-timeout 5s -- job --log info -- watch", "exec --ready-timeout=5s job --log info -- watch"] {
        let options = options(line, &[("EXEUNT_NOT_READY", "fail"), ("EXEUNT_READY_PORT", "9"), ("EXEUNT_LOG", "trouble")]);
        assert_eq!(
            (options.verb, options.command),
            (Verb::Exec, ["job", "--log", "info", "--", "watch"].map(OsString::from).to_vec())
        );
        assert_eq!((options.ready_port, options.ready_timeout, options.not_ready), (9, Duration::from_secs(5), NotReady::Fail));
        assert_eq!(options.log, LogLevel::Trouble);
    }
    let mistakes = parse("exec --log some", &[]).unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(
        mistakes.iter().any(|mistake| mistake == "exec: has no command: must be followed by -- and a command"),
        "{mistakes:?}"
    );
}

#[test]
fn a_refusal_has_the_verb_because_watch_never_keeps_a_pod() {
    let refusal = |line: &str| Invocation::parse(line.split(' ').map(OsString::from), |_| None).unwrap_err().verb;
    assert_eq!((refusal("watch --pid x"), refusal("complete --pid x")), (Verb::Watch, Verb::Complete));
}

#[test]
fn exec_logs_only_trouble_by_default_and_the_other_verbs_every_step() {
    assert_eq!(options("exec job", &[]).log, LogLevel::Trouble);
    assert_eq!(options("watch", &[]).log, LogLevel::Info);
    assert_eq!(options("complete --log debug", &[]).log, LogLevel::Debug);
}

#[test]
fn an_unknown_option_with_a_value_is_one_mistake() {
    for line in ["watch --grace-perod 30s --container base", "--grace-perod=30s", "--nonsense watch", "watch --nonsense -- "] {
        let mistakes = parse(line, &[]).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{line}: {mistakes:?}");
        assert!(mistakes[0].ends_with("is not known: see --help"), "{mistakes:?}");
    }
}

#[test]
fn the_form_that_was_told_counts_before_the_annotation() {
    let status = r#"{"containers":["istio-proxy"]}"#;
    let form = |line: &str, status: &str| options(line, &[("EXEUNT_ISTIO_STATUS", status)]).form;
    assert_eq!(form("watch", status), KnownForm { form: Form::Classic, by: Origin::Status });
    assert_eq!(form("watch --proxy native", status), KnownForm { form: Form::Native, by: Origin::Option });
    assert_eq!(form("watch", ""), KnownForm::UNKNOWN);
}

#[test]
fn complete_names_no_container_that_was_not_given() {
    assert_eq!(options("complete", &[]).container(), None);
    assert_eq!(options("complete --container main", &[]).container(), Some("main"));
}
