use super::table::OPTIONS;
use super::*;

fn parse(line: &str, environment: &[(&str, &str)]) -> Result<Invocation, Vec<String>> {
    let variable = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let refusal = Invocation::parse(line.split_whitespace().map(OsString::from), variable);
    refusal.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn options(line: &str, environment: &[(&str, &str)]) -> Options {
    match parse(line, environment) {
        Ok(Invocation::Run(options)) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn without_arguments_all_main_containers_are_watched() {
    let options = options("", &[]);
    assert_eq!((options.verb, options.container(), options.action()), (Verb::Watch, None, Action::Quit));
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
fn a_variable_with_json_has_commas_of_two_kinds() {
    let rule = |code| format!(r#"{{"action":"Restart","exitCodes":{{"operator":"In","values":[{code},7]}}}}"#);
    let list = format!("main=[{},{}],second=[{}]", rule(1), rule(2), rule(3));
    let by_variable = options("watch", &[("EXEUNT_RESTART_RULES", &list), ("EXEUNT_RESTART_POLICY", "OnFailure,main=Never")]);
    let names: Vec<&str> = by_variable.restarts.rules.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["main", "second"]);
    let line = format!(
        "watch --restart-rules main=[{},{}] --restart-rules second=[{}] --restart-policy OnFailure --restart-policy main=Never",
        rule(1),
        rule(2),
        rule(3)
    );
    assert_eq!(options(&line, &[]), by_variable);
}

#[test]
fn a_restart_policy_or_rule_that_kubernetes_does_not_have_is_a_mistake() {
    for value in ["Always", "main", "main=auto", "main=Sometimes", "Main=Never", "=Never"] {
        assert_eq!(options(&format!("watch --restart-policy {value}"), &[]).warnings.len(), 1, "{value}");
    }
    for value in [
        "main",
        "main=",
        "main={}",
        r#"main=[{"action":"Stop","exitCodes":{"operator":"In"}}]"#,
        r#"main=[{"action":"Restart"}]"#,
    ] {
        assert_eq!(options(&format!("watch --restart-rules {value}"), &[]).warnings.len(), 1, "{value}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_what_stands_in_their_place() {
    let line = "look --container Base --pid 0 --drain-timeout 25x --exit-code 1 --nonsense --action stop -x=5 --placement Native";
    let options = options(line, &[("EXEUNT_ADMIN_PORT", "http"), ("EXEUNT_STALL_TIMEOUT", "0")]);
    let lengths = "must be a duration or a number of seconds, from \"1ms\" to \"24h\"";
    let expected = [
        "look: is not known: must be watch, exec, wait or complete; watch is used".to_owned(),
        "--nonsense: is not known: see --help; it is ignored".to_owned(),
        "-x: is not known: see --help; it is ignored".to_owned(),
        "unexpected argument for option '-x': \"5\"; it is ignored".to_owned(),
        "--exit-code: is not known to watch; it is ignored".to_owned(),
        "--container: \"Base\" is not allowed: must be the name of a container that may end a task; it is ignored".to_owned(),
        "--pid: \"0\" is not allowed: must be the id of a process; it is ignored".to_owned(),
        "EXEUNT_ADMIN_PORT: \"http\" is not allowed: must be a port from 1 to 65535; the default is used".to_owned(),
        format!("--drain-timeout: \"25x\" is not allowed: {lengths}; the default is used"),
        format!("EXEUNT_STALL_TIMEOUT: \"0\" is not allowed: {lengths}; the default is used"),
        "--action: \"stop\" is not allowed: must be \"quit\" or \"drain\"; it is ignored".to_owned(),
        "--placement: \"Native\" is not allowed: must be regular or native; native is used".to_owned(),
    ];
    for sentence in &expected {
        assert!(options.warnings.contains(sentence), "{sentence} is not among {:#?}", options.warnings);
    }
    assert_eq!(options.warnings.len(), expected.len(), "{:#?}", options.warnings);
    assert_eq!((options.verb, options.admin_port, options.placement), (Verb::Watch, 15_000, Some(Placement::Native)));
    assert_eq!((options.drain_timeout, options.stall_timeout), (None, None));
}

#[test]
fn a_person_is_told_the_mistakes_and_nothing_happens() {
    for verb in ["complete", "wait"] {
        let mistakes = parse(&format!("{verb} --nonsense --log some"), &[]).unwrap_err();
        assert_eq!(
            mistakes,
            [
                "--nonsense: is not known: see --help",
                "--log: \"some\" is not allowed: must be \"trouble\", \"info\" or \"debug\"",
            ]
        );
    }
    assert!(parse("complet", &[]).is_err(), "what is meant decides");
}

#[test]
fn a_duration_can_be_a_number_of_seconds_and_is_brought_within_its_limits() {
    let read = |line: &str| {
        let options = options(line, &[]);
        (options.grace_period, options.drain_timeout, options.warnings.len())
    };
    let (grace, day) = (GRACE_PERIOD, Duration::from_hours(24));
    assert_eq!(read("watch --grace-period 60"), (Duration::from_mins(1), None, 0));
    assert_eq!(read("watch --grace-period 0s"), (Duration::ZERO, None, 0), "a pod may have none");
    assert_eq!(read("watch --grace-period 0"), (Duration::ZERO, None, 0));
    assert_eq!(read("exec --drain-timeout 1.5 true"), (grace, Some(Duration::from_millis(1_500)), 0));
    assert_eq!(read("exec --drain-timeout 0 true"), (grace, None, 1), "one millisecond would cut data off");
    assert_eq!(read("watch --drain-timeout 48h"), (grace, Some(day), 1));
    assert_eq!(read("watch --grace-period 100000000"), (day, None, 1));
    for nonsense in ["soon", "-1", "1d", "99999999999999999999", "s", "."] {
        assert_eq!(read(&format!("watch --drain-timeout {nonsense}")), (grace, None, 1), "{nonsense}");
    }
}

#[test]
fn a_misspelt_option_is_read_as_the_one_that_was_meant() {
    let options = options("wacth --grace-perod 45s --continer job", &[]);
    assert_eq!((options.grace_period, options.container()), (Duration::from_secs(45), Some("job")));
    assert_eq!(
        options.warnings,
        [
            "wacth: is not known: must be watch, exec, wait or complete; watch is used",
            "--grace-perod: is not known: see --help; --grace-period is used",
            "--continer: is not known: see --help; --container is used",
        ]
    );
}

#[test]
fn no_mistake_keeps_the_command_from_running() {
    let lines =
        ["exec --nonsense 5 -- job a", "exec --nonsense -- job a", "exce --nonsense=5 job a", "exec --not-ready never job a"];
    for line in lines {
        let options = options(line, &[]);
        assert_eq!((options.verb, &options.command), (Verb::Exec, &["job", "a"].map(OsString::from).to_vec()), "{line}");
        assert!(!options.warnings.is_empty(), "{line}");
    }
    assert_eq!(options("exec --nonsense job", &[]).command, ["job"]);
    assert_eq!(
        options("exec", &[]).warnings,
        ["exec: has no command: must be followed by -- and a command; there is nothing to run"]
    );
}

#[test]
fn a_flag_without_value_is_a_mistake() {
    assert_eq!(options("watch --container", &[]).warnings, ["--container: has no value; it is ignored"]);
    assert_eq!(options("watch --late-start", &[]).warnings, ["--late-start: has no value; the default is used"]);
}

#[test]
fn of_several_values_the_last_one_counts() {
    let options = options("watch --pid x --pid 5 --log debug --log nonsense", &[]);
    assert_eq!((options.pid, options.log, options.warnings.len()), (Some(5), LogLevel::Info, 1), "{:?}", options.warnings);
}

#[test]
fn a_native_proxy_is_never_ended() {
    let action = |line: &str| {
        let options = options(line, &[]);
        (options.action(), options.reason())
    };
    let (quit, why) = action("complete --action quit --proxy native");
    assert_eq!((quit, why.as_str()), (Action::Drain, "istio-proxy is a native sidecar, by --proxy; --action quit is not for it"));
    assert_eq!(action("complete --action drain --proxy classic"), (Action::Drain, "--action was given".to_owned()));
    assert_eq!(action("complete --action quit").0, Action::Quit);
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
        assert!(text.lines().count() <= 46 && text.lines().all(|line| line.len() <= 80), "{text}");
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
}

#[test]
fn exec_logs_only_trouble_by_default_and_the_other_verbs_every_step() {
    assert_eq!(options("exec job", &[]).log, LogLevel::Trouble);
    assert_eq!(options("watch", &[]).log, LogLevel::Info);
    assert_eq!(options("complete --log debug", &[]).log, LogLevel::Debug);
}

#[test]
fn an_unknown_option_with_a_value_is_one_mistake() {
    for line in ["watch --nonsense 30s --container base", "--nonsense=30s", "--nonsense watch", "watch --nonsense -- "] {
        assert_eq!(options(line, &[]).warnings, ["--nonsense: is not known: see --help; it is ignored"], "{line}");
    }
}

#[test]
fn a_warning_is_short_however_long_the_word_is() {
    let long = "x".repeat(10_000);
    for line in
        [format!("-x={long}"), format!("--{long}"), format!("--pid {long}"), format!("{long} y"), format!("--proxy={long}")]
    {
        let warnings = options(&format!("watch {line}"), &[]).warnings;
        assert!(!warnings.is_empty() && warnings.iter().all(|warning| warning.len() < 300), "{warnings:?}");
    }
}

#[test]
fn wait_has_no_option_that_is_useless_to_it() {
    let text = help(Some(Verb::Wait));
    let known: Vec<_> =
        OPTIONS.iter().filter(|option| text.contains(&format!("  --{} ", option.name))).map(|it| it.name).collect();
    assert_eq!(known, ["proxy", "istio-status", "ready-port", "ready-timeout", "log", "admin-port", "proxy-pid", "explain"]);
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

#[test]
fn a_container_that_is_given_as_a_helper_is_no_main_one() {
    let environment =
        [("EXEUNT_QUIT_ENDPOINT", "cache=http://127.0.0.1:1/end, GET http://[::1]/"), ("EXEUNT_ALSO_WAIT", " shipper ,")];
    let options = options("watch --container base --container cache --container shipper", &environment);
    assert_eq!((options.containers.as_slice(), options.warnings.len()), (["base".to_owned()].as_slice(), 0));
    assert_eq!((options.helpers.endpoints.len(), options.helpers.also_wait.as_slice()), (2, ["shipper".to_owned()].as_slice()));
}

#[test]
fn the_proxy_is_no_helper() {
    for given in [
        "--quit-signal istio-proxy=TERM",
        "--also-wait istio-proxy",
        "--quit-endpoint istio-proxy=http://127.0.0.1:9091/quit",
        "--quit-endpoint http://127.0.0.1:15020/quitquitquit",
        "--quit-endpoint cache=http://localhost:15000/quitquitquit",
        "--admin-port 9901 --quit-endpoint http://[::1]:9901/quitquitquit",
    ] {
        let read = crate::testing::options(&format!("watch {given}"));
        assert_eq!(
            (read.helpers.are_to_end(), read.helpers.has("istio-proxy"), read.warnings.len()),
            (false, false, 1),
            "{given}"
        );
    }
}
