//! Counts the pods of its standard input, one version of one pod on each line, and serves their metrics at the address that it is given.
//! The tests of `deploy/monitoring` let a real Prometheus scrape it.

use std::io::BufRead as _;
use std::sync::Arc;

use exeunt_cli::observe::{Limits, Observer, listen, serve};
use exeunt_cli::output::{Failure, complain, print};
use exeunt_cli::pod::Facts;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let address = address.parse().map_err(|error| Failure::usage(format!("the first argument is no address: {error}")))?;
    let listener = listen(address).await?;
    let observer = Arc::new(Observer::new(Limits::default()));
    observer.leads(true);
    let counting = observer.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str::<Pod>(&line) {
                Ok(pod) => drop(counting.saw(&Facts::of(&pod), Timestamp::now())),
                Err(error) => complain(&format!("this line is no pod: {error}")),
            }
        }
    });
    print("serving\n");
    match serve(listener, observer, || true, Timestamp::now).await {}
}
