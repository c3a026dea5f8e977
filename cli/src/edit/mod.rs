//! Puts the agent into a text of YAML or JSON, and leaves everything else as it was written: comments, order, quotes, indentation. Pure.
//!
//! Interface: [`add_agent`]. It never rewrites a document: it finds the places in the text, and inserts there. Then it reads both texts and
//! compares: the new one must mean the old one plus the agent, and nothing else. Otherwise it gives up and says so.

mod agent;
mod insert;
mod place;
mod tree;

use serde_json::Value;

use self::insert::Insertion;
use self::place::{Place, name_of};
use self::tree::Node;
use crate::workload::documents;

pub use agent::Agent;

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The new text.
    pub text: String,
    /// The objects that have got the agent, as `Kind/name`.
    pub changed: Vec<String>,
    /// Those that had it.
    pub unchanged: Vec<String>,
}

/// The text with the agent in each object that makes pods and has none; or why that cannot be done.
pub fn add_agent(text: &str, agent: &Agent) -> Result<Edited, String> {
    let trees: Vec<Node> = serde_saphyr::from_multiple(text).map_err(|error| insert::one_line(&error))?;
    let mut insertions = Vec::new();
    let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
    for (tree, object) in trees.iter().zip(raw_documents(text)?) {
        let Some(place) = Place::of(&object) else { continue };
        let of = name_of(&object);
        if agent::is_in(&object, place) {
            unchanged.push(of);
        } else {
            insertions.extend(agent.insertions(tree, &object, place).map_err(|error| format!("{of}: {error}"))?);
            changed.push(of);
        }
    }
    let new = Insertion::all_into(text, insertions);
    let expected = documents(text)?.into_iter().map(|mut object| {
        agent.add_to(&mut object);
        object
    });
    if documents(&new).ok().as_deref() != Some(&expected.collect::<Vec<_>>()) {
        return Err("this YAML is written in a way that cannot be changed safely: write the lists and mappings of the pod template as blocks".to_owned());
    }
    Ok(Edited { text: new, changed, unchanged })
}

/// All documents, also empty ones, so that they are as many as the trees.
fn raw_documents(text: &str) -> Result<Vec<Value>, String> {
    serde_saphyr::from_multiple(text).map_err(|error| insert::one_line(&error))
}

#[cfg(test)]
mod tests;
