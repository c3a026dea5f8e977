//! The documents of a text of YAML or JSON.

use serde_json::Value;

/// All documents of `text`, without empty ones; or why it is neither YAML nor JSON, on one line.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    let one_line = |error: serde_saphyr::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
    let all: Vec<Value> = serde_saphyr::from_multiple(text).map_err(one_line)?;
    Ok(all.into_iter().filter(|document| !document.is_null()).collect())
}
