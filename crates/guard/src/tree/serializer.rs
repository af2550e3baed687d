//! The serializer behind [`Tree::of`].

use serde::ser::{self, Serialize};

use super::Tree;

/// Builds a [`Tree`].
pub(super) struct Slim;

/// Serialising into memory has no error of its own; the trait asks for a type.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unserializable(String);

impl ser::Error for Unserializable {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A list that is being filled.
pub(super) struct Items(Vec<Tree>);

/// A node that is being filled.
pub(super) struct Fields(&'static str, Vec<(&'static str, Tree)>);

type Built = Result<Tree, Unserializable>;

macro_rules! numbers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Built {
            Ok(if value == <$type>::default() { Tree::Nothing } else { Tree::Number(value as i64) })
        })*
    };
}

impl ser::Serializer for Slim {
    type Ok = Tree;
    type Error = Unserializable;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = ser::Impossible<Tree, Unserializable>;
    type SerializeTupleVariant = ser::Impossible<Tree, Unserializable>;
    type SerializeMap = ser::Impossible<Tree, Unserializable>;
    type SerializeStruct = Fields;
    type SerializeStructVariant = ser::Impossible<Tree, Unserializable>;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8,
             serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32, serialize_f64: f64);

    fn serialize_bool(self, value: bool) -> Built {
        self.serialize_i64(value.into())
    }
    fn serialize_char(self, value: char) -> Built {
        Ok(Tree::Text(value.into()))
    }
    fn serialize_str(self, value: &str) -> Built {
        Ok(if value.is_empty() { Tree::Nothing } else { Tree::Text(value.to_owned()) })
    }
    fn serialize_bytes(self, _: &[u8]) -> Built {
        Ok(Tree::Nothing)
    }
    fn serialize_none(self) -> Built {
        Ok(Tree::Nothing)
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Built {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Built {
        Ok(Tree::Nothing)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Built {
        Ok(Tree::Nothing)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Built {
        self.serialize_str(name)
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Built {
        value.serialize(self)
    }
    // The variant's name says no more than the name of the struct in it. What is not a struct has no fields to look up.
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Built {
        value.serialize(self)
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<Items, Unserializable> {
        Ok(Items(Vec::with_capacity(length.unwrap_or(0))))
    }
    fn serialize_tuple(self, length: usize) -> Result<Items, Unserializable> {
        self.serialize_seq(Some(length))
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields, Unserializable> {
        Ok(Fields(name, Vec::new()))
    }
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unserializable> {
        Err(ser::Error::custom(name))
    }
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unserializable> {
        Err(ser::Error::custom(name))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unserializable> {
        Err(ser::Error::custom("map"))
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unserializable> {
        Err(ser::Error::custom(name))
    }
}

impl ser::SerializeSeq for Items {
    type Ok = Tree;
    type Error = Unserializable;
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unserializable> {
        self.0.push(value.serialize(Slim)?);
        Ok(())
    }
    fn end(self) -> Built {
        Ok(if self.0.is_empty() { Tree::Nothing } else { Tree::List(self.0) })
    }
}

impl ser::SerializeTuple for Items {
    type Ok = Tree;
    type Error = Unserializable;
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unserializable> {
        ser::SerializeSeq::serialize_element(self, value)
    }
    fn end(self) -> Built {
        ser::SerializeSeq::end(self)
    }
}

impl ser::SerializeStruct for Fields {
    type Ok = Tree;
    type Error = Unserializable;
    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        field: &'static str,
        value: &T,
    ) -> Result<(), Unserializable> {
        let tree = value.serialize(Slim)?;
        // `Node` and the lists of names are mere envelopes.
        if !tree.is_nothing() {
            self.1.push((field, tree));
        }
        Ok(())
    }
    fn end(mut self) -> Built {
        match (self.0, self.1.pop()) {
            ("Node", inner) => Ok(inner.map_or(Tree::Nothing, |(_, tree)| tree)),
            ("List", Some((_, items))) => Ok(items),
            (name, Some(last)) => {
                self.1.push(last);
                Ok(Tree::Struct(name, self.1))
            }
            (name, None) => Ok(Tree::Struct(name, Vec::new())),
        }
    }
}
