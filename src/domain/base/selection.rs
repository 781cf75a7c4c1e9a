//! The rows that were selected in a list, to be changed together.

use crate::domain::base::invalid::Invalid;
use sea_orm::Value;
use uuid::Uuid;

/// The ids of the selected rows, without duplicates, in order.
#[derive(Clone, Debug)]
pub struct Selection(Vec<Uuid>);

impl Selection {
    /// The most rows that can be changed at once: two pages of a list.
    pub const MAX: usize = 100;

    /// # Errors
    /// An error on `field` if there are no ids, or too many.
    pub fn of(field: &str, ids: &[Uuid]) -> Result<Self, Invalid> {
        let mut each: Vec<Uuid> = Vec::new();
        for id in ids {
            if !each.contains(id) {
                each.push(*id);
            }
            if each.len() > Self::MAX {
                return Err(Invalid::field(field, format!("Choose at most {} at a time.", Self::MAX)));
            }
        }
        if each.is_empty() {
            return Err(Invalid::field(field, "Nothing is selected. Select at least one row."));
        }
        Ok(Self(each))
    }

    pub fn iter(&self) -> impl Iterator<Item = Uuid> {
        self.0.iter().copied()
    }

    pub(in crate::domain) fn len(&self) -> usize {
        self.0.len()
    }

    /// The ids as the inside of `IN (…)`, bound from `$2` on: `$1` is the workspace.
    pub(in crate::domain) fn bound(&self) -> (String, Vec<Value>) {
        let places: Vec<String> = (2..self.0.len() + 2).map(|n| format!("${n}")).collect();
        (places.join(", "), self.0.iter().map(|id| (*id).into()).collect())
    }
}
