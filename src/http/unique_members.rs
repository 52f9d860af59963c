//! JSON in which no object has a member twice. Readers differ in which of the two they take, so that
//! what one of them has checked another may not have seen.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// Refuses JSON with a member that comes twice, at any depth, and all that
/// [`serde_json`] refuses in what it keeps: half a surrogate pair, more than 128 levels, numbers that
/// are too large.
pub(super) fn check(json: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice(json).map(|Checked| ())
}

struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Check)
    }
}

struct Check;

impl<'de> Visitor<'de> for Check {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Checked, A::Error> {
        while let Some(Checked) = entries.next_element()? {}
        Ok(Checked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Checked, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member comes twice"));
            }
            members.next_value::<Checked>()?;
        }
        Ok(Checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_comes_twice_is_found_at_any_depth() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"[[{"a":1,"\u0061":2}]]"#,
            r#"{"":1,"":2}"#,
        ] {
            let error = check(json.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("a member comes twice at line 1"), "{error}");
        }
    }

    #[test]
    fn the_same_name_in_other_objects_is_no_other_member() {
        let json =
            r#"{"a":[{"a":1},{"a":{"a":null}}],"A":-1.5,"b":true,"c":"","d":18446744073709551615}"#;

        assert!(check(json.as_bytes()).is_ok());
    }

    #[test]
    fn half_a_pair_and_great_depth_are_refused_wherever_they_stand() {
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
        for json in [r#"{"x":"\ud800"}"#, r#"{"\udc00":1}"#, r#"{"x":1e999}"#, &deep] {
            assert!(check(json.as_bytes()).is_err(), "{json:.40}");
        }
    }
}
