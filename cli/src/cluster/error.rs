//! Every error is one line: which verb on which resource, and what to do.

use core::fmt;

use crate::output::{Exit, Failure};

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The API server does not answer, or there is no configuration.
    Unreachable,
    /// A right is missing.
    Refused,
    /// A policy of the cluster does not accept it.
    Denied,
    /// There is no such object, or no such resource.
    NotFound,
    /// The object has changed in between.
    Conflict,
    /// What was asked for is too old.
    Gone,
    /// The API server has too much to do.
    Busy,
    /// The API server does not accept the request.
    Other,
}

/// An error of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of error it is.
    pub kind: Kind,
    /// The line.
    pub line: String,
}

// === impl Error ===

impl Error {
    /// An error of kube in a request with this verb on this resource: `list`, `pods in namespace jobs`.
    #[must_use]
    pub fn of(verb: &str, resource: &str, error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self {
                kind: Kind::Unreachable,
                line: format!("cannot {verb} {resource}: the API server does not answer ({})", root(error)),
            };
        };
        let (kind, what) = match status.code {
            401 => (Kind::Refused, "the API server does not know you: log in again".to_owned()),
            403 if is_of_policy(&status.message) => (Kind::Denied, format!("a policy refuses it: {}", status.message)),
            403 => (Kind::Refused, format!("you may not {verb} {resource}: ask for that right")),
            404 => (Kind::NotFound, "not found".to_owned()),
            409 => (Kind::Conflict, "it has changed in between: try again".to_owned()),
            410 => (Kind::Gone, "the list is too old: try again".to_owned()),
            429 => (Kind::Busy, "the API server has too much to do: try again later".to_owned()),
            code => (Kind::Other, format!("the API server answers {code}: {}", status.message)),
        };
        Self { kind, line: format!("cannot {verb} {resource}: {what}") }
    }
}

/// Whether an admission plugin has refused, and not the authorizer: both answer 403.
fn is_of_policy(message: &str) -> bool {
    ["denied the request", "denied request", "violates PodSecurity", "exceeded quota"].iter().any(|part| message.contains(part))
}

/// The cause at the end of the chain, which names what went wrong.
fn root(error: &dyn core::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl core::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind {
            Kind::NotFound => Exit::Usage,
            Kind::Conflict => Exit::NotNow,
            Kind::Unreachable | Kind::Refused | Kind::Denied | Kind::Gone | Kind::Busy | Kind::Other => Exit::Unavailable,
        };
        Self { line: error.line, exit }
    }
}
