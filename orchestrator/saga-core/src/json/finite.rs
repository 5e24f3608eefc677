//! Whether every number of a value is one in JSON: NaN and the infinities would silently be written as `null`.

use serde::Serialize;
use serde::ser::{self, Serializer};
use std::fmt;

/// Looks through a value for numbers that JSON does not have.
pub(super) fn is_finite<T: Serialize + ?Sized>(value: &T) -> Result<(), NotJson> {
    value.serialize(Finite)
}

/// Why a value is not JSON.
#[derive(Debug)]
pub(super) struct NotJson(String);
impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for NotJson {}
impl ser::Error for NotJson {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self(why.to_string())
    }
}

/// Writes nothing, and refuses what JSON would lose.
#[derive(Clone, Copy)]
struct Finite;
type Looked = Result<(), NotJson>;

fn number(value: f64) -> Looked {
    if value.is_finite() { Ok(()) } else { Err(NotJson(format!("the number {value} does not exist in JSON"))) }
}

macro_rules! harmless {
    ($($name:ident($($type:ty)?)),+ $(,)?) => {$(
        fn $name(self, $(_: $type)?) -> Looked {
            Ok(())
        }
    )+};
}
macro_rules! parts {
    ($($trait:ident { $($method:ident($($before:ty)?)),+ })+) => {$(
        impl ser::$trait for Finite {
            type Ok = ();
            type Error = NotJson;
            $(fn $method<T: Serialize + ?Sized>(&mut self, $(_: $before,)? value: &T) -> Looked {
                value.serialize(Finite)
            })+
            fn end(self) -> Looked {
                Ok(())
            }
        }
    )+};
}
parts! {
    SerializeSeq { serialize_element() }
    SerializeTuple { serialize_element() }
    SerializeTupleStruct { serialize_field() }
    SerializeTupleVariant { serialize_field() }
    SerializeMap { serialize_key(), serialize_value() }
    SerializeStruct { serialize_field(&'static str) }
    SerializeStructVariant { serialize_field(&'static str) }
}

impl Serializer for Finite {
    type Ok = ();
    type Error = NotJson;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;
    harmless! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_i128(i128),
        serialize_u128(u128), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]), serialize_none(),
        serialize_unit(), serialize_unit_struct(&'static str),
    }
    fn serialize_f32(self, value: f32) -> Looked {
        number(value.into())
    }
    fn serialize_f64(self, value: f64) -> Looked {
        number(value)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Looked {
        value.serialize(self)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Looked {
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Looked {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Looked {
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self, NotJson> {
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, NotJson> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotJson> {
        Ok(self)
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, NotJson> {
        Ok(self)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self, NotJson> {
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotJson> {
        Ok(self)
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, NotJson> {
        Ok(self)
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Looked {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Payload;
    use serde::Serialize;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Named<T> {
        n: T,
    }
    #[derive(Serialize)]
    struct Bare<T>(T);
    #[derive(Serialize)]
    struct Pair<T>(u8, T);
    #[derive(Serialize)]
    enum Any<T> {
        One(T),
        Two(u8, T),
        Named { n: T },
    }

    /// What a value is kept as, with a number in each kind of place.
    fn kept(n: f64) -> Vec<Result<String, String>> {
        fn of<T: Serialize>(value: T) -> Result<String, String> {
            Payload::of(&value).map(|payload| payload.as_str().to_owned()).map_err(|why| why.to_string())
        }
        vec![
            of(n),
            of(Some(n)),
            of(vec![0.0, n]),
            of((1, n)),
            of(Named { n }),
            of(Bare(n)),
            of(Pair(1, n)),
            of(Any::One(n)),
            of(Any::Two(1, n)),
            of(Any::Named { n }),
            of(BTreeMap::from([("a", n)])),
            of(vec![Some(Named { n: Bare(n) })]),
        ]
    }

    #[test]
    fn a_number_that_json_does_not_have_is_refused_wherever_it_stands() {
        for n in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for (index, found) in kept(n).into_iter().enumerate() {
                assert_eq!(found, Err(format!("the number {n} does not exist in JSON")), "{index}");
            }
        }
        assert!(Payload::of(&f32::NAN).is_err());
        let whole: Vec<_> = kept(1.5).into_iter().map(Result::unwrap).collect();
        let wanted = [
            "1.5",
            "1.5",
            "[0.0,1.5]",
            "[1,1.5]",
            r#"{"n":1.5}"#,
            "1.5",
            "[1,1.5]",
            r#"{"One":1.5}"#,
            r#"{"Two":[1,1.5]}"#,
            r#"{"Named":{"n":1.5}}"#,
            r#"{"a":1.5}"#,
            r#"[{"n":1.5}]"#,
        ];
        assert_eq!(whole, wanted);
        assert_eq!(
            Payload::of(&Payload::trusted(r#"{"a": 1}"#)).map(|same| same.as_str().to_owned()).unwrap(),
            r#"{"a": 1}"#
        );
    }
}
