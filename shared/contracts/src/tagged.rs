//! Enums whose variant stands in a member of their object, read as the members come.
//!
//! serde collects such an object before it reads it, since the variant may stand anywhere. Programs
//! write it first, so no more than the objects of other writers are collected here.

use serde::de::value::{EnumAccessDeserializer, MapAccessDeserializer, MapDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Value};
use std::fmt;
use std::marker::PhantomData;

/// Enum whose variant stands in a member.
pub(crate) trait Tagged<'de>: Sized {
    /// Name of the member.
    const TAG: &'static str;

    /// Reads the enum from a variant with its members.
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Declares an enum whose variant stands in a member: `tagged_enum!("member", "Name", pub enum Name
/// { … })`. It takes the attributes of serde that a derived one takes.
macro_rules! tagged_enum {
    ($tag:literal, $path:literal, $(#[$attribute:meta])* pub enum $name:ident { $($variants:tt)* }) => {
        $(#[$attribute])*
        #[derive(serde::Serialize)]
        #[serde(tag = $tag, rename_all = "snake_case")]
        pub enum $name { $($variants)* }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::tagged::deserialize(deserializer)
            }
        }

        const _: () = {
            #[derive(serde::Deserialize)]
            #[serde(remote = $path, rename_all = "snake_case")]
            #[allow(dead_code, reason = "it says how the enum above is read")]
            enum ByVariant { $($variants)* }

            impl<'de> $crate::tagged::Tagged<'de> for $name {
                const TAG: &'static str = $tag;

                fn read<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    ByVariant::deserialize(deserializer)
                }
            }
        };
    };
}

pub(crate) use tagged_enum;

/// Reads an enum from an object.
pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Tagged<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Tagged<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the member `{}`", T::TAG)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<T, A::Error> {
        let Some(first) = members.next_key_seed(NameVisitor(T::TAG))? else {
            return Err(A::Error::missing_field(T::TAG));
        };
        let Some(first) = first else { return read(members) };
        let mut collected = Map::new();
        collected.insert(first, members.next_value()?);
        while let Some((name, value)) = members.next_entry()? {
            collected.insert(name, value);
        }
        let variant = collected.remove(T::TAG).ok_or_else(|| A::Error::missing_field(T::TAG))?;
        read_collected(variant, collected).map_err(A::Error::custom)
    }
}

/// Reads an enum whose variant is the next value, and whose members follow.
fn read<'de, T: Tagged<'de>, A: MapAccess<'de>>(members: A) -> Result<T, A::Error> {
    T::read(EnumAccessDeserializer::new(VariantFirst(members)))
}

fn read_collected<'de, T: Tagged<'de>>(
    variant: Value,
    others: Map<String, Value>,
) -> Result<T, serde_json::Error> {
    let ordered = std::iter::once((T::TAG.to_owned(), variant)).chain(others);
    let mut members = MapDeserializer::new(ordered);
    members.next_key::<IgnoredAny>()?;
    read(members)
}

/// Name of a member: `None` for this one.
struct NameVisitor(&'static str);

impl<'de> DeserializeSeed<'de> for NameVisitor {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Option<String>, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for NameVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<String>, E> {
        Ok((name != self.0).then(|| name.to_owned()))
    }
}

/// Members of an object, of which the next value is the variant.
struct VariantFirst<A>(A);

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for VariantFirst<A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        mut self,
        seed: V,
    ) -> Result<(V::Value, Self), A::Error> {
        Ok((self.0.next_value_seed(seed)?, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for VariantFirst<A> {
    type Error = A::Error;

    fn unit_variant(mut self) -> Result<(), A::Error> {
        while self.0.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("an object has no members without names"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub struct Inner {
        text: String,
    }

    tagged_enum! { "is", "Shape",
        #[derive(Debug, PartialEq)]
        pub enum Shape {
            Nothing,
            Named {
                name: String,
                #[serde(skip_serializing_if = "Option::is_none", default)]
                within: Option<Box<Shape>>,
            },
            #[serde(rename = "wrapped")]
            Newtype(Inner),
            Flat {
                #[serde(flatten)]
                inner: Inner,
            },
        }
    }

    /// The same enum as serde reads it.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "is", rename_all = "snake_case")]
    enum Derived {
        Nothing,
        Named {
            name: String,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            within: Option<Box<Derived>>,
        },
        #[serde(rename = "wrapped")]
        Newtype(Inner),
        Flat {
            #[serde(flatten)]
            inner: Inner,
        },
    }

    #[test]
    fn an_object_is_read_and_written_as_the_derived_one_wherever_its_variant_stands() {
        for stored in [
            r#"{"is":"nothing"}"#,
            r#"{"is":"nothing","more":[1,{"is":"named"}]}"#,
            r#"{"more":null,"is":"nothing"}"#,
            r#"{"is":"named","name":"a\"b"}"#,
            r#"{"name":"号","is":"named"}"#,
            r#"{"is":"named","within":{"name":"a","is":"named"},"name":"b"}"#,
            r#"{"within":{"is":"nothing"},"name":"b","is":"named","more":1}"#,
            r#"{"is":"wrapped","text":"a"}"#,
            r#"{"text":"a","is":"wrapped"}"#,
            r#"{"is":"flat","text":"a"}"#,
            r#"{"text":"a","is":"flat"}"#,
        ] {
            let read: Shape = serde_json::from_str(stored).unwrap();
            let derived: Derived = serde_json::from_str(stored).unwrap();
            let written = serde_json::to_string(&read).unwrap();
            assert_eq!(written, serde_json::to_string(&derived).unwrap(), "{stored}");
            assert_eq!(serde_json::from_str::<Shape>(&written).unwrap(), read, "{stored}");
        }
    }

    #[test]
    fn what_the_derived_one_refuses_is_refused() {
        for stored in [
            "{}",
            "[]",
            "null",
            r#""nothing""#,
            r#"{"name":"a"}"#,
            r#"{"is":"unknown"}"#,
            r#"{"is":1}"#,
            r#"{"is":"named"}"#,
            r#"{"is":"named","name":1}"#,
            r#"{"name":1,"is":"named"}"#,
            r#"{"is":"named","name":"a","within":{}}"#,
            r#"{"is":"nothing""#,
            r#"{"is":"nothing"} 1"#,
        ] {
            assert!(serde_json::from_str::<Derived>(stored).is_err(), "{stored}");
            assert!(serde_json::from_str::<Shape>(stored).is_err(), "{stored}");
        }
    }
}
