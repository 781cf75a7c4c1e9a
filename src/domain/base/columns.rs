//! Rows whose columns are read as two structs.

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use std::{fmt, marker::PhantomData};

/// A row of a [`list`](super::sql::Sql::list) whose first columns are a struct that other lists have
/// too, and whose further columns are another struct.
#[derive(Clone)]
pub(in crate::domain) struct ColumnPair<A, B>(pub A, pub B);

impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Deserialize<'de> for ColumnPair<A, B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PairVisitor(PhantomData))
    }
}

struct PairVisitor<A, B>(PhantomData<(A, B)>);

impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Visitor<'de> for PairVisitor<A, B> {
    type Value = ColumnPair<A, B>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the columns of two structs")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut columns: S) -> Result<Self::Value, S::Error> {
        Ok(ColumnPair(
            A::deserialize(RemainingColumns(&mut columns))?,
            B::deserialize(RemainingColumns(&mut columns))?,
        ))
    }
}

/// As many of the columns that are left as a struct takes.
struct RemainingColumns<'a, S>(&'a mut S);

impl<'de, S: SeqAccess<'de>> Deserializer<'de> for RemainingColumns<'_, S> {
    type Error = S::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, S::Error> {
        visitor.visit_seq(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Named {
        id: i64,
        name: Option<String>,
    }

    #[derive(Deserialize)]
    struct Placed {
        place: String,
    }

    #[test]
    fn columns_are_read_as_one_struct_and_then_the_other() {
        let rows: Vec<ColumnPair<Named, Placed>> =
            serde_json::from_str(r#"[[1,null,"a"],[2,"b","c"]]"#).unwrap();
        let read = |row: &ColumnPair<Named, Placed>| (row.0.id, row.0.name.clone(), row.1.place.clone());
        assert_eq!(read(&rows[0]), (1, None, "a".into()));
        assert_eq!(read(&rows[1]), (2, Some("b".into()), "c".into()));
        assert!(serde_json::from_str::<Vec<ColumnPair<Named, Placed>>>("[[1,null]]").is_err());
        assert!(serde_json::from_str::<Vec<ColumnPair<Named, Placed>>>(r#"[[1,null,"a",2]]"#).is_err());
    }
}
