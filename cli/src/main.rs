//! Reads the command line, runs one verb, and exits with its code.

use std::process::ExitCode;

use clap::Parser as _;
use exeunt_cli::command::Arguments;
use exeunt_cli::output::complain;

/// kube's own lines for a request that fails would only repeat ours.
const QUIET: &str = "error,kube_client=off,kube_runtime=off";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("EXEUNT_LOG").unwrap_or_else(|_| QUIET.into());
    tracing_subscriber::fmt().with_writer(anstream::stderr).with_env_filter(filter).init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime could be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(arguments.run()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            complain(&failure.line);
            failure.exit.into()
        }
    }
}
