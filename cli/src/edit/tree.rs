//! A document with the place of each of its values.

use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it begins: for a block, its first key or its first dash.
    pub(super) at: Location,
    /// What it is.
    pub(super) body: Body,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A mapping, in the order of the text.
    Map(Vec<(String, Node)>),
    /// A list.
    List(Vec<Node>),
    /// Nothing, or a text, a number or a boolean.
    Scalar,
}

// === impl Node ===

impl Node {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.body {
            Body::Map(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            Body::List(_) | Body::Scalar => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Body>::deserialize(deserializer)?;
        Ok(Self { at: spanned.referenced, body: spanned.value })
    }
}

// === impl Body ===

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of YAML")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry::<String, Node>()? {
            fields.push(entry);
        }
        Ok(Body::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Body, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element::<Node>()? {
            nodes.push(node);
        }
        Ok(Body::List(nodes))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Body, E> {
        Ok(Body::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Body, E> {
        Ok(Body::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Body, E> {
        Ok(Body::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Body, E> {
        Ok(Body::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Body, E> {
        Ok(Body::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Body, E> {
        Ok(Body::Scalar)
    }

    fn visit_none<E>(self) -> Result<Body, E> {
        Ok(Body::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Body, D::Error> {
        Body::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Body, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Body::Scalar)
    }
}
